/* SPDX-License-Identifier: Apache-2.0 */
/* Maps of several kinds, settings, and programs of a cgroup. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

const volatile __u32 verdict = 1;
const volatile __u64 big = 7;
const volatile char label[12] = "none";
__u64 calls;
__u32 start = 5;

struct key {
	__u32 a;
	__u32 b;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct key);
	__type(value, __u64);
} table SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

static __always_inline void count(__u32 index)
{
	__u64 *counter = bpf_map_lookup_elem(&counters, &index);

	if (counter)
		__sync_fetch_and_add(counter, 1);
	__sync_fetch_and_add(&calls, big);
}

SEC("cgroup/connect4")
int connect_first(struct bpf_sock_addr *context)
{
	count(0);
	return verdict && label[0];
}

SEC("cgroup/connect4")
int connect_second(struct bpf_sock_addr *context)
{
	count(1);
	return start != 0;
}

SEC("cgroup/sendmsg4")
int sendmsg(struct bpf_sock_addr *context)
{
	count(2);
	return 1;
}

char license_text[] SEC("license") = "Apache-2.0";

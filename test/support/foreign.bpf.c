/* SPDX-License-Identifier: Apache-2.0 */
/* Somebody else's program on the same cgroup: counts connect() calls and lets them be. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} calls SEC(".maps");

SEC("cgroup/connect4")
int foreign_connect(struct bpf_sock_addr *ctx __attribute__((unused)))
{
	__u32 key = 0;
	__u64 *count = bpf_map_lookup_elem(&calls, &key);

	if (count)
		__sync_fetch_and_add(count, 1);
	return 1;
}

char LICENSE[] SEC("license") = "Apache-2.0";

/* SPDX-License-Identifier: Apache-2.0 */
/* A program that the verifier must reject: it reads past its context. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} pinned SEC(".maps");

SEC("cgroup/connect4")
int reads_too_far(struct bpf_sock_addr *context)
{
	__u32 index = 0;
	__u32 *value = bpf_map_lookup_elem(&pinned, &index);
	volatile __u32 *beyond = (void *)context + 400;

	return value && *beyond;
}

char license_text[] SEC("license") = "Apache-2.0";

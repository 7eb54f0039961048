/* SPDX-License-Identifier: GPL-2.0 */
/* An iterator that writes a line for each element of a map; bpf_seq_write() is for GPL programs. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 20000);
	__type(key, __u32);
	__type(value, __u64);
} numbers SEC(".maps");

struct bpf_iter_meta___ours {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
} __attribute__((preserve_access_index));

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta___ours *meta;
	struct bpf_map *map;
	__u32 *key;
	__u64 *value;
};

SEC("iter/bpf_map_elem")
int list(struct bpf_iter__bpf_map_elem *context)
{
	__u32 *key = context->key;
	__u64 number;

	if (!key)
		return 0;
	number = *key;
	bpf_seq_write(context->meta->seq, &number, sizeof(number));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";

/* SPDX-License-Identifier: Apache-2.0 */
/* Iterators: one about a map's sockets, one about all tasks, which writes. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} notes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 100);
	__type(key, __u64);
	__type(value, __u64);
} seen SEC(".maps");

struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	struct sock *sk;
	__u64 *value;
};

SEC("cgroup/connect4")
int note(struct bpf_sock_addr *context)
{
	struct bpf_sock *sk = context->sk;
	__u64 *value;

	if (!sk)
		return 1;
	value = bpf_sk_storage_get(&notes, sk, NULL,
				   BPF_SK_STORAGE_GET_F_CREATE);
	if (value)
		*value = context->user_port;
	return 1;
}

SEC("iter/bpf_sk_storage_map")
int see(struct bpf_iter__bpf_sk_storage_map *context)
{
	struct sock *sk = context->sk;
	__u64 *value = context->value;
	__u64 cookie, copy;

	if (!sk || !value)
		return 0;
	cookie = bpf_get_socket_cookie(sk);
	copy = *value;
	bpf_map_update_elem(&seen, &cookie, &copy, BPF_ANY);
	return 0;
}

char LICENSE[] SEC("license") = "Apache-2.0";

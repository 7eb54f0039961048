/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the connected sockets whose backend is gone; user space closes them. */
#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

#include "destination.h"
#include "maps.h"
#include "resolve.h"

/* As the kernel lays it out. What the pointers lead to is for GPL programs only, but for the value. */
struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	struct sock *sk;
	struct flow *flow;
};

#define STALE_SOCKETS 1024

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, STALE_SOCKETS);
	__type(key, __u32);
	__type(value, struct stale_socket);
} stale_sockets SEC(".maps");

/* Of one agent: the next one is told of the same flows again. */
const volatile __u32 epoch = 0;
/* How many there are; user space sets it back. One program runs at a time. */
__u32 stale_count;

/*
 * Another processor may be writing the flow. Of two copies that agree both are
 * of one flow; it is copied once more at the next run otherwise.
 */
static __always_inline bool copy_flow(const struct flow *from, struct flow *to)
{
	struct flow again;

	*to = *from;
	barrier();
	again = *from;
	return to->frontend_id && to->frontend_id == again.frontend_id &&
	       to->backend_id == again.backend_id &&
	       to->generation == again.generation &&
	       to->backend_port == again.backend_port &&
	       to->frontend_port == again.frontend_port &&
	       address_equal(&to->backend_address, &again.backend_address) &&
	       address_equal(&to->frontend_address, &again.frontend_address);
}

/* What the frontend says now or, where there is none any more, said then. */
static __always_inline bool is_to_close(const struct flow *flow, __u32 flags)
{
	if (flow->flags & FLOW_TCP)
		return flags & FLOW_CLOSES_TCP;
	return !(flags & FLOW_KEEPS_UDP);
}

/* By the address that its client used: it has that itself, or is next there, or it is the node's port. */
static __always_inline bool find_frontend_of(const struct flow *flow,
					     struct frontend *frontend)
{
	struct frontend_key dialled = {};
	struct known_address known;

	dialled.address = flow->frontend_address;
	dialled.port = flow->frontend_port;
	dialled.protocol = flow->flags & FLOW_TCP ? IPPROTO_TCP : IPPROTO_UDP;
	if (find_frontend(&dialled, frontend) &&
	    frontend->id == flow->frontend_id)
		return true;
	dialled.rule = RULE_NEXT;
	if (find_frontend(&dialled, frontend) &&
	    frontend->id == flow->frontend_id)
		return true;
	dialled.rule = RULE_FIRST;
	return find_address(&dialled.address, &known) &&
	       !(known.flags & ADDRESS_CLUSTER_IP) &&
	       find_node_port(&known, &dialled, frontend) &&
	       frontend->id == flow->frontend_id;
}

/* The agent alone writes frontends, and waits meanwhile: what is not found is gone. */
static __always_inline bool is_stale(const struct flow *flow)
{
	struct frontend frontend;

	if (!find_frontend_of(flow, &frontend))
		return is_to_close(flow, flow->flags);
	return !is_current(&frontend, flow) &&
	       is_to_close(flow, flow_flags(&frontend));
}

SEC("iter/bpf_sk_storage_map")
int find_stale(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct stale_socket *stale;
	struct sock *sk = ctx->sk;
	struct flow *flow = ctx->flow;
	__u32 mark, index = stale_count;
	struct flow copy;

	if (!sk || !flow || !copy_flow(flow, &copy))
		return 0;
	/* A flow that is written meanwhile has another generation: it will not bear this mark. */
	mark = copy.generation + epoch;
	if (copy.reported == mark || !is_stale(&copy))
		return 0;
	stale = bpf_map_lookup_elem(&stale_sockets, &index);
	if (!stale)
		return 0;
	stale->cookie = bpf_get_socket_cookie(sk);
	stale->flow = copy;
	flow->reported = mark;
	stale_count = index + 1;
	return 0;
}

char LICENSE[] SEC("license") = "Apache-2.0";

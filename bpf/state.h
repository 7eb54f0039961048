/* SPDX-License-Identifier: Apache-2.0 */
/* Per-socket state: the flow of a connected socket, the flows of an unconnected one. */
#pragma once

#include "context.h"
#include "resolve.h"

static __always_inline void count_choice(const struct flow *flow, bool kept)
{
	struct frontend_stats *frontend;
	struct backend_stats *backend;
	__u32 id = flow->frontend_id;

	frontend = bpf_map_lookup_elem(&frontend_stats, &id);
	if (frontend)
		__sync_fetch_and_add(&frontend->resolved, 1);
	id = flow->backend_id;
	backend = bpf_map_lookup_elem(&backend_stats, &id);
	if (!backend)
		return;
	__sync_fetch_and_add(&backend->connections, 1);
	if (kept)
		__sync_fetch_and_add(&backend->opened, 1);
}

static __always_inline void count_refusal(__u32 frontend_id)
{
	struct frontend_stats *stats;

	stats = bpf_map_lookup_elem(&frontend_stats, &frontend_id);
	if (stats)
		__sync_fetch_and_add(&stats->refused, 1);
}

/*
 * The id may be another backend's by now: then its numbers are not ours. While
 * it is nobody's they still are, as the backend may come back under its id.
 */
static __always_inline void count_end(const struct flow *flow)
{
	const struct backend *backend;
	struct backend_stats *stats;
	__u32 id = flow->backend_id;

	if (!id)
		return;
	backend = bpf_map_lookup_elem(&backends, &id);
	if (!backend)
		return;
	if (backend->port &&
	    (backend->port != flow->backend_port ||
	     !address_equal(&backend->address, &flow->backend_address)))
		return;
	stats = bpf_map_lookup_elem(&backend_stats, &id);
	if (stats)
		__sync_fetch_and_add(&stats->closed, 1);
}

static __always_inline bool is_frontend_of(const struct flow *flow,
					   const struct address *address,
					   __be16 port)
{
	return flow->frontend_port == port &&
	       address_equal(&flow->frontend_address, address);
}

static __always_inline bool is_backend_of(const struct flow *flow,
					  const struct address *address,
					  __be16 port)
{
	return flow->backend_port == port &&
	       address_equal(&flow->backend_address, address);
}

/* A socket that is connected anew, or released, leaves its peer. */
static __always_inline void forget_peer(struct bpf_sock *sk)
{
	struct flow *peer = bpf_sk_storage_get(&sock_peers, sk, NULL, 0);

	if (!peer)
		return;
	count_end(peer);
	__builtin_memset(peer, 0, sizeof(*peer));
}

static __always_inline bool keep_peer(struct bpf_sock *sk,
				      const struct flow *flow)
{
	struct flow *peer;

	peer = bpf_sk_storage_get(&sock_peers, sk, NULL,
				  BPF_SK_STORAGE_GET_F_CREATE);
	if (!peer) {
		count_fault(FAULT_STORAGE);
		return false;
	}
	count_end(peer);
	*peer = *flow;
	return true;
}

/* The connection of a UDP socket is what answers belong to now. */
static __always_inline void turn_to_peer(struct bpf_sock *sk)
{
	struct flows *flows = bpf_sk_storage_get(&sock_flows, sk, NULL, 0);

	if (flows)
		flows->last = FLOWS_PER_SOCKET;
}

static __always_inline bool
is_from_peer(struct bpf_sock *sk, const struct address *address, __be16 port)
{
	struct flow *peer = bpf_sk_storage_get(&sock_peers, sk, NULL, 0);

	return peer && is_backend_of(peer, address, port);
}

/* The socket's flow to the frontend whose address is in ctx; FLOWS_PER_SOCKET if there is none. */
static __always_inline int find_flow_to(struct bpf_sock_addr *ctx, bool ip6)
{
	struct bpf_sock *sk = ctx->sk;
	struct address address;
	struct flows *flows;
	int i;

	if (!sk)
		return FLOWS_PER_SOCKET;
	flows = bpf_sk_storage_get(&sock_flows, sk, NULL, 0);
	if (!flows)
		return FLOWS_PER_SOCKET;
	address = read_address(ctx, ip6);
	for (i = 0; i < FLOWS_PER_SOCKET; i++)
		if (is_frontend_of(&flows->flow[i], &address, ctx->user_port))
			return i;
	return FLOWS_PER_SOCKET;
}

/*
 * The socket's flow that has the address in ctx as its backend's, the one that
 * was used last first; FLOWS_PER_SOCKET if none has, or if the connection was.
 */
static __always_inline int find_flow_from(struct bpf_sock_addr *ctx, bool ip6)
{
	struct bpf_sock *sk = ctx->sk;
	struct address address;
	struct flows *flows;
	__u32 last;
	int i;

	if (!sk)
		return FLOWS_PER_SOCKET;
	flows = bpf_sk_storage_get(&sock_flows, sk, NULL, 0);
	if (!flows)
		return FLOWS_PER_SOCKET;
	address = read_address(ctx, ip6);
	last = flows->last;
	if (last >= FLOWS_PER_SOCKET) {
		if (sk->state == BPF_TCP_ESTABLISHED ||
		    is_from_peer(sk, &address, ctx->user_port))
			return FLOWS_PER_SOCKET;
	} else if (is_backend_of(&flows->flow[last], &address,
				 ctx->user_port)) {
		return last;
	}
	for (i = 0; i < FLOWS_PER_SOCKET; i++)
		if (is_backend_of(&flows->flow[i], &address, ctx->user_port))
			return i;
	return FLOWS_PER_SOCKET;
}

/* Global functions: the verifier walks each once, and callers go on with one unknown index. */
__noinline int flow_to4(struct bpf_sock_addr *ctx)
{
	return find_flow_to(ctx, false);
}

__noinline int flow_to6(struct bpf_sock_addr *ctx)
{
	return find_flow_to(ctx, true);
}

__noinline int flow_from4(struct bpf_sock_addr *ctx)
{
	return find_flow_from(ctx, false);
}

__noinline int flow_from6(struct bpf_sock_addr *ctx)
{
	return find_flow_from(ctx, true);
}

/* The barrier keeps the bound where the verifier sees it. */
static __always_inline struct flow *flow_at(struct flows *flows, __u32 index)
{
	index &= FLOWS_PER_SOCKET - 1;
	barrier_var(index);
	return &flows->flow[index & (FLOWS_PER_SOCKET - 1)];
}

/* In place of the flow at index, or of the oldest. */
static __always_inline bool keep_flow(struct bpf_sock *sk, __u32 index,
				      const struct flow *flow)
{
	struct flows *flows;
	struct flow *place;

	flows = bpf_sk_storage_get(&sock_flows, sk, NULL,
				   BPF_SK_STORAGE_GET_F_CREATE);
	if (!flows) {
		count_fault(FAULT_STORAGE);
		return false;
	}
	if (index >= FLOWS_PER_SOCKET)
		index = flows->next++;
	index &= FLOWS_PER_SOCKET - 1;
	place = flow_at(flows, index);
	flows->last = index;
	count_end(place);
	*place = *flow;
	return true;
}

static __always_inline bool take(const struct frontend *frontend,
				 struct flow *kept, struct flow *flow)
{
	if (!is_current(frontend, kept))
		return false;
	kept->generation = frontend->generation;
	*flow = *kept;
	return true;
}

/* The backend that this socket's datagrams to the frontend already have: its peer's, or a flow's. */
static __always_inline bool stick(struct bpf_sock *sk, __u32 index,
				  const struct frontend *frontend,
				  const struct frontend_key *dialled,
				  struct flow *flow)
{
	struct flow *peer = bpf_sk_storage_get(&sock_peers, sk, NULL, 0);
	struct flows *flows;

	if (peer && is_frontend_of(peer, &dialled->address, dialled->port) &&
	    take(frontend, peer, flow)) {
		turn_to_peer(sk);
		return true;
	}
	if (index >= FLOWS_PER_SOCKET)
		return false;
	flows = bpf_sk_storage_get(&sock_flows, sk, NULL, 0);
	if (!flows || !take(frontend, flow_at(flows, index), flow))
		return false;
	flows->last = index;
	return true;
}

/* Whether it has one, without a change. */
static __always_inline bool keeps(struct bpf_sock *sk, __u32 index,
				  const struct frontend *frontend,
				  const struct frontend_key *dialled)
{
	struct flow *peer = bpf_sk_storage_get(&sock_peers, sk, NULL, 0);
	struct flows *flows;

	if (peer && is_frontend_of(peer, &dialled->address, dialled->port) &&
	    is_current(frontend, peer))
		return true;
	if (index >= FLOWS_PER_SOCKET)
		return false;
	flows = bpf_sk_storage_get(&sock_flows, sk, NULL, 0);
	return flows && is_current(frontend, flow_at(flows, index));
}

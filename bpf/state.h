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

/* The id may be another backend's by now: then its numbers are not ours. */
static __always_inline void count_end(const struct flow *flow)
{
	const struct backend *backend;
	struct backend_stats *stats;
	__u32 id = flow->backend_id;

	if (!id)
		return;
	backend = bpf_map_lookup_elem(&backends, &id);
	if (!backend || backend->port != flow->backend_port ||
	    !address_equal(&backend->address, &flow->backend_address))
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

/*
 * Which of the socket's flows has the address in ctx as its backend's, or as
 * its frontend's; FLOWS_PER_SOCKET if none has.
 */
static __always_inline int find_flow(struct bpf_sock_addr *ctx, bool ip6,
				     bool by_backend)
{
	struct bpf_sock *sk = ctx->sk;
	struct address address;
	struct flows *flows;
	struct flow *flow;
	int i;

	if (!sk)
		return FLOWS_PER_SOCKET;
	flows = bpf_sk_storage_get(&sock_flows, sk, NULL, 0);
	if (!flows)
		return FLOWS_PER_SOCKET;
	address = read_address(ctx, ip6);
	for (i = 0; i < FLOWS_PER_SOCKET; i++) {
		flow = &flows->flow[i];
		if (by_backend ? is_backend_of(flow, &address, ctx->user_port)
			       : is_frontend_of(flow, &address, ctx->user_port))
			return i;
	}
	return FLOWS_PER_SOCKET;
}

/* Global functions: the verifier walks each once, and callers go on with one unknown index. */
__noinline int flow_to4(struct bpf_sock_addr *ctx)
{
	return find_flow(ctx, false, false);
}

__noinline int flow_to6(struct bpf_sock_addr *ctx)
{
	return find_flow(ctx, true, false);
}

__noinline int flow_from4(struct bpf_sock_addr *ctx)
{
	return find_flow(ctx, false, true);
}

__noinline int flow_from6(struct bpf_sock_addr *ctx)
{
	return find_flow(ctx, true, true);
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
	/* The barrier keeps the bound where the verifier sees it. */
	index &= FLOWS_PER_SOCKET - 1;
	barrier_var(index);
	place = &flows->flow[index & (FLOWS_PER_SOCKET - 1)];
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

/* The backend that this socket's datagrams to the frontend already have. */
static __always_inline bool stick(struct bpf_sock *sk, __u32 index,
				  const struct frontend *frontend,
				  struct flow *flow)
{
	const struct frontend_key *key = &frontend->key;
	struct flows *flows;
	struct flow *peer;

	peer = bpf_sk_storage_get(&sock_peers, sk, NULL, 0);
	if (peer && is_frontend_of(peer, &key->address, key->port))
		return take(frontend, peer, flow);
	if (index >= FLOWS_PER_SOCKET)
		return false;
	flows = bpf_sk_storage_get(&sock_flows, sk, NULL, 0);
	return flows && take(frontend, &flows->flow[index], flow);
}

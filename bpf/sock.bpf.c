/* SPDX-License-Identifier: Apache-2.0 */
/* Socket programs: the destination of connect() and sendmsg(), and the way back. */
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/socket.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "maps.h"
#include "settings.h"
#include "resolve.h"
#include "affinity.h"
#include "destination.h"
#include "state.h"
#include "event.h"
#include "own_way.h"
#include "redirect.h"
#include "verdict.h"

/* An MPTCP socket's first subflow is TCP to everyone it talks to. */
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* With the address that the client used: a node's, say, not the one that its node ports share. */
static __always_inline void set_frontend(struct flow *flow,
					 const struct frontend_key *dialled,
					 const struct frontend *frontend)
{
	flow->frontend_address = dialled->address;
	flow->frontend_port = dialled->port;
	flow->frontend_id = frontend->id;
	flow->generation = frontend->generation;
	flow->flags = flow_flags(frontend);
	if (dialled->protocol == IPPROTO_TCP)
		flow->flags |= FLOW_TCP;
}

static __always_inline bool keep(struct bpf_sock *sk, __u32 index,
				 const struct frontend *frontend,
				 const struct flow *flow, enum call call)
{
	if (call == SENDMSG)
		return keep_flow(sk, index, flow);
	if (frontend->key.protocol == IPPROTO_UDP ||
	    frontend->flags & FRONTEND_KEEPS_PEER)
		return keep_peer(sk, flow);
	forget_peer(sk);
	return false;
}

/*
 * Once more, with `key` for the next time. A frontend changes its rule when a
 * redirect comes before it, or goes: none takes a redirect for what it was. And
 * a redirect whose last backend went meanwhile refuses nobody: who is next serves.
 */
static __always_inline bool find_again(struct frontend_key *key,
				       bool is_redirect,
				       struct frontend *frontend)
{
	if (find_frontend(key, frontend) && (is_redirect || !frontend->guard) &&
	    (!frontend->guard || frontend->active))
		return true;
	key->rule ^= RULE_FIRST ^ RULE_NEXT;
	return false;
}

/* The frontend is taken: to a backend chosen anew, or refused. */
static __always_inline int choose_anew(struct bpf_sock_addr *ctx,
				       struct frontend *frontend,
				       const struct frontend_key *dialled,
				       __u32 index, bool limited, bool ip6,
				       enum call call)
{
	struct frontend_key key = frontend->key;
	bool is_redirect = frontend->guard;
	struct bpf_sock *sk = ctx->sk;
	struct flow flow = {};
	int try;

	if (!sk)
		return PASS;
	for (try = 0; try < RESOLVE_TRIES; try++) {
		if (try && !find_again(&key, is_redirect, frontend))
			continue;
		set_frontend(&flow, dialled, frontend);
		if (!frontend->active) {
			if (call == CONNECT)
				forget_peer(sk);
			leave_trace(dialled);
			count_refusal(frontend->id);
			emit(ctx, frontend, &flow, EVENT_REFUSED, limited);
			return refuse(ctx, dialled, ip6, call);
		}
		if (frontend->affinity
			    ? choose_for_client(ctx, frontend, &flow)
			    : choose(frontend, bpf_get_prandom_u32(), &flow))
			goto chosen;
	}
	/* A frontend that went away meanwhile is no fault. */
	if (bpf_map_lookup_elem(&frontends, &key))
		count_fault(FAULT_SLOT);
	return PASS;
chosen:
	count_choice(&flow, keep(sk, index, frontend, &flow, call));
	emit(ctx, frontend, &flow, EVENT_RESOLVED, limited);
	write_address(ctx, &flow.backend_address, flow.backend_port, ip6);
	return PASS;
}

/* Nobody serves this port of a Service, and nothing else has the address: what is refused later elsewhere is refused here. */
static __always_inline int refuse_port(struct bpf_sock_addr *ctx,
				       const struct frontend_key *dialled,
				       bool limited, bool ip6, enum call call)
{
	struct frontend nothing = { .key = *dialled };
	struct bpf_sock *sk = ctx->sk;
	struct flow flow = {};

	if (!sk)
		return PASS;
	if (call == CONNECT)
		forget_peer(sk);
	set_frontend(&flow, dialled, &nothing);
	count_refusal_without_frontend(REFUSAL_UNKNOWN_PORT);
	emit(ctx, &nothing, &flow, EVENT_UNKNOWN_PORT, limited);
	return refuse(ctx, dialled, ip6, call);
}

/* It goes out as it is. A connect() to AF_UNSPEC runs no program: the peer is left when the socket goes on. */
static __always_inline int let_pass(struct bpf_sock_addr *ctx, enum call call)
{
	struct bpf_sock *sk = ctx->sk;

	if (sk && (call == CONNECT || sk->state != BPF_TCP_ESTABLISHED))
		forget_peer(sk);
	return PASS;
}

/* Of a redirect over its limit, where nobody else has the address: for people, it is its own backend. */
static __always_inline void emit_passage(struct bpf_sock_addr *ctx,
					 const struct frontend *redirect,
					 const struct frontend_key *dialled)
{
	struct flow flow = {};

	set_frontend(&flow, dialled, redirect);
	flow.backend_address = dialled->address;
	flow.backend_port = dialled->port;
	emit(ctx, redirect, &flow, EVENT_RESOLVED, true);
}

/* A UDP socket goes on to the backend that it has as long as the frontend has it. */
static __always_inline int translate(struct bpf_sock_addr *ctx,
				     struct frontend *frontend,
				     const struct frontend_key *dialled,
				     bool limited, bool ip6, enum call call)
{
	__u32 index = FLOWS_PER_SOCKET;
	struct bpf_sock *sk = ctx->sk;
	struct flow flow;

	if (!sk)
		return PASS;
	if (frontend->key.protocol != IPPROTO_UDP)
		return choose_anew(ctx, frontend, dialled, index, limited, ip6,
				   call);
	index = ip6 ? flow_to6(ctx) : flow_to4(ctx);
	if (!stick(sk, index, frontend, dialled, &flow))
		return choose_anew(ctx, frontend, dialled, index, limited, ip6,
				   call);
	if (call == CONNECT) {
		count_choice(&flow, keep_peer(sk, &flow));
		emit(ctx, frontend, &flow, EVENT_RESOLVED, limited);
	}
	write_address(ctx, &flow.backend_address, flow.backend_port, ip6);
	return PASS;
}

/* The redirect's place is taken by who is next, if it is gone past. */
static __always_inline enum destination
pass_redirect(struct bpf_sock_addr *ctx, const struct frontend_key *dialled,
	      bool ip6, struct frontend *frontend, bool *limited)
{
	__u32 id = frontend->id, limit = frontend->limit;
	__u32 active = frontend->active;
	__u64 guard = frontend->guard;
	enum destination destination;
	enum turn turn;

	turn = ip6 ? turn_at6(ctx, guard, id, limit, active)
		   : turn_at4(ctx, guard, id, limit, active);
	if (turn == TAKE_REDIRECT)
		return FRONTEND;
	*limited = turn == GO_PAST_LIMIT;
	destination = find_next(ctx, dialled, frontend);
	if (destination == ELSEWHERE && *limited)
		emit_passage(ctx, frontend, dialled);
	return destination;
}

static __always_inline int forward(struct bpf_sock_addr *ctx, bool ip6,
				   enum call call)
{
	__u32 protocol = ctx->protocol;
	struct bpf_sock *sk = ctx->sk;
	enum destination destination;
	struct frontend_key key = {};
	struct frontend frontend;
	bool limited = false;

	if (protocol == IPPROTO_MPTCP)
		protocol = IPPROTO_TCP;
	if (!sk || (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP))
		return PASS;
	if (call == SENDMSG && !ip6 && is_to_own_peer(ctx, sk))
		return PASS;
	key.address = read_address(ctx, ip6);
	key.port = ctx->user_port;
	key.protocol = protocol;
	if (call == CONNECT && protocol == IPPROTO_UDP)
		turn_to_peer(sk);
	destination = find_destination(ctx, &key, &frontend);
	if (destination == ELSEWHERE ||
	    goes_own_way(destination == FRONTEND ? &frontend.key : &key))
		return let_pass(ctx, call);
	if (destination == FRONTEND && frontend.guard)
		destination =
			pass_redirect(ctx, &key, ip6, &frontend, &limited);
	if (destination == FRONTEND)
		return translate(ctx, &frontend, &key, limited, ip6, call);
	if (destination == UNKNOWN_PORT)
		return refuse_port(ctx, &key, limited, ip6, call);
	return let_pass(ctx, call);
}

/* The address that the client used, in place of the backend's. */
static __always_inline int restore_peer(struct bpf_sock_addr *ctx, bool ip6)
{
	struct bpf_sock *sk = ctx->sk;
	struct address address;
	struct flow *peer;

	if (!sk)
		return PASS;
	peer = bpf_sk_storage_get(&sock_peers, sk, NULL, 0);
	if (!peer || !peer->frontend_id)
		return PASS;
	address = read_address(ctx, ip6);
	if (is_backend_of(peer, &address, ctx->user_port))
		write_address(ctx, &peer->frontend_address, peer->frontend_port,
			      ip6);
	return PASS;
}

static __always_inline int restore_source(struct bpf_sock_addr *ctx, bool ip6)
{
	__u32 index = ip6 ? flow_from6(ctx) : flow_from4(ctx);
	struct bpf_sock *sk = ctx->sk;
	struct flows *flows;
	struct flow *flow;

	if (!sk || index >= FLOWS_PER_SOCKET)
		return restore_peer(ctx, ip6);
	flows = bpf_sk_storage_get(&sock_flows, sk, NULL, 0);
	if (!flows)
		return PASS;
	flow = &flows->flow[index];
	write_address(ctx, &flow->frontend_address, flow->frontend_port, ip6);
	return PASS;
}

SEC("cgroup/connect4")
int sock4_connect(struct bpf_sock_addr *ctx)
{
	return forward(ctx, false, CONNECT);
}

SEC("cgroup/connect6")
int sock6_connect(struct bpf_sock_addr *ctx)
{
	return forward(ctx, true, CONNECT);
}

SEC("cgroup/sendmsg4")
int sock4_sendmsg(struct bpf_sock_addr *ctx)
{
	return forward(ctx, false, SENDMSG);
}

SEC("cgroup/sendmsg6")
int sock6_sendmsg(struct bpf_sock_addr *ctx)
{
	return forward(ctx, true, SENDMSG);
}

SEC("cgroup/recvmsg4")
int sock4_recvmsg(struct bpf_sock_addr *ctx)
{
	return restore_source(ctx, false);
}

SEC("cgroup/recvmsg6")
int sock6_recvmsg(struct bpf_sock_addr *ctx)
{
	return restore_source(ctx, true);
}

SEC("cgroup/getpeername4")
int sock4_getpeername(struct bpf_sock_addr *ctx)
{
	return restore_peer(ctx, false);
}

SEC("cgroup/getpeername6")
int sock6_getpeername(struct bpf_sock_addr *ctx)
{
	return restore_peer(ctx, true);
}

SEC("cgroup/sock_release")
int sock_release(struct bpf_sock *ctx)
{
	struct flows *flows;
	int i;

	/* A TCP socket lives on while its last data is sent: it is nobody's to close. */
	forget_peer(ctx);
	flows = bpf_sk_storage_get(&sock_flows, ctx, NULL, 0);
	if (!flows)
		return PASS;
#pragma unroll
	for (i = 0; i < FLOWS_PER_SOCKET; i++)
		count_end(&flows->flow[i]);
	return PASS;
}

char LICENSE[] SEC("license") = "Apache-2.0";

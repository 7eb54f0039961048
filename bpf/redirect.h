/* SPDX-License-Identifier: Apache-2.0 */
/* Redirects: who takes one, who goes past it. */
#pragma once

#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

#include "context.h"
#include "maps.h"
#include "resolve.h"
#include "state.h"

#define WINDOW_NS 1000000000ULL

/*
 * Written by the agent: a bit for each level at which `guards` has cgroups. Of
 * these programs only: the next agent sets its own before they are attached.
 */
volatile __u32 guard_levels SEC(".data.guard_levels");

static __always_inline bool has_guard(__u64 group, enum guard_kind kind,
				      __u64 identity)
{
	struct guard_key key = {};

	key.group = group;
	key.identity = identity;
	key.kind = kind;
	return bpf_map_lookup_elem(&guards, &key);
}

/*
 * Whether the caller is a backend of these redirects itself. A global function,
 * so that the verifier walks it once on its own.
 */
__noinline int is_guarded(struct bpf_sock_addr *ctx, __u64 group)
{
	__u32 level, levels = guard_levels;
	__u64 id;

	if (has_guard(group, GUARD_NETNS, bpf_get_netns_cookie(ctx)))
		return 1;
	for (level = 0; level < GUARD_LEVELS && levels >> level; level++) {
		if (!(levels >> level & 1))
			continue;
		id = bpf_get_current_ancestor_cgroup_id(level);
		if (has_guard(group, GUARD_CGROUP, id))
			return 1;
	}
	return 0;
}

static __always_inline struct redirect_window *window_of(__u32 frontend_id)
{
	struct redirect_window *window, fresh = {};

	window = bpf_map_lookup_elem(&redirect_windows, &frontend_id);
	if (window)
		return window;
	/* Another processor may be first: then it is that one's. */
	bpf_map_update_elem(&redirect_windows, &frontend_id, &fresh,
			    BPF_NOEXIST);
	return bpf_map_lookup_elem(&redirect_windows, &frontend_id);
}

/*
 * Whether the redirect has taken what it may of this second; if not, it takes
 * one more. A lock, since atomics that tell what they found came with 5.12. A
 * global function for the same reason.
 */
__noinline int is_over_limit(__u32 frontend_id, __u32 limit)
{
	struct redirect_window *window = window_of(frontend_id);
	__u64 second = bpf_ktime_get_ns() / WINDOW_NS;
	bool is_over;

	if (!window) {
		count_fault(FAULT_STORAGE);
		return 0;
	}
	bpf_spin_lock(&window->lock);
	/* Another processor may have come from the next second already. */
	if (window->second < second) {
		window->second = second;
		window->taken = 0;
	}
	is_over = window->taken >= limit;
	if (!is_over)
		window->taken++;
	bpf_spin_unlock(&window->lock);
	return is_over;
}

enum turn {
	TAKE_REDIRECT,
	GO_PAST, /* its own backend, a flow that the next one has, or nobody serves here */
	GO_PAST_LIMIT,
};

/*
 * Of a UDP socket that may have talked to this address: by which rule its
 * backend is there, the redirect's or the next one's; else RULES.
 */
static __always_inline __u32 find_keeper(struct bpf_sock_addr *ctx, bool ip6)
{
	__u32 index = ip6 ? flow_to6(ctx) : flow_to4(ctx);
	struct frontend_key dialled = {};
	struct bpf_sock *sk = ctx->sk;
	struct frontend frontend;
	struct flow *peer;
	__u32 rule;

	if (!sk)
		return RULES;
	dialled.address = read_address(ctx, ip6);
	dialled.port = ctx->user_port;
	dialled.protocol = IPPROTO_UDP;
	peer = bpf_sk_storage_get(&sock_peers, sk, NULL, 0);
	if (index >= FLOWS_PER_SOCKET &&
	    !(peer && is_frontend_of(peer, &dialled.address, dialled.port)))
		return RULES;
	for (rule = 0; rule < RULES; rule++) {
		dialled.rule = rule;
		if (find_frontend(&dialled, &frontend) &&
		    keeps(sk, index, &frontend, &dialled))
			break;
	}
	return rule;
}

static __always_inline enum turn turn_at(struct bpf_sock_addr *ctx, __u64 guard,
					 __u32 id, __u32 limit, __u32 active,
					 bool ip6)
{
	__u32 rule = RULES;

	if (is_guarded(ctx, guard))
		return GO_PAST;
	if (ctx->protocol == IPPROTO_UDP)
		rule = find_keeper(ctx, ip6);
	if (rule == RULE_FIRST)
		return TAKE_REDIRECT;
	/* Without active backends it is there for the flows that its terminating ones have. */
	if (rule == RULE_NEXT || !active)
		return GO_PAST;
	return limit && is_over_limit(id, limit) ? GO_PAST_LIMIT
						 : TAKE_REDIRECT;
}

/* Global functions, as those that look for flows. */
__noinline int turn_at4(struct bpf_sock_addr *ctx, __u64 guard, __u32 id,
			__u32 limit, __u32 active)
{
	return turn_at(ctx, guard, id, limit, active, false);
}

__noinline int turn_at6(struct bpf_sock_addr *ctx, __u64 guard, __u32 id,
			__u32 limit, __u32 active)
{
	return turn_at(ctx, guard, id, limit, active, true);
}

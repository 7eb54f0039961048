/* SPDX-License-Identifier: Apache-2.0 */
/* Session affinity: a client goes on to the backend that it has had. */
#pragma once

#include <asm/errno.h>

#include "resolve.h"
#include "settings.h"

#define NANOSECONDS 1000000000LL

/* A kernel that cannot tell the process (before 5.10) takes the network namespace for it. */
static __always_inline __u64 client_of(struct bpf_sock_addr *ctx,
				       __u32 identity)
{
	if (identity == CLIENT_CGROUP)
		return bpf_get_current_cgroup_id();
	if (identity == CLIENT_UID)
		return (__u32)bpf_get_current_uid_gid();
	if (identity == CLIENT_PROCESS && can_get_pid)
		return bpf_get_current_pid_tgid() >> 32;
	return bpf_get_netns_cookie(ctx);
}

/*
 * The client's backend, if it has had one lately and the frontend still sends new
 * connections there. The element may be reused for another client while it is
 * read: even then its backend is one of this frontend's.
 */
static __always_inline bool follow(const struct affinity *last,
				   const struct frontend *frontend, __u64 now,
				   struct flow *flow)
{
	const struct backend *backend;
	__u32 id = last->backend_id;

	/* Below zero if another processor has just used it. */
	if ((__s64)(now - last->used) >
	    frontend->affinity_seconds * NANOSECONDS)
		return false;
	backend = bpf_map_lookup_elem(&backends, &id);
	if (!backend || backend->port != last->backend_port ||
	    !address_equal(&backend->address, &last->backend_address))
		return false;
	if (!has_slot(frontend->id, frontend->slot_base,
		      frontend->slot_base + frontend->active, id))
		return false;
	use_backend(flow, id, backend);
	return true;
}

/*
 * Connections that a client opens at once all find that it has lost its backend.
 * By what they find they choose the same one, without a word to each other: the
 * time of its last connection is as good as a random number. The upper half of a
 * product with 2^64 / phi (Knuth, The Art of Computer Programming 3, 6.4).
 */
static __always_inline __u32 mix(__u64 used)
{
	return used * 0x9e3779b97f4a7c15ULL >> 32;
}

/* false if a backend was taken away meanwhile, as for choose(). */
static __always_inline bool choose_for_client(struct bpf_sock_addr *ctx,
					      const struct frontend *frontend,
					      struct flow *flow)
{
	__u32 random = bpf_get_prandom_u32();
	__u64 now = bpf_ktime_get_boot_ns();
	struct affinity_key key = {};
	struct affinity chosen = {};
	struct affinity *known;
	struct affinity last;
	long error;

	key.group = frontend->affinity;
	key.identity =
		frontend->flags >> FRONTEND_CLIENT_SHIFT & FRONTEND_CLIENT_MASK;
	key.client = client_of(ctx, key.identity);
	known = bpf_map_lookup_elem(&affinities, &key);
	if (known) {
		last = *known;
		if (follow(&last, frontend, now, flow)) {
			known->used = now;
			return true;
		}
		random = mix(last.used);
	}
	if (!choose(frontend, random, flow))
		return false;
	chosen.backend_address = flow->backend_address;
	chosen.backend_port = flow->backend_port;
	chosen.backend_id = flow->backend_id;
	chosen.used = now;
	error = bpf_map_update_elem(&affinities, &key, &chosen,
				    known ? BPF_ANY : BPF_NOEXIST);
	if (error == -EEXIST) {
		/* The client opens several at once, and another of them was first. */
		known = bpf_map_lookup_elem(&affinities, &key);
		if (known) {
			last = *known;
			follow(&last, frontend, now, flow);
		}
	} else if (error) {
		count_fault(FAULT_STORAGE);
	}
	return true;
}

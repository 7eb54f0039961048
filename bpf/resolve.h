/* SPDX-License-Identifier: Apache-2.0 */
/* From a frontend's address to one of its backends. */
#pragma once

#include "maps.h"

/* Tries before a connection is let through: each one reads the frontend anew. */
#define RESOLVE_TRIES 3
/* Steps of a binary search over all slots: log2(524288) + 1. */
#define SEARCH_STEPS 20

static __always_inline bool address_equal(const struct address *a,
					  const struct address *b)
{
	return a->word[3] == b->word[3] && a->word[2] == b->word[2] &&
	       a->word[1] == b->word[1] && a->word[0] == b->word[0];
}

static __always_inline bool key_equal(const struct frontend_key *a,
				      const struct frontend_key *b)
{
	return address_equal(&a->address, &b->address) && a->port == b->port &&
	       a->protocol == b->protocol && a->rule == b->rule;
}

/*
 * A copy of the frontend, known to be whole: its element may be reused for
 * another one while it is read, and is looked up again then. A copy torn in any
 * other way does not pass the owner test of its slots.
 */
static __always_inline bool find_frontend(const struct frontend_key *key,
					  struct frontend *found)
{
	const struct frontend *frontend;
	int try;

	for (try = 0; try < RESOLVE_TRIES; try++) {
		frontend = bpf_map_lookup_elem(&frontends, key);
		if (!frontend)
			return false;
		*found = *frontend;
		barrier();
		if (key_equal(&frontend->key, key))
			return true;
	}
	count_fault(FAULT_SLOT);
	return false;
}

static __always_inline bool slot_backend(__u32 owner, __u32 index,
					 __u32 *backend_id)
{
	struct slot *slot = bpf_map_lookup_elem(&slots, &index);

	if (!slot || slot->owner != owner)
		return false;
	*backend_id = slot->backend_id;
	return true;
}

/* Both pairs of flags stand side by side: no branch is needed. */
_Static_assert(FRONTEND_KEEPS_UDP / FRONTEND_CLOSES_TCP ==
		       FLOW_KEEPS_UDP / FLOW_CLOSES_TCP,
	       "one shift makes a flow's flags of a frontend's");

static __always_inline __u32 flow_flags(const struct frontend *frontend)
{
	return frontend->flags / (FRONTEND_CLOSES_TCP / FLOW_CLOSES_TCP) &
	       (FLOW_CLOSES_TCP | FLOW_KEEPS_UDP);
}

static __always_inline void use_backend(struct flow *flow, __u32 id,
					const struct backend *backend)
{
	flow->backend_id = id;
	flow->backend_address = backend->address;
	flow->backend_port = backend->port;
}

/* One of the active backends, by a random number; false if it was taken away meanwhile. */
static __always_inline bool choose(const struct frontend *frontend,
				   __u32 random, struct flow *flow)
{
	const struct backend *backend;
	__u32 id, index;

	index = frontend->slot_base + random % frontend->active;
	if (!slot_backend(frontend->id, index, &id))
		return false;
	backend = bpf_map_lookup_elem(&backends, &id);
	if (!backend || !backend->port)
		return false;
	use_backend(flow, id, backend);
	return true;
}

/*
 * Whether [low, high) of the owner's slots, sorted by backend id, has this one.
 * A global function, so that the verifier walks it once on its own.
 */
__noinline int has_slot(__u32 owner, __u32 low, __u32 high, __u32 backend_id)
{
	__u32 middle, id = 0;
	__u64 below;
	int step;

	for (step = 0; step < SEARCH_STEPS; step++) {
		if (low >= high)
			return 0;
		middle = low + (high - low) / 2;
		if (!slot_backend(owner, middle, &id))
			return 0;
		if (id == backend_id)
			return 1;
		/*
		 * Arithmetic: a branch here would double the verifier's paths
		 * at each step. The barrier keeps clang from making one of it.
		 */
		below = (__u64)id - backend_id;
		barrier_var(below);
		below >>= 63;
		low += (middle + 1 - low) * below;
		high -= (high - middle) * (1 - below);
	}
	return 0;
}

/*
 * A flow keeps its backend as long as the frontend has it, be it active or
 * terminating. The same generation says so without a look at the slots.
 */
static __always_inline bool is_current(const struct frontend *frontend,
				       const struct flow *flow)
{
	const struct backend *backend;
	__u32 base = frontend->slot_base;
	__u32 id = flow->backend_id;

	if (flow->frontend_id != frontend->id)
		return false;
	if (flow->generation == frontend->generation)
		return true;
	backend = bpf_map_lookup_elem(&backends, &id);
	if (!backend || backend->port != flow->backend_port ||
	    !address_equal(&backend->address, &flow->backend_address))
		return false;
	return has_slot(frontend->id, base, base + frontend->active, id) ||
	       has_slot(frontend->id, base + frontend->active,
			base + frontend->members, id);
}

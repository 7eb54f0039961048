/* SPDX-License-Identifier: Apache-2.0 */
/* What lies behind an address: a frontend, one of a node's ports, a port that a Service does not have, or nothing of ours. */
#pragma once

#include "resolve.h"
#include "settings.h"

enum destination {
	ELSEWHERE,
	FRONTEND,
	UNKNOWN_PORT, /* of a cluster IP: refused */
};

/* As src/datapath/address_filter.ts has it; every octet counts in the upper bits. */
static __always_inline __u32 address_hash(const struct address *address)
{
	__u32 hash =
		address->word[0] * 0xc2b2ae3d + address->word[1] * 0x27d4eb2f +
		address->word[2] * 0x85ebca77 + address->word[3] * 0x9e3779b1;

	return hash >> (32 - ADDRESS_HASH_BITS);
}

/* False: nothing of ours has this address. Far cheaper than two look-ups in hashes, and nearly always the answer. */
static __always_inline bool may_be_ours(const struct address *address)
{
	__u32 hash = address_hash(address);
	__u32 word = hash >> 6;
	const __u64 *bits = bpf_map_lookup_elem(&address_filter, &word);

	return !bits || *bits >> (hash & 63) & 1;
}

/* A copy, known to be whole as a frontend's is. */
static __always_inline bool find_address(const struct address *address,
					 struct known_address *found)
{
	const struct known_address *known;
	int try;

	for (try = 0; try < RESOLVE_TRIES; try++) {
		known = bpf_map_lookup_elem(&addresses, address);
		if (!known)
			return false;
		*found = *known;
		barrier();
		if (address_equal(&known->address, address))
			return true;
	}
	count_fault(FAULT_SLOT);
	return false;
}

/*
 * The frontend of a node port: it stands at an address that all nodes of a hub
 * share. Whether the client may come to it through this one is not asked here.
 */
static __always_inline bool find_node_port(const struct known_address *known,
					   const struct frontend_key *dialled,
					   struct frontend *frontend)
{
	struct frontend_key key = *dialled;

	key.address = known->node_ports;
	return find_frontend(&key, frontend);
}

/* Loopback is this node to the host's own network, and something else to every pod. */
static __always_inline bool is_in_host_netns(struct bpf_sock_addr *ctx)
{
	__u64 host = host_netns ? host_netns : bpf_get_netns_cookie(NULL);

	return bpf_get_netns_cookie(ctx) == host;
}

/* Where no frontend has the port itself. */
static __always_inline enum destination
find_known(struct bpf_sock_addr *ctx, const struct frontend_key *dialled,
	   struct frontend *frontend)
{
	struct known_address known;

	if (!find_address(&dialled->address, &known))
		return ELSEWHERE;
	if (known.flags & ADDRESS_CLUSTER_IP)
		return UNKNOWN_PORT;
	if (known.flags & ADDRESS_HOST_NETNS && !is_in_host_netns(ctx))
		return ELSEWHERE;
	if (!find_node_port(&known, dialled, frontend))
		return ELSEWHERE;
	/* That node decides itself who may come. */
	if (frontend->flags & FRONTEND_OWN_NODE_ONLY &&
	    known.flags & ADDRESS_REMOTE_NODE)
		return ELSEWHERE;
	return FRONTEND;
}

/* Fills in `frontend` if there is one. */
static __always_inline enum destination
find_destination(struct bpf_sock_addr *ctx, const struct frontend_key *dialled,
		 struct frontend *frontend)
{
	/* All that an unrelated connect() pays ends here. */
	if (!may_be_ours(&dialled->address))
		return ELSEWHERE;
	if (find_frontend(dialled, frontend))
		return FRONTEND;
	return find_known(ctx, dialled, frontend);
}

/*
 * As if there were no redirect. Where there has been one a moment ago, who was
 * next has the address itself by now.
 */
static __always_inline enum destination
find_next(struct bpf_sock_addr *ctx, const struct frontend_key *dialled,
	  struct frontend *frontend)
{
	struct frontend_key key = *dialled;

	key.rule = RULE_NEXT;
	if (find_frontend(&key, frontend))
		return FRONTEND;
	if (find_frontend(dialled, frontend) && !frontend->guard)
		return FRONTEND;
	return find_known(ctx, dialled, frontend);
}

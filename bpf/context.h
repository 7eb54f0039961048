/* SPDX-License-Identifier: Apache-2.0 */
/* The address in a sock_addr context, IPv4 or IPv6, as one type. */
#pragma once

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

#include "types.h"

static __always_inline struct address mapped(__be32 ip4)
{
	struct address address = {};

	address.word[2] = bpf_htonl(0xffff);
	address.word[3] = ip4;
	return address;
}

static __always_inline bool is_mapped(const struct address *address)
{
	return !address->word[0] && !address->word[1] &&
	       address->word[2] == bpf_htonl(0xffff);
}

static __always_inline struct address read_address(struct bpf_sock_addr *ctx,
						   bool ip6)
{
	struct address address;

	if (!ip6)
		return mapped(ctx->user_ip4);
	address.word[0] = ctx->user_ip6[0];
	address.word[1] = ctx->user_ip6[1];
	address.word[2] = ctx->user_ip6[2];
	address.word[3] = ctx->user_ip6[3];
	return address;
}

#ifndef AF_INET6
#define AF_INET6 10
#endif

/*
 * A connected AF_INET6 socket with a v4-mapped peer sends as an IPv4 one that
 * names its peer (udpv6_sendmsg), so that cgroup/sendmsg4 runs where no other
 * connected socket runs a program. What connect() has translated once stays as
 * it is, whatever else its backend's address may be.
 */
static __always_inline bool is_to_own_peer(struct bpf_sock_addr *ctx,
					   struct bpf_sock *sk)
{
	__be16 port = sk->dst_port;

	return sk->family == AF_INET6 && sk->state == BPF_TCP_ESTABLISHED &&
	       sk->dst_ip4 == ctx->user_ip4 && port == ctx->user_port;
}

static __always_inline void write_address(struct bpf_sock_addr *ctx,
					  const struct address *address,
					  __be16 port, bool ip6)
{
	if (ip6) {
		ctx->user_ip6[0] = address->word[0];
		ctx->user_ip6[1] = address->word[1];
		ctx->user_ip6[2] = address->word[2];
		ctx->user_ip6[3] = address->word[3];
	} else {
		ctx->user_ip4 = address->word[3];
	}
	ctx->user_port = port;
}

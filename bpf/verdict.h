/* SPDX-License-Identifier: Apache-2.0 */
/* What a program says of a call: it goes on, or it is refused as by nobody listening. */
#pragma once

#include <linux/in.h>
#include <asm/errno.h>

#include "context.h"
#include "settings.h"

#define PASS 1
#define REFUSE 0

enum call {
	CONNECT,
	SENDMSG,
};

/*
 * Without bpf_set_retval (before 5.18) a program can only say EPERM. A
 * connect() is sent to port 0 of the loopback instead, where nobody can
 * listen: the kernel itself answers ECONNREFUSED.
 */
static __always_inline int refuse(struct bpf_sock_addr *ctx,
				  const struct frontend_key *key, bool ip6,
				  enum call call)
{
	struct address loopback = mapped(bpf_htonl(INADDR_LOOPBACK));

	if (can_set_retval) {
		bpf_set_retval(-ECONNREFUSED);
		return REFUSE;
	}
	if (call == SENDMSG)
		return REFUSE;
	if (!is_mapped(&key->address)) {
		loopback.word[2] = 0;
		loopback.word[3] = bpf_htonl(1);
	}
	write_address(ctx, &loopback, 0, ip6);
	return PASS;
}

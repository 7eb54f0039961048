/* SPDX-License-Identifier: Apache-2.0 */
/* What proxies.c and proxies_server.c have in common. */
#pragma once

#include "../support/endpoint.h"
#include <netinet/tcp.h>

/*
 * The first byte of a TCP connection's data says what is wanted: an answer, an answer and the end of
 * the connection, or an answer once all has come. A datagram is answered in any case.
 */
#define WANT_ANSWER 'r'
#define WANT_LAST_ANSWER 'q'
#define WANT_ANSWER_TO_ALL 'b'

/* Where the server was reached, and by whom. */
struct answer {
	struct in_addr server;
	struct in_addr client;
};

static inline void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		fail("stay on", "the processor");
}

static inline void send_at_once(int fd)
{
	int one = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0)
		fail("set an option of", "a connection");
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As many short exchanges as it can: COUNT rounds over all targets, each with a fresh socket, or
 * fewer if a line comes in. Prints "ok", then for each outcome TARGET>SERVER=COUNT (SERVER as it
 * calls itself, ADDRESS|PORT) or TARGET!ERRNO=COUNT, TARGET!SOURCE=COUNT if another address than
 * the target's answered. TARGET counts from 0. KIND: tcp; peer, the same with getpeername(); udp;
 * connected, which is connected UDP with getpeername(); quiet, the same without a datagram, whose
 * SERVER is what getpeername() says.
 */
#pragma once

#include "endpoint.h"
#include <poll.h>

#define MAX_TARGETS 16
#define MAX_OUTCOMES 4096

struct outcome {
	char text[96];
	long count;
};

static struct outcome outcomes[MAX_OUTCOMES];
static int n_outcomes;

static void count_outcome(int target, char mark, const char *what)
{
	char text[96];
	int i;

	snprintf(text, sizeof(text), "%d%c%s", target, mark, what);
	for (i = 0; i < n_outcomes; i++)
		if (!strcmp(outcomes[i].text, text))
			break;
	if (i == MAX_OUTCOMES)
		fail("count", text);
	if (i == n_outcomes)
		strcpy(outcomes[n_outcomes++].text, text);
	outcomes[i].count++;
}

static bool same_endpoint(const union endpoint *a, const union endpoint *b)
{
	char left[ENDPOINT_TEXT], right[ENDPOINT_TEXT];

	return !strcmp(endpoint_text(a, left), endpoint_text(b, right));
}

/* What the server says of itself comes first in what it says. */
static void count_answer(int target, char *text)
{
	char *address = text, *port = strchr(text, ' '), *end;
	char server[96];

	end = port ? strchr(port + 1, ' ') : NULL;
	if (!end) {
		count_outcome(target, '!', "ANSWER");
		return;
	}
	*port++ = *end = 0;
	snprintf(server, sizeof(server), "%.45s|%.5s", address, port);
	count_outcome(target, '>', server);
}

static bool talk(int fd, const char *kind, const union endpoint *to,
		 union endpoint *from, char *text)
{
	bool udp = !strcmp(kind, "udp"),
	     datagrams = udp || !strcmp(kind, "connected");
	socklen_t size = sizeof(*from);
	ssize_t length;

	if (!udp && connect(fd, &to->any, endpoint_size(to)) < 0)
		return false;
	if (!strcmp(kind, "quiet")) {
		if (getpeername(fd, &from->any, &size) < 0)
			return false;
		endpoint_text(from, text);
		strcat(text, " ");
		return true;
	}
	if (datagrams && sendto(fd, "x", 1, 0, udp ? &to->any : NULL,
				udp ? endpoint_size(to) : 0) < 0)
		return false;
	length = recvfrom(fd, text, 255, 0, udp ? &from->any : NULL,
			  udp ? &size : NULL);
	if (length < 0)
		return false;
	text[length] = 0;
	if (!strcmp(kind, "tcp"))
		*from = *to;
	else if (!udp)
		return getpeername(fd, &from->any, &size) == 0;
	return true;
}

static void blow(const char *kind, const union endpoint *to, int target)
{
	struct linger at_once = { .l_onoff = 1 };
	struct timeval limit = { .tv_sec = 5 };
	union endpoint from;
	char text[256];
	bool stream = !strcmp(kind, "tcp") || !strcmp(kind, "peer");
	int fd =
		socket(to->any.sa_family, stream ? SOCK_STREAM : SOCK_DGRAM, 0);

	if (fd < 0)
		fail("open", "a socket");
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (!talk(fd, kind, to, &from, text))
		count_outcome(target, '!', strerrorname_np(errno));
	else if (!same_endpoint(&from, to))
		count_outcome(target, '!', "SOURCE");
	else
		count_answer(target, text);
	close(fd);
}

static bool told_to_stop(void)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };

	return poll(&input, 1, 0) > 0;
}

static void storm(const char *kind, int count, const union endpoint *targets,
		  int n)
{
	int i, round;

	n_outcomes = 0;
	memset(outcomes, 0, sizeof(outcomes));
	for (round = 0; round < count && !told_to_stop(); round++)
		for (i = 0; i < n; i++)
			blow(kind, &targets[i], i);
	printf("ok");
	for (i = 0; i < n_outcomes; i++)
		printf(" %s=%ld", outcomes[i].text, outcomes[i].count);
	puts("");
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The client's side of proxies.c, step by step; any step that fails ends the program. */
#pragma once

#include "proxies.h"

#define REQUEST_SIZE 64
#define CHUNK_SIZE (128 << 10)

struct target {
	const char *label;
	const char *netns;
	const char *cgroup;
	unsigned tcp;
	unsigned udp;
	unsigned port;
	unsigned count;
	unsigned members;
	unsigned seen;
	struct in_addr client;
};

struct session {
	struct target *target;
	bool udp;
	int fd;
	unsigned index;
	struct sockaddr_in to;
};

/* Bytes sent at a stretch, and the first backend's address over TCP and over UDP. */
static size_t bulk_bytes;
static unsigned tcp_backend, udp_backend;

static void fail_at(const struct session *session, const char *what)
{
	const char *reason = strerror(errno);
	char text[ENDPOINT_TEXT];

	fprintf(stderr, "Cannot %s %s (%s): %s\n", what,
		endpoint_text((const union endpoint *)&session->to, text),
		session->target->label, reason);
	exit(1);
}

static void check(const struct session *session, const struct answer *answer)
{
	struct target *target = session->target;
	unsigned member = ntohl(answer->server.s_addr) -
			  (session->udp ? udp_backend : tcp_backend);

	errno = EADDRNOTAVAIL;
	if (member / target->members != session->index)
		fail_at(session, "believe an answer from a stranger for");
	target->seen |= 1U << member % target->members;
	target->client = answer->client;
}

static void open_session(struct session *session)
{
	const struct target *target = session->target;
	struct timeval patience = { .tv_sec = 5 };
	unsigned first = session->udp ? target->udp : target->tcp;

	session->index = (unsigned)random() % target->count;
	session->to = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(target->port),
		.sin_addr.s_addr = htonl(first + session->index),
	};
	session->fd =
		socket(AF_INET, session->udp ? SOCK_DGRAM : SOCK_STREAM, 0);
	if (session->fd < 0 || setsockopt(session->fd, SOL_SOCKET, SO_RCVTIMEO,
					  &patience, sizeof(patience)) < 0)
		fail_at(session, "open a socket for");
}

static void dial(struct session *session)
{
	if (connect(session->fd, (struct sockaddr *)&session->to,
		    sizeof(session->to)) < 0)
		fail_at(session, "connect to");
}

static void read_answer(struct session *session)
{
	struct answer answer;

	if (recv(session->fd, &answer, sizeof(answer), MSG_WAITALL) !=
	    sizeof(answer))
		fail_at(session, "get an answer from");
	check(session, &answer);
}

static void request(struct session *session, char want)
{
	char text[REQUEST_SIZE] = { want };

	if (send(session->fd, text, sizeof(text), MSG_NOSIGNAL) != sizeof(text))
		fail_at(session, "send to");
	read_answer(session);
}

static void ask(struct session *session)
{
	request(session, WANT_ANSWER);
}

static void close_session(struct session *session)
{
	close(session->fd);
}

/* The server closes first, so that no port of the client's stays in TIME_WAIT. */
static void ask_and_close(struct session *session)
{
	char end;

	request(session, WANT_LAST_ANSWER);
	if (recv(session->fd, &end, 1, 0) != 0)
		fail_at(session, "see the end of the connection to");
	close_session(session);
}

static void open_and_dial(struct session *session)
{
	open_session(session);
	dial(session);
	if (!session->udp)
		send_at_once(session->fd);
}

static void whole_connection(struct session *session)
{
	open_session(session);
	dial(session);
	ask_and_close(session);
}

static void whole_query(struct session *session)
{
	open_session(session);
	dial(session);
	ask(session);
	close_session(session);
}

/* By a socket that is not connected; the answer must be from the address that was asked. */
static void ask_unconnected(struct session *session)
{
	socklen_t size = sizeof(struct sockaddr_in);
	char text[REQUEST_SIZE] = { WANT_ANSWER };
	struct sockaddr_in from;
	struct answer answer;

	if (sendto(session->fd, text, sizeof(text), 0,
		   (struct sockaddr *)&session->to, size) != sizeof(text))
		fail_at(session, "send to");
	if (recvfrom(session->fd, &answer, sizeof(answer), 0,
		     (struct sockaddr *)&from, &size) != sizeof(answer))
		fail_at(session, "get an answer from");
	errno = EADDRNOTAVAIL;
	if (from.sin_addr.s_addr != session->to.sin_addr.s_addr ||
	    from.sin_port != session->to.sin_port)
		fail_at(session, "believe an answer's source for");
	check(session, &answer);
}

static void send_bulk(struct session *session)
{
	static char chunk[CHUNK_SIZE] = { WANT_ANSWER_TO_ALL };
	size_t left = bulk_bytes, size;
	ssize_t sent;

	for (; left > 0; left -= sent) {
		size = left < sizeof(chunk) ? left : sizeof(chunk);
		sent = send(session->fd, chunk, size, MSG_NOSIGNAL);
		if (sent < 0)
			fail_at(session, "send to");
	}
	shutdown(session->fd, SHUT_WR);
	read_answer(session);
}

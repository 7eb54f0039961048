/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that ask a name server for as long as they live: a name in, its IPv4 address out, or the
 * name of an errno.
 *
 * resolver NETNS CGROUP SERVER KIND
 * KIND: plain, a connected UDP socket of its own, made anew when it is told of an error; library,
 * glibc's resolver as it is; stayopen, the same with RES_STAYOPEN, which keeps its socket.
 */
#include "endpoint.h"
#include <arpa/nameser.h>
#include <netdb.h>
#include <resolv.h>

/* Longer than any test waits: what comes at all comes because of a socket's error, not of a timeout. */
#define PATIENCE_SECONDS 60
#define TRIES 3

/* The servers of the tests answer with one record and nothing after it: it ends in the address. */
static int print_address(const unsigned char *answer, int length)
{
	const HEADER *header = (const HEADER *)answer;
	char text[INET_ADDRSTRLEN];

	if (length < NS_HFIXEDSZ + NS_INADDRSZ || ntohs(header->ancount) != 1 ||
	    header->nscount || header->arcount) {
		errno = ENODATA;
		return -1;
	}
	inet_ntop(AF_INET, answer + length - NS_INADDRSZ, text, sizeof(text));
	puts(text);
	return 0;
}

static int ask_library(const char *name)
{
	unsigned char answer[NS_PACKETSZ];
	int length = res_query(name, ns_c_in, ns_t_a, answer, sizeof(answer));

	return length < 0 ? -1 : print_address(answer, length);
}

static int open_plain(const union endpoint *server)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd >= 0 && connect(fd, &server->any, endpoint_size(server)) == 0)
		return fd;
	fail("connect to", "the name server");
	return -1;
}

static int ask_plain(const char *name, const union endpoint *server)
{
	static int fd = -1;
	unsigned char query[NS_PACKETSZ], answer[NS_PACKETSZ];
	int size, length, try;

	size = res_mkquery(ns_o_query, name, ns_c_in, ns_t_a, NULL, 0, NULL,
			   query, sizeof(query));
	for (try = 0; size > 0 && try < TRIES; try++) {
		if (fd < 0)
			fd = open_plain(server);
		if (send(fd, query, size, 0) == size) {
			length = recv(fd, answer, sizeof(answer), 0);
			if (length > 0)
				return print_address(answer, length);
		}
		close(fd);
		fd = -1;
	}
	return -1;
}

int main(int argc, char **argv)
{
	union endpoint server;
	char name[256];
	bool plain;

	if (argc != 5 || !read_endpoint(&server, argv[3], "53")) {
		fprintf(stderr, "Usage: resolver NETNS CGROUP SERVER KIND\n");
		return 2;
	}
	enter(argv[1], argv[2]);
	plain = !strcmp(argv[4], "plain");
	res_init();
	_res.nscount = 1;
	_res.nsaddr_list[0] = server.v4;
	_res.retrans = PATIENCE_SECONDS;
	_res.retry = TRIES;
	if (!strcmp(argv[4], "stayopen"))
		_res.options |= RES_STAYOPEN;
	while (fgets(name, sizeof(name), stdin)) {
		name[strcspn(name, "\n")] = 0;
		if ((plain ? ask_plain(name, &server) : ask_library(name)) < 0)
			puts(strerrorname_np(errno));
		fflush(stdout);
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where connections really go: each one is made by a socket of its own, and the first packet that leaves for it is read off the
 * namespace's interfaces. Nobody needs to answer.
 *
 * packets NETNS CGROUP ("-": stay)
 * A line is one or more of `KIND FAMILY ADDRESS PORT`; its answer has a word for each: `ADDRESS|PORT` of the packet, or the name
 * of the errno of a call without a packet, or `silence`; after that of udp `>ADDRESS|PORT`, what getpeername() shows.
 *
 * A line `reset` closes the sockets that were kept; its answer is `ok`.
 *
 * KIND: tcp, udp (connect() and send()), sendto, and a to z: sendto() by the unconnected socket of that name, which stays open.
 * FAMILY: inet or inet6, the socket's; an address with a colon is for inet6.
 */
#include "endpoint.h"
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

static int sockets[26][2];

static int open_tap(void)
{
	int tap =
		socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, htons(ETH_P_ALL));
	int size = 1 << 20;

	if (tap < 0 || setsockopt(tap, SOL_SOCKET, SO_RCVBUFFORCE, &size,
				  sizeof(size)) < 0)
		fail("open", "a packet socket");
	return tap;
}

/* What a packet is for: only the first one of a connection, or a datagram. */
static bool read_packet(const unsigned char *packet, size_t length,
			union endpoint *to)
{
	const struct ip6_hdr *v6 = (const void *)packet;
	const struct iphdr *v4 = (const void *)packet;
	const struct tcphdr *tcp;
	bool is_v6 = length >= sizeof(*v6) && v4->version == 6;
	size_t header = is_v6 ? sizeof(*v6) : v4->ihl * 4;
	int protocol = is_v6 ? v6->ip6_nxt : v4->protocol;
	__be16 port;

	if (length < header + sizeof(struct udphdr))
		return false;
	tcp = (const void *)(packet + header);
	if (protocol == IPPROTO_TCP) {
		if (length < header + sizeof(*tcp) || !tcp->syn || tcp->ack)
			return false;
	} else if (protocol != IPPROTO_UDP) {
		return false;
	}
	/* At the same place in both. */
	port = tcp->dest;
	memset(to, 0, sizeof(*to));
	if (is_v6) {
		to->v6.sin6_family = AF_INET6;
		to->v6.sin6_addr = v6->ip6_dst;
		to->v6.sin6_port = port;
	} else {
		to->v4.sin_family = AF_INET;
		to->v4.sin_addr.s_addr = v4->daddr;
		to->v4.sin_port = port;
	}
	return true;
}

/* The first packet that left since the last call; what else there is, is thrown away. */
static bool sent_packet(int tap, union endpoint *to)
{
	unsigned char packet[2048];
	struct sockaddr_ll from;
	socklen_t size = sizeof(from);
	bool found = false;
	union endpoint seen;
	ssize_t length;

	while ((length = recvfrom(tap, packet, sizeof(packet), 0,
				  (struct sockaddr *)&from, &size)) >= 0) {
		if (!found && from.sll_pkttype == PACKET_OUTGOING &&
		    read_packet(packet, length, &seen)) {
			*to = seen;
			found = true;
		}
		size = sizeof(from);
	}
	return found;
}

static void reset(void)
{
	int *fd = &sockets[0][0];
	size_t i;

	for (i = 0; i < sizeof(sockets) / sizeof(int); i++) {
		if (fd[i])
			close(fd[i]);
		fd[i] = 0;
	}
}

static int new_socket(const char *family, bool is_tcp)
{
	int fd = socket(strcmp(family, "inet6") ? AF_INET : AF_INET6,
			(is_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK, 0);

	if (fd < 0)
		fail("open", "a socket");
	return fd;
}

static int held_socket(char name, const char *family)
{
	int *fd = &sockets[name - 'a'][!strcmp(family, "inet6")];

	if (!*fd)
		*fd = new_socket(family, false);
	return *fd;
}

/* 0 or the errno of the call. */
static int go(int fd, const char *kind, const union endpoint *to)
{
	socklen_t size = endpoint_size(to);

	if (!strcmp(kind, "tcp"))
		return connect(fd, &to->any, size) < 0 && errno != EINPROGRESS
			       ? errno
			       : 0;
	if (!strcmp(kind, "udp"))
		return connect(fd, &to->any, size) < 0 ||
				       send(fd, "x", 1, MSG_NOSIGNAL) < 0
			       ? errno
			       : 0;
	return sendto(fd, "x", 1, MSG_NOSIGNAL, &to->any, size) < 0 ? errno : 0;
}

static void print_endpoint(const char *before, const union endpoint *endpoint)
{
	char text[ENDPOINT_TEXT];

	endpoint_text(endpoint, text);
	*strchr(text, ' ') = '|';
	printf("%s%s", before, text);
}

static void answer(int tap, const char *kind, const char *family,
		   const union endpoint *to)
{
	bool is_held = kind[0] && !kind[1];
	int fd = is_held ? held_socket(kind[0], family)
			 : new_socket(family, !strcmp(kind, "tcp"));
	union endpoint seen, peer;
	socklen_t size = sizeof(peer);
	char rest[1];
	int error;

	/* What an earlier datagram met shows at the next call. */
	for (error = 0; is_held && recv(fd, rest, 1, 0) < 0 && errno != EAGAIN;)
		continue;
	sent_packet(tap, &seen);
	error = go(fd, kind, to);
	if (sent_packet(tap, &seen))
		print_endpoint("", &seen);
	else
		fputs(error ? strerrorname_np(error) : "silence", stdout);
	if (!strcmp(kind, "udp") && getpeername(fd, &peer.any, &size) == 0)
		print_endpoint(">", &peer);
	if (!is_held)
		close(fd);
}

int main(int argc, char **argv)
{
	static char line[1 << 20];
	const char *kind, *family, *address, *port, *gap;
	union endpoint to;
	int tap;

	if (argc != 3) {
		fprintf(stderr, "Usage: packets NETNS CGROUP\n");
		return 2;
	}
	enter(argv[1], argv[2]);
	tap = open_tap();
	while (fgets(line, sizeof(line), stdin)) {
		if (!strcmp(line, "reset\n")) {
			reset();
			puts("ok");
			fflush(stdout);
			continue;
		}
		gap = "";
		for (kind = strtok(line, " \n"); kind;
		     kind = strtok(NULL, " \n")) {
			family = strtok(NULL, " \n");
			address = strtok(NULL, " \n");
			port = strtok(NULL, " \n");
			if (!family || !read_endpoint(&to, address, port)) {
				fprintf(stderr, "Cannot understand %s\n", kind);
				return 2;
			}
			fputs(gap, stdout);
			answer(tap, kind, family, &to);
			gap = " ";
		}
		puts("");
		fflush(stdout);
	}
	return 0;
}

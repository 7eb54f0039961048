/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serves TCP and UDP, IPv4 and IPv6, on every address of its network namespace. An answer begins
 * with where it was reached and from where: "ADDRESS PORT PEER PEERPORT ", then a line's end (TCP)
 * or the datagram that came (UDP). TCP goes on as an echo.
 *
 * server NETNS PORT...
 * Prints "ready", and ends with its standard input.
 */
#include "endpoint.h"
#include <sys/epoll.h>

#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78
#endif

enum kind { LISTENER, STREAM, DATAGRAMS, INPUT };

static int epoll;

static void watch(int fd, enum kind kind)
{
	struct epoll_event event = { .events = EPOLLIN,
				     .data.u64 =
					     (unsigned long)kind << 32 | fd };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		fail("watch", "a socket");
}

static void set(int fd, int level, int option)
{
	int one = 1;

	if (setsockopt(fd, level, option, &one, sizeof(one)) < 0)
		fail("set an option of", "a socket");
}

static void serve(const char *address, const char *port, int type)
{
	union endpoint here;
	int fd;

	if (!read_endpoint(&here, address, port))
		fail("read", port);
	fd = socket(here.any.sa_family, type | SOCK_NONBLOCK, 0);
	if (fd < 0)
		fail("open a socket for", port);
	set(fd, SOL_SOCKET, SO_REUSEADDR);
	if (here.any.sa_family == AF_INET6) {
		set(fd, IPPROTO_IPV6, IPV6_V6ONLY);
		set(fd, IPPROTO_IPV6, IPV6_FREEBIND);
		set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO);
	} else {
		set(fd, IPPROTO_IP, IP_PKTINFO);
	}
	if (bind(fd, &here.any, endpoint_size(&here)) < 0)
		fail("bind", port);
	if (type == SOCK_STREAM && listen(fd, 4096) < 0)
		fail("listen on", port);
	watch(fd, type == SOCK_STREAM ? LISTENER : DATAGRAMS);
}

static int identify(char *text, const union endpoint *local,
		    const union endpoint *peer)
{
	char a[ENDPOINT_TEXT], b[ENDPOINT_TEXT];

	return sprintf(text, "%s %s ", endpoint_text(local, a),
		       endpoint_text(peer, b));
}

static void accept_all(int listener)
{
	socklen_t size;
	char text[256];
	union endpoint local, peer;
	int fd, length;

	for (;;) {
		size = sizeof(peer);
		fd = accept4(listener, &peer.any, &size, SOCK_NONBLOCK);
		if (fd < 0)
			return;
		size = sizeof(local);
		getsockname(fd, &local.any, &size);
		length = identify(text, &local, &peer);
		text[length++] = '\n';
		if (send(fd, text, length, MSG_NOSIGNAL) < 0)
			close(fd);
		else
			watch(fd, STREAM);
	}
}

static void echo(int fd)
{
	char text[2048];
	ssize_t length = read(fd, text, sizeof(text));

	if (length < 0 && errno == EAGAIN)
		return;
	if (length <= 0 || send(fd, text, length, MSG_NOSIGNAL) < 0)
		close(fd);
}

/* The address that the datagram was sent to; the same message makes it the answer's source. */
static void destination(struct msghdr *message, union endpoint *local)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(message);
	struct in_pktinfo *v4;

	if (local->any.sa_family == AF_INET6) {
		local->v6.sin6_addr =
			((struct in6_pktinfo *)CMSG_DATA(control))->ipi6_addr;
		return;
	}
	v4 = (struct in_pktinfo *)CMSG_DATA(control);
	local->v4.sin_addr = v4->ipi_addr;
	v4->ipi_spec_dst = v4->ipi_addr;
	v4->ipi_ifindex = 0;
}

static void answer(int fd)
{
	char text[2048], reply[2304], control[256];
	struct iovec in = { text, sizeof(text) }, out = { reply, 0 };
	union endpoint local, peer;
	struct msghdr message;
	socklen_t size;
	ssize_t length;

	for (;;) {
		message = (struct msghdr){ .msg_name = &peer,
					   .msg_namelen = sizeof(peer),
					   .msg_iov = &in,
					   .msg_iovlen = 1,
					   .msg_control = control,
					   .msg_controllen = sizeof(control) };
		length = recvmsg(fd, &message, 0);
		if (length < 0)
			return;
		size = sizeof(local);
		getsockname(fd, &local.any, &size);
		destination(&message, &local);
		out.iov_len = identify(reply, &local, &peer);
		memcpy(reply + out.iov_len, text, length);
		out.iov_len += length;
		message.msg_iov = &out;
		sendmsg(fd, &message, 0);
	}
}

int main(int argc, char **argv)
{
	struct epoll_event events[64];
	int i, n, fd;

	if (argc < 3) {
		fprintf(stderr, "Usage: server NETNS PORT...\n");
		return 2;
	}
	enter(argv[1], "-");
	epoll = epoll_create1(0);
	for (i = 2; i < argc; i++) {
		serve("0.0.0.0", argv[i], SOCK_STREAM);
		serve("0.0.0.0", argv[i], SOCK_DGRAM);
		serve("::", argv[i], SOCK_STREAM);
		serve("::", argv[i], SOCK_DGRAM);
	}
	watch(0, INPUT);
	puts("ready");
	fflush(stdout);
	for (;;) {
		n = epoll_wait(epoll, events, 64, -1);
		for (i = 0; i < n; i++) {
			fd = (int)events[i].data.u64;
			switch ((enum kind)(events[i].data.u64 >> 32)) {
			case LISTENER:
				accept_all(fd);
				break;
			case STREAM:
				echo(fd);
				break;
			case DATAGRAMS:
				answer(fd);
				break;
			case INPUT:
				return 0;
			}
		}
	}
}

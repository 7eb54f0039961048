/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serves TCP and UDP over IPv4 on one port of every address of its network namespace, for proxies.c.
 *
 * proxies_server NETNS CPU PORT
 * Prints "ready", and ends with its standard input.
 */
#include "proxies.h"
#include <sys/epoll.h>

#define MAX_FDS 4096

static int epoll;
static char data[256 << 10];
/* Of the connection that has this fd; 0 until something has come. */
static char what[MAX_FDS];
static struct answer answers[MAX_FDS];

static void watch(int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		fail("watch", "a socket");
}

static int serve(const char *port, int type)
{
	union endpoint here;
	int fd, one = 1;

	if (!read_endpoint(&here, "0.0.0.0", port))
		fail("read", port);
	fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one)) < 0 ||
	    bind(fd, &here.any, sizeof(here.v4)) < 0)
		fail("bind", port);
	if (type == SOCK_STREAM && listen(fd, 4096) < 0)
		fail("listen on", port);
	watch(fd);
	return fd;
}

static void accept_all(int listener)
{
	struct sockaddr_in local, peer;
	socklen_t size;
	int fd;

	for (;;) {
		size = sizeof(peer);
		fd = accept4(listener, (struct sockaddr *)&peer, &size,
			     SOCK_NONBLOCK);
		if (fd < 0)
			return;
		errno = EMFILE;
		if (fd >= MAX_FDS)
			fail("keep", "a connection");
		getsockname(fd, (struct sockaddr *)&local, &size);
		send_at_once(fd);
		what[fd] = 0;
		answers[fd] = (struct answer){ local.sin_addr, peer.sin_addr };
		watch(fd);
	}
}

static void answer(int fd)
{
	/* A client that is gone shows itself when it is read next. */
	(void)!send(fd, &answers[fd], sizeof(answers[fd]), MSG_NOSIGNAL);
}

static void stream(int fd)
{
	ssize_t length = recv(fd, data, sizeof(data), 0);

	if (length < 0 && errno == EAGAIN)
		return;
	if (length > 0 && !what[fd])
		what[fd] = data[0];
	if (length > 0 && what[fd] == WANT_ANSWER_TO_ALL)
		return;
	if (length > 0 || (length == 0 && what[fd] == WANT_ANSWER_TO_ALL))
		answer(fd);
	if (length <= 0 || what[fd] == WANT_LAST_ANSWER)
		close(fd);
}

static void datagrams(int fd)
{
	struct iovec in = { data, sizeof(data) };
	struct sockaddr_in peer;
	struct in_pktinfo *info;
	struct answer answer;
	struct msghdr message;
	char control[128];

	for (;;) {
		message = (struct msghdr){ .msg_name = &peer,
					   .msg_namelen = sizeof(peer),
					   .msg_iov = &in,
					   .msg_iovlen = 1,
					   .msg_control = control,
					   .msg_controllen = sizeof(control) };
		if (recvmsg(fd, &message, 0) < 0)
			return;
		info = (struct in_pktinfo *)CMSG_DATA(CMSG_FIRSTHDR(&message));
		answer = (struct answer){ info->ipi_addr, peer.sin_addr };
		/* The same message makes the address it came to the answer's source. */
		info->ipi_spec_dst = info->ipi_addr;
		info->ipi_ifindex = 0;
		message.msg_iov = &(struct iovec){ &answer, sizeof(answer) };
		sendmsg(fd, &message, 0);
	}
}

int main(int argc, char **argv)
{
	int listener, socket, i, n;
	struct epoll_event events[64];

	if (argc != 4) {
		fprintf(stderr, "Usage: proxies_server NETNS CPU PORT\n");
		return 2;
	}
	enter(argv[1], "-");
	stay_on(atoi(argv[2]));
	epoll = epoll_create1(0);
	listener = serve(argv[3], SOCK_STREAM);
	socket = serve(argv[3], SOCK_DGRAM);
	watch(0);
	puts("ready");
	fflush(stdout);
	for (;;) {
		n = epoll_wait(epoll, events, 64, -1);
		for (i = 0; i < n; i++) {
			if (events[i].data.fd == 0)
				return 0;
			if (events[i].data.fd == listener)
				accept_all(listener);
			else if (events[i].data.fd == socket)
				datagrams(socket);
			else
				stream(events[i].data.fd);
		}
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Round trips over sockets that Balancing must leave alone; -1 and errno if they fail. */
#pragma once

#include "endpoint.h"
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <stddef.h>
#include <sys/un.h>

static int exchange_unix(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	socklen_t size = offsetof(struct sockaddr_un, sun_path) + 32;
	int listener = socket(AF_UNIX, SOCK_STREAM, 0),
	    client = socket(AF_UNIX, SOCK_STREAM, 0);
	char text[4];
	int server;

	snprintf(name.sun_path + 1, 31, "balancing-test-%d", getpid());
	if (bind(listener, (struct sockaddr *)&name, size) < 0 ||
	    listen(listener, 1) < 0 ||
	    connect(client, (struct sockaddr *)&name, size) < 0)
		return -1;
	server = accept(listener, NULL, NULL);
	if (send(client, "ping", 4, 0) != 4 || recv(server, text, 4, 0) != 4 ||
	    getpeername(client, (struct sockaddr *)&name, &size) < 0)
		return -1;
	close(server);
	close(client);
	return close(listener);
}

static int exchange_netlink(void)
{
	struct {
		struct nlmsghdr header;
		struct rtgenmsg message;
	} request = { .header = { .nlmsg_len = sizeof(request),
				  .nlmsg_type = RTM_GETLINK,
				  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		      .message = { .rtgen_family = AF_UNSPEC } };
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	char answer[16384];

	if (connect(fd, (struct sockaddr *)&kernel, sizeof(kernel)) < 0 ||
	    send(fd, &request, sizeof(request), 0) < 0 ||
	    recv(fd, answer, sizeof(answer), 0) <= 0)
		return -1;
	return close(fd);
}

/* A frame of our own over the loopback interface. */
static int exchange_packet(void)
{
	struct sockaddr_ll loopback = { .sll_family = AF_PACKET,
					.sll_protocol = htons(ETH_P_ALL),
					.sll_ifindex = 1 };
	char frame[ETH_HLEN + 46] = {}, text[sizeof(frame)];
	int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));

	frame[12] = 0x88;
	frame[13] = 0xb5; /* for local experiments (IEEE 802) */
	if (bind(fd, (struct sockaddr *)&loopback, sizeof(loopback)) < 0 ||
	    send(fd, frame, sizeof(frame), 0) < 0)
		return -1;
	do {
		if (recv(fd, text, sizeof(text), 0) < 0)
			return -1;
	} while (memcmp(text, frame, sizeof(frame)));
	return close(fd);
}

static int exchange(const char *family)
{
	if (!strcmp(family, "unix"))
		return exchange_unix();
	if (!strcmp(family, "netlink"))
		return exchange_netlink();
	if (!strcmp(family, "packet"))
		return exchange_packet();
	errno = EAFNOSUPPORT;
	return -1;
}

static unsigned short checksum(const unsigned short *words, int count)
{
	unsigned sum = 0;

	while (count--)
		sum += *words++;
	sum = (sum >> 16) + (sum & 0xffff);
	return ~(sum + (sum >> 16));
}

/* By a raw or ping socket; `from` is who answered. A raw IPv4 socket gets the IP header, too. */
static int ping(int fd, const union endpoint *to, union endpoint *from)
{
	bool v6 = to->any.sa_family == AF_INET6;
	union {
		struct icmphdr v4;
		struct icmp6_hdr v6;
		unsigned short words[4];
	} request = {};
	socklen_t size = sizeof(*from);
	char answer[512];
	unsigned char type;
	ssize_t length;

	if (v6) {
		request.v6.icmp6_type = ICMP6_ECHO_REQUEST;
	} else {
		request.v4.type = ICMP_ECHO;
		request.v4.checksum = checksum(request.words, 4);
	}
	if (sendto(fd, &request, sizeof(request), 0, &to->any,
		   endpoint_size(to)) < 0)
		return -1;
	for (;;) {
		length = recvfrom(fd, answer, sizeof(answer), 0, &from->any,
				  &size);
		if (length < 0)
			return -1;
		type = answer[0] == 0x45 ? answer[sizeof(struct iphdr)]
					 : answer[0];
		if (type == (v6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY))
			return 0;
	}
}

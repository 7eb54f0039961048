/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as text, and the place of a process: what client.c and server.c share. */
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ENDPOINT_TEXT (INET6_ADDRSTRLEN + 8)

union endpoint {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static inline void fail(const char *what, const char *which)
{
	fprintf(stderr, "Cannot %s %s: %s\n", what, which, strerror(errno));
	exit(1);
}

static inline socklen_t endpoint_size(const union endpoint *endpoint)
{
	return endpoint->any.sa_family == AF_INET6 ? sizeof(endpoint->v6)
						   : sizeof(endpoint->v4);
}

/* An address with a colon is a sockaddr_in6, whatever socket it is for. */
static inline bool read_endpoint(union endpoint *endpoint, const char *address,
				 const char *port)
{
	memset(endpoint, 0, sizeof(*endpoint));
	if (!address || !port)
		return false;
	if (strchr(address, ':')) {
		endpoint->v6.sin6_family = AF_INET6;
		endpoint->v6.sin6_port = htons(atoi(port));
		return inet_pton(AF_INET6, address, &endpoint->v6.sin6_addr) ==
		       1;
	}
	endpoint->v4.sin_family = AF_INET;
	endpoint->v4.sin_port = htons(atoi(port));
	return inet_pton(AF_INET, address, &endpoint->v4.sin_addr) == 1;
}

/* "ADDRESS PORT" */
static inline const char *endpoint_text(const union endpoint *endpoint,
					char *text)
{
	char address[INET6_ADDRSTRLEN] = "?";

	if (endpoint->any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &endpoint->v6.sin6_addr, address,
			  sizeof(address));
		sprintf(text, "%s %d", address, ntohs(endpoint->v6.sin6_port));
	} else {
		inet_ntop(AF_INET, &endpoint->v4.sin_addr, address,
			  sizeof(address));
		sprintf(text, "%s %d", address, ntohs(endpoint->v4.sin_port));
	}
	return text;
}

static inline void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fail("write", path);
	close(fd);
}

/* "-" stays where it is; a socket belongs to the cgroup and the namespace it is made in. */
static inline void enter(const char *netns, const char *cgroup)
{
	char path[512];
	int fd;

	if (strcmp(cgroup, "-")) {
		snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
		write_text(path, "0");
	}
	if (strcmp(netns, "-")) {
		snprintf(path, sizeof(path), "/run/netns/%s", netns);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
			fail("enter", path);
		close(fd);
	}
}

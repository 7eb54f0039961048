/* SPDX-License-Identifier: Apache-2.0 */
/* sock_diag(7): a netlink socket in any network namespace. */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "shim.h"

/* The kernel answers within the call; this is for a kernel that does not. */
#define PATIENCE_SECONDS 5

static int open_here(void)
{
	struct timeval patience = { .tv_sec = PATIENCE_SECONDS };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

/*
 * A socket stays in the namespace that its thread was in. The thread is back
 * before anything else can run on it: to be left in another namespace would be
 * worse than to end.
 */
static int open_in(int netns, int (*open_socket)(void))
{
	int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int fd;

	if (home < 0)
		return -errno;
	if (setns(netns, CLONE_NEWNET)) {
		fd = -errno;
	} else {
		fd = open_socket();
		if (setns(home, CLONE_NEWNET))
			abort();
	}
	close(home);
	return fd;
}

int open_in_netns(const char *path, int (*open_socket)(void))
{
	int netns, fd;

	if (!*path)
		return open_socket();
	netns = open(path, O_RDONLY | O_CLOEXEC);
	if (netns < 0)
		return -errno;
	fd = open_in(netns, open_socket);
	close(netns);
	return fd;
}

/* An empty path: the namespace of this thread. */
EXPORT int bffi_diag_open(const char *path)
{
	return open_in_netns(path, open_here);
}

EXPORT int bffi_diag_send(int fd, const void *request, __u32 length)
{
	return send(fd, request, length, 0) < 0 ? -errno : 0;
}

/* One datagram of whole messages; more than there is room for is ENOSPC. */
EXPORT int bffi_diag_receive(int fd, void *out, __u32 capacity)
{
	ssize_t length;

	do
		length = recv(fd, out, capacity, MSG_TRUNC);
	while (length < 0 && errno == EINTR);
	if (length < 0)
		return -errno;
	return length > capacity ? -ENOSPC : length;
}

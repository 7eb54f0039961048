/* SPDX-License-Identifier: Apache-2.0 */
/* The few calls of libc that a privileged daemon needs and node: modules do not have. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim.h"

EXPORT int bffi_mount(const char *source, const char *target, const char *type,
		      __u64 flags, const char *data)
{
	return mount(source, target, type, flags, data) ? -errno : 0;
}

EXPORT int bffi_umount(const char *target, __u32 flags)
{
	return umount2(target, flags) ? -errno : 0;
}

EXPORT int bffi_flock(int fd, __u32 operation)
{
	return flock(fd, operation) ? -errno : 0;
}

EXPORT int bffi_statfs_type(const char *path, __u32 *type)
{
	struct statfs facts;

	if (statfs(path, &facts))
		return -errno;
	*type = facts.f_type;
	return 0;
}

/* Linux 5.14; older headers lack it, the number is the same on x86-64 and arm64 */
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

static int open_unix(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

/* Of a network namespace; an empty path: the calling thread's. */
EXPORT int bffi_netns_cookie(__u64 *cookie, const char *path)
{
	int fd = open_in_netns(path, open_unix);
	socklen_t size = sizeof(*cookie);
	int error;

	if (fd < 0)
		return fd;
	error = getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, cookie, &size)
			? -errno
			: 0;
	close(fd);
	return error;
}

/* connect(2) of a datagram socket: routes and runs cgroup hooks, sends nothing. Returns the errno. */
static int udp_connect(const void *ip, __u32 ip_size, __u32 port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET,
				  .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
				   .sin6_port = htons(port) };
	int is_v4 = ip_size == sizeof(v4.sin_addr);
	int fd, error;

	memcpy(is_v4 ? (void *)&v4.sin_addr : (void *)&v6.sin6_addr, ip,
	       is_v4 ? sizeof(v4.sin_addr) : sizeof(v6.sin6_addr));
	fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno;
	error = connect(fd, is_v4 ? (void *)&v4 : (void *)&v6,
			is_v4 ? sizeof(v4) : sizeof(v6));
	error = error ? errno : 0;
	close(fd);
	return error;
}

/* struct clone_args up to and with cgroup; headers before 5.7 lack it */
struct clone_request {
	__aligned_u64 flags, pidfd, child_tid, parent_tid, exit_signal;
	__aligned_u64 stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

#define NR_CLONE3 435
#define INTO_CGROUP (1ULL << 33)

/*
 * A child that is born in the cgroup connects: moving a thread there would
 * move the whole process. The child calls the kernel only. Without an exit
 * signal nobody else in the process learns of it.
 */
static int udp_connect_in(int cgroup, const void *ip, __u32 ip_size, __u32 port)
{
	struct clone_request request = { .flags = INTO_CGROUP,
					 .cgroup = cgroup };
	sigset_t all, old;
	int status, error;
	long child;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	child = syscall(NR_CLONE3, &request, sizeof(request));
	if (child == 0)
		_exit(udp_connect(ip, ip_size, port));
	error = errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (child < 0)
		return -error;
	while (waitpid(child, &status, __WALL) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}

/* The errno of the connect as a positive number; negative if it could not be tried. cgroup < 0: here. */
EXPORT int bffi_udp_connect(const void *ip, __u32 ip_size, __u32 port,
			    int cgroup)
{
	if (cgroup >= 0)
		return udp_connect_in(cgroup, ip, ip_size, port);
	return udp_connect(ip, ip_size, port);
}

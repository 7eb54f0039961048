/* SPDX-License-Identifier: Apache-2.0 */
/* The few calls of libc that a privileged daemon needs and node: modules do not have. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/statfs.h>
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

/* connect(2) of a datagram socket: routes and runs cgroup hooks, sends nothing. */
EXPORT int bffi_udp_connect(const void *ip, __u32 ip_size, __u32 port)
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
		return -errno;
	error = connect(fd, is_v4 ? (void *)&v4 : (void *)&v6,
			is_v4 ? sizeof(v4) : sizeof(v6));
	error = error ? -errno : 0;
	close(fd);
	return error;
}

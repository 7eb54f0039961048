/* SPDX-License-Identifier: Apache-2.0 */
/* Many sockets at once, which nobody uses: they are opened, looked at and closed together. */
#pragma once

#include "endpoint.h"
#include <sys/resource.h>

#define MAX_CROWD 200000

static int crowd[MAX_CROWD];
static int n_crowd;

/* Adds COUNT connected sockets. */
static int gather(int type, int count, const union endpoint *to)
{
	struct rlimit files = { MAX_CROWD + 1000, MAX_CROWD + 1000 };
	int fd;

	setrlimit(RLIMIT_NOFILE, &files);
	for (; count > 0 && n_crowd < MAX_CROWD; count--) {
		fd = socket(to->any.sa_family, type, 0);
		if (fd < 0)
			return -1;
		if (connect(fd, &to->any, endpoint_size(to)) < 0) {
			close(fd);
			return -1;
		}
		crowd[n_crowd++] = fd;
	}
	return 0;
}

/* How many have been closed under us; asking takes the error away. */
static int count_aborted(void)
{
	int i, error, aborted = 0;
	socklen_t size;

	for (i = 0; i < n_crowd; i++) {
		error = 0;
		size = sizeof(error);
		if (getsockopt(crowd[i], SOL_SOCKET, SO_ERROR, &error, &size) ==
			    0 &&
		    error == ECONNABORTED)
			aborted++;
	}
	return aborted;
}

static void scatter(void)
{
	while (n_crowd > 0)
		close(crowd[--n_crowd]);
}

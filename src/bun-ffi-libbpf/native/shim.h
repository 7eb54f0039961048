/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the shim share. */
#pragma once

#include <linux/types.h>

/*
 * Every exported function returns -errno, or a result that is zero or more.
 * Buffers come with their length; handles are addresses in 64 bits.
 */
#define EXPORT __attribute__((visibility("default")))

static inline void *from_handle(__u64 handle)
{
	return (void *)(unsigned long)handle;
}

static inline __u64 to_handle(const void *pointer)
{
	return (unsigned long)pointer;
}

/*
 * What `open_socket` gives, a file descriptor or -errno, called in the network
 * namespace of a file; an empty path is that of this thread.
 */
int open_in_netns(const char *path, int (*open_socket)(void));

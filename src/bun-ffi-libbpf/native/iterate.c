/* SPDX-License-Identifier: Apache-2.0 */
/* Iterators: programs that the kernel runs once for each object of a kind. */
#include <errno.h>
#include <unistd.h>

#include "bpf.h"
#include "shim.h"

/* map < 0: an iterator that is not about one map. */
EXPORT int bffi_iterator_attach(int program, int map)
{
	union bpf_iter_link_info about = { .map.map_fd = map };
	LIBBPF_OPTS(bpf_link_create_opts, opts, .iter_info = &about,
		    .iter_info_len = sizeof(about));

	return bpf_link_create(program, 0, BPF_TRACE_ITER,
			       map < 0 ? NULL : &opts);
}

EXPORT int bffi_iterator_create(int link)
{
	return bpf_iter_create(link);
}

/*
 * What the program wrote next; 0 at the end. A program that writes nothing
 * makes the kernel stop after a million objects with EAGAIN, to go on.
 */
EXPORT int bffi_iterator_read(int fd, void *out, __u32 capacity)
{
	ssize_t length;

	do
		length = read(fd, out, capacity);
	while (length < 0 && (errno == EAGAIN || errno == EINTR));
	return length < 0 ? -errno : length;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring buffer's reader. JavaScript can neither wait for the ring's file
 * descriptor nor order its loads, so a thread waits and signals an eventfd,
 * and drain() copies committed records out.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bpf.h"
#include "shim.h"

/* glibc 2.34 gave them a new version when it merged libpthread; the old one is everywhere. */
#if defined(__x86_64__)
__asm__(".symver pthread_create, pthread_create@GLIBC_2.2.5");
__asm__(".symver pthread_join, pthread_join@GLIBC_2.2.5");
#elif defined(__aarch64__)
__asm__(".symver pthread_create, pthread_create@GLIBC_2.17");
__asm__(".symver pthread_join, pthread_join@GLIBC_2.17");
#endif

struct ring {
	unsigned long *consumer;
	unsigned long *producer;
	char *data;
	unsigned long size;
	unsigned long page;
	int epoll_fd;
	int stop_fd;
	int event_fd;
	int gather_ms;
	pthread_t thread;
};

static void *watch(void *context)
{
	struct ring *ring = context;
	struct pollfd stop = { .fd = ring->stop_fd, .events = POLLIN };
	struct epoll_event event;
	__u64 one = 1;

	for (;;) {
		int count = epoll_wait(ring->epoll_fd, &event, 1, -1);

		if (count < 0 && errno == EINTR)
			continue;
		/* Let a burst gather, so that one wake-up serves it. */
		if (count < 0 || event.data.fd == ring->stop_fd ||
		    poll(&stop, 1, ring->gather_ms) > 0)
			return NULL;
		if (write(ring->event_fd, &one, sizeof(one)) < 0 &&
		    errno != EAGAIN)
			return NULL;
	}
}

static int add(struct ring *ring, int fd, __u32 events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	return epoll_ctl(ring->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

/*
 * Edge-triggered: the kernel signals once when a record is committed at the
 * consumer's position, and the reader always drains up to the producer. A
 * record that is reserved but not committed would keep a level alight.
 */
static int start_thread(struct ring *ring, int map_fd)
{
	sigset_t all, old;
	int error;

	ring->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	ring->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ring->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ring->epoll_fd < 0 || ring->stop_fd < 0 || ring->event_fd < 0)
		return -errno;
	if (add(ring, ring->stop_fd, EPOLLIN) ||
	    add(ring, map_fd, EPOLLIN | EPOLLET))
		return -errno;
	/* The process's signals belong to its own threads. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&ring->thread, NULL, watch, ring);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return -error;
}

static int map_pages(struct ring *ring, int map_fd)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);
	int error = bpf_obj_get_info_by_fd(map_fd, &info, &size);
	void *pages;

	if (error)
		return error;
	if (info.type != BPF_MAP_TYPE_RINGBUF)
		return -EINVAL;
	ring->page = sysconf(_SC_PAGESIZE);
	ring->size = info.max_entries;
	pages = mmap(NULL, ring->page, PROT_READ | PROT_WRITE, MAP_SHARED,
		     map_fd, 0);
	if (pages == MAP_FAILED)
		return -errno;
	ring->consumer = pages;
	/* The kernel maps the data twice in a row: no record is ever split. */
	pages = mmap(NULL, ring->page + 2 * ring->size, PROT_READ, MAP_SHARED,
		     map_fd, ring->page);
	if (pages == MAP_FAILED)
		return -errno;
	ring->producer = pages;
	ring->data = (char *)pages + ring->page;
	return 0;
}

static void release(struct ring *ring)
{
	if (ring->producer)
		munmap(ring->producer, ring->page + 2 * ring->size);
	if (ring->consumer)
		munmap(ring->consumer, ring->page);
	if (ring->epoll_fd >= 0)
		close(ring->epoll_fd);
	if (ring->stop_fd >= 0)
		close(ring->stop_fd);
	if (ring->event_fd >= 0)
		close(ring->event_fd);
	free(ring);
}

EXPORT int bffi_ring_open(int map_fd, __u32 gather_ms, __u64 *out)
{
	struct ring *ring = calloc(1, sizeof(*ring));
	int error;

	if (!ring)
		return -ENOMEM;
	ring->epoll_fd = ring->stop_fd = ring->event_fd = -1;
	ring->gather_ms = gather_ms;
	error = map_pages(ring, map_fd);
	if (!error)
		error = start_thread(ring, map_fd);
	if (error) {
		release(ring);
		return error;
	}
	*out = to_handle(ring);
	return ring->event_fd;
}

/* Copies what is committed and not discarded; moves *position over it. */
static __u32 copy_records(const struct ring *ring, unsigned long *position,
			  char *out, __u32 capacity, __u32 *needed)
{
	unsigned long end = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
	__u32 used = 0;

	while (*position < end) {
		const char *record =
			ring->data + (*position & (ring->size - 1));
		__u32 header = __atomic_load_n((const __u32 *)record,
					       __ATOMIC_ACQUIRE);
		__u32 length = header & ~(BPF_RINGBUF_BUSY_BIT |
					  BPF_RINGBUF_DISCARD_BIT);
		__u32 room = (length + BPF_RINGBUF_HDR_SZ + 7) & ~7U;

		if (header & BPF_RINGBUF_BUSY_BIT)
			break;
		if (!(header & BPF_RINGBUF_DISCARD_BIT)) {
			if (room > capacity - used) {
				*needed = room;
				break;
			}
			memcpy(out + used, record, room);
			used += room;
		}
		*position += room;
	}
	return used;
}

/*
 * Copies committed records as the kernel lays them out: length, 4 bytes,
 * data, padded to 8. Returns how many bytes; 0: nothing is left, and the next
 * commit will signal. -ENOSPC: the first record needs *needed bytes.
 */
EXPORT int bffi_ring_drain(__u64 handle, char *out, __u32 capacity,
			   __u32 *needed)
{
	struct ring *ring = from_handle(handle);
	unsigned long position = *ring->consumer, start;
	__u32 used;

	*needed = 0;
	do {
		start = position;
		/*
		 * Orders the last store of `consumer` before the loads that follow,
		 * as the kernel orders its commit before its load of `consumer`:
		 * either we see the record or it sees that we want a signal.
		 */
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		used = copy_records(ring, &position, out, capacity, needed);
		__atomic_store_n(ring->consumer, position, __ATOMIC_RELEASE);
	} while (!used && position != start);
	return used || !*needed ? (int)used : -ENOSPC;
}

EXPORT int bffi_ring_close(__u64 handle)
{
	struct ring *ring = from_handle(handle);
	__u64 one = 1;

	if (write(ring->stop_fd, &one, sizeof(one)) < 0)
		return -errno;
	pthread_join(ring->thread, NULL);
	release(ring);
	return 0;
}

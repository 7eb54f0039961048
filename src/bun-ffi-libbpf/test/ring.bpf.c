/* SPDX-License-Identifier: Apache-2.0 */
/* A generator of numbered records: whole ones, discarded ones, and of several lengths. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} ring SEC(".maps");

/* Filled in by the caller; `next` and `lost` come back. */
struct request {
	__u64 next;
	__u32 count;
	__u32 lost;
};

struct record {
	__u64 number;
	__u64 body[6];
};

static __always_inline int send(struct request *request, __u64 number)
{
	struct record *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);

	if (!record)
		return 0;
	record->number = number;
	record->body[0] = ~number;
	/* Every seventh is thrown away before it is sent again. */
	if (number % 7 == 0)
		bpf_ringbuf_discard(record, 0);
	else
		bpf_ringbuf_submit(record, 0);
	return 1;
}

SEC("syscall")
int generate(struct request *request)
{
	__u32 index;

	for (index = 0; index < request->count && index < 1024; index++) {
		if (send(request, request->next))
			request->next++;
		else
			request->lost++;
	}
	return 0;
}

/* One record of `next` bytes, at most 256 KiB. */
static char filler[256 * 1024];

SEC("syscall")
int generate_long(struct request *request)
{
	__u64 length = request->next;

	if (length < 8 || length > sizeof(filler))
		return 1;
	filler[0] = 'a';
	return bpf_ringbuf_output(&ring, filler, length, 0) ? 2 : 0;
}

char license_text[] SEC("license") = "Apache-2.0";

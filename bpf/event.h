/* SPDX-License-Identifier: Apache-2.0 */
/* Resolution events: rate-limited here, so that a flood costs next to nothing. */
#pragma once

#include "maps.h"
#include "settings.h"

/* Unspent credit is kept for at most this long. */
#define EVENT_BURST_NS 1000000000LL

/*
 * A token bucket in one word. Without a lock: of two programs that read the same
 * word one update is lost, and one event more comes through. A lock would cost
 * every connection more than the event itself.
 */
static __always_inline bool within_rate(__u64 now)
{
	struct event_budget *budget;
	__u32 key = 0;
	__s64 credit;

	if (!event_interval)
		return true;
	budget = bpf_map_lookup_elem(&event_budgets, &key);
	if (!budget)
		return true;
	/* May be below zero: processors differ by some nanoseconds about now. */
	credit = now - budget->spent;
	if (credit > EVENT_BURST_NS)
		credit = EVENT_BURST_NS;
	if (credit < (__s64)event_interval) {
		count_fault(FAULT_EVENT_RATE);
		return false;
	}
	budget->spent = now - credit + event_interval;
	return true;
}

static __always_inline void emit(struct bpf_sock_addr *ctx,
				 const struct frontend *frontend,
				 const struct flow *flow,
				 enum event_result result, bool limited)
{
	__u64 now, pid_tgid;
	struct event *event;

	if (events_mode == EVENTS_OFF ||
	    (events_mode == EVENTS_FAILURES && result == EVENT_RESOLVED))
		return;
	now = bpf_ktime_get_boot_ns();
	if (!within_rate(now))
		return;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count_fault(FAULT_EVENT_FULL);
		return;
	}
	__builtin_memset(event, 0, sizeof(*event));
	event->time = now;
	event->cgroup_id = bpf_get_current_cgroup_id();
	event->netns_cookie = bpf_get_netns_cookie(ctx);
	event->uid = bpf_get_current_uid_gid();
	if (can_get_pid) {
		pid_tgid = bpf_get_current_pid_tgid();
		event->pid = pid_tgid >> 32;
		event->tid = pid_tgid;
	}
	if (can_get_comm)
		bpf_get_current_comm(event->comm, sizeof(event->comm));
	event->frontend_id = flow->frontend_id;
	event->frontend_address = flow->frontend_address;
	event->frontend_port = flow->frontend_port;
	event->backend_id = flow->backend_id;
	event->backend_address = flow->backend_address;
	event->backend_port = flow->backend_port;
	event->protocol = frontend->key.protocol;
	event->result = result;
	event->mode =
		frontend->flags >> FRONTEND_MODE_SHIFT & FRONTEND_MODE_MASK;
	event->redirect_hit_limit = limited;
	bpf_ringbuf_submit(event, 0);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's own way to its hub: past frontends that may have cut it off. */
#pragma once

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

#include "settings.h"
#include "types.h"

/* Of these programs only, not pinned: the next agent's begin with nobody. */
volatile struct own_way own_way SEC(".data.own_way");
struct own_trace own_trace;

/* Who is not asked for pays one load; the clock is read for the agent alone. */
static __always_inline bool goes_own_way(const struct frontend_key *key)
{
	if (!can_get_pid || !own_way.tgid ||
	    own_way.tgid != bpf_get_current_pid_tgid() >> 32 ||
	    own_way.until <= bpf_ktime_get_ns())
		return false;
	own_trace.key = *key;
	__sync_fetch_and_add(&own_trace.passed, 1);
	return true;
}

/* Somebody is refused: the agent may want to know whom the kernel takes it for. */
static __always_inline void leave_trace(void)
{
	if (!can_get_pid || !own_way.asking)
		return;
	own_trace.time = bpf_ktime_get_ns();
	own_trace.tgid = bpf_get_current_pid_tgid() >> 32;
}

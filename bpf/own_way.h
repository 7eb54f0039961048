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

/* Somebody meets a frontend. Most of the time nobody is asked for, and all pay one load. */
static __always_inline bool goes_own_way(const struct frontend_key *key)
{
	if (!can_get_pid || !own_way.tgid ||
	    own_way.tgid != bpf_get_current_pid_tgid() >> 32)
		return false;
	own_trace.key = *key;
	__sync_fetch_and_add(&own_trace.met, 1);
	return own_way.until > bpf_ktime_get_ns();
}

/* Somebody is refused: the agent may want to know whom the kernel takes it for. */
static __always_inline void leave_trace(const struct frontend_key *key)
{
	if (!can_get_pid || !own_way.asking ||
	    own_way.asking != key->address.word[3])
		return;
	own_trace.time = bpf_ktime_get_ns();
	own_trace.tgid = bpf_get_current_pid_tgid() >> 32;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent fixes before it loads the programs: constants to the verifier. */
#pragma once

#include <stdbool.h>

#include "types.h"

/* The kernel has bpf_set_retval (5.18). */
const volatile bool can_set_retval = true;
/* The kernel has these two helpers for sock_addr programs. */
const volatile bool can_get_pid = true;
const volatile bool can_get_comm = true;
/*
 * The cookie of the host's network namespace; 0 if the agent cannot tell (before
 * 5.14): then the initial one stands for it.
 */
const volatile __u64 host_netns = 0;
/* enum events_mode. */
const volatile __u32 events_mode = EVENTS_OFF;
/* Nanoseconds between two events at the allowed rate; 0 is no limit. */
const volatile __u64 event_interval = 1000000;

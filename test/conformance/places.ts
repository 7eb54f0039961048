// Who tries: clients on the node that a row is about, and on both nodes that have an agent.

import type { HostName } from "./network.ts";

/** On node-1: the host itself, and a pod. */
export const LOCAL: readonly HostName[] = ["node-1", "a1"];
/** The same on node-2. */
export const REMOTE: readonly HostName[] = ["node-2", "a2"];
/** A machine outside the cluster, with an agent of its own. */
export const OUTSIDE: readonly HostName[] = ["out-1"];
export const EVERYWHERE: readonly HostName[] = [...LOCAL, ...REMOTE];

// What a frontend is besides its backends, as the flags that programs read.

import { createHash } from "node:crypto";
import type { ClientIdentity } from "../model/cluster.ts";
import type { Frontend, FrontendMode } from "../plan/plan_types.ts";
import { ENUMS, FRONTEND_FLAGS, FRONTEND_NUMBERS } from "./layout.ts";

/** The flags of a frontend, read. */
export interface Traits {
	readonly mode: FrontendMode;
	/** TCP sockets remember the frontend. */
	readonly keepsPeer: boolean;
	/** Who is one client, if the frontend has session affinity. */
	readonly client: ClientIdentity;
	readonly ownNodeOnly: boolean;
	/** Whose sockets are closed when their backend is gone. */
	readonly closeOnRemove: "udp" | "all" | "none";
}

const MODES: Readonly<Record<FrontendMode, number>> = {
	ServiceClusterIP: ENUMS.frontend_mode.MODE_CLUSTER_IP,
	ServiceNodeport: ENUMS.frontend_mode.MODE_NODE_PORT,
	ServiceLoadbalancer: ENUMS.frontend_mode.MODE_LOAD_BALANCER,
	ServiceExternalIP: ENUMS.frontend_mode.MODE_EXTERNAL_IP,
	Canary: ENUMS.frontend_mode.MODE_CANARY,
	localRedirectService: ENUMS.frontend_mode.MODE_REDIRECT_SERVICE,
	localRedirectAddress: ENUMS.frontend_mode.MODE_REDIRECT_ADDRESS,
	balancingPod: ENUMS.frontend_mode.MODE_BALANCING_POD,
	balancingHostPort: ENUMS.frontend_mode.MODE_BALANCING_HOST_PORT,
	balancingNodeProxy: ENUMS.frontend_mode.MODE_BALANCING_NODE_PROXY,
	balancingAddress: ENUMS.frontend_mode.MODE_BALANCING_ADDRESS,
};
const MODE_NAMES: readonly FrontendMode[] = [
	"ServiceClusterIP",
	"ServiceNodeport",
	"ServiceLoadbalancer",
	"ServiceExternalIP",
	"Canary",
	"localRedirectService",
	"localRedirectAddress",
	"balancingPod",
	"balancingHostPort",
	"balancingNodeProxy",
	"balancingAddress",
];

const CLIENTS: Readonly<Record<ClientIdentity, number>> = {
	netns: ENUMS.client_identity.CLIENT_NETNS,
	cgroup: ENUMS.client_identity.CLIENT_CGROUP,
	uid: ENUMS.client_identity.CLIENT_UID,
	process: ENUMS.client_identity.CLIENT_PROCESS,
};
const CLIENT_NAMES: readonly ClientIdentity[] = ["netns", "cgroup", "uid", "process"];

/** Bytes of a hash that stand for a group. */
const GROUP_SIZE = 8;

/** FRONTEND_* of bpf/types.h. A frontend whose TCP sockets are to be closed keeps their peers: by that they are found. */
export function flagsOf(frontend: Frontend): number {
	const { closeOnRemove, affinity } = frontend;
	return (
		(frontend.keepsPeer || closeOnRemove === "all" ? FRONTEND_FLAGS.KEEPS_PEER : 0) |
		(frontend.ownNodeOnly ? FRONTEND_FLAGS.OWN_NODE_ONLY : 0) |
		(affinity === undefined ? 0 : CLIENTS[affinity.client] << FRONTEND_NUMBERS.CLIENT_SHIFT) |
		(closeOnRemove === "all" ? FRONTEND_FLAGS.CLOSES_TCP : 0) |
		(closeOnRemove === "none" ? FRONTEND_FLAGS.KEEPS_UDP : 0) |
		(MODES[frontend.mode] << FRONTEND_NUMBERS.MODE_SHIFT)
	);
}

/** Total: a mode that is not known reads as the first one. */
export function traitsOf(flags: number): Traits {
	return {
		mode: modeOf((flags >>> FRONTEND_NUMBERS.MODE_SHIFT) & FRONTEND_NUMBERS.MODE_MASK),
		keepsPeer: (flags & FRONTEND_FLAGS.KEEPS_PEER) !== 0,
		client: clientOf((flags >>> FRONTEND_NUMBERS.CLIENT_SHIFT) & FRONTEND_NUMBERS.CLIENT_MASK),
		ownNodeOnly: (flags & FRONTEND_FLAGS.OWN_NODE_ONLY) !== 0,
		closeOnRemove: closeOnRemoveOf(flags),
	};
}

/** enum frontend_mode by its name; what is not known reads as the first one. */
export function modeOf(number: number): FrontendMode {
	return MODE_NAMES[number] ?? "ServiceClusterIP";
}

/** enum client_identity by its name; what is not known reads as the first one. */
export function clientOf(number: number): ClientIdentity {
	return CLIENT_NAMES[number] ?? "netns";
}

/** What stands for a group of clients in the kernel: 16 hexadecimal digits of its hash, never all of them zero. */
export function groupOf(text: string): string {
	const digits = createHash("sha256")
		.update(text)
		.digest("hex")
		.slice(0, 2 * GROUP_SIZE);
	// Zeros mean no group at all.
	return /^0+$/.test(digits) ? "1".padStart(2 * GROUP_SIZE, "0") : digits;
}

function closeOnRemoveOf(flags: number): Traits["closeOnRemove"] {
	if ((flags & FRONTEND_FLAGS.CLOSES_TCP) !== 0) return "all";
	return (flags & FRONTEND_FLAGS.KEEPS_UDP) === 0 ? "udp" : "none";
}

// What a plan wants, in the words of program_view.ts: worked out without src/datapath.

import type { Frontend, KnownAddress } from "../../src/plan/plan_types.ts";

const MODES = [
	...["ServiceClusterIP", "ServiceNodeport", "ServiceLoadbalancer", "ServiceExternalIP", "Canary"],
	...["localRedirectService", "localRedirectAddress"],
	...["balancingPod", "balancingHostPort", "balancingNodeProxy", "balancingAddress"],
];
const CLIENTS = ["netns", "cgroup", "uid", "process"];

/**
 * Flags (mode, keeps UDP, closes TCP, client identity, own node only, keeps peer), group and seconds, guard and limit, as bpf/types.h
 * has them.
 */
export function wantedTraits({ mode, keepsPeer, ownNodeOnly, closeOnRemove, affinity, redirect }: Frontend): string {
	const bit = (is: boolean) => (is ? "1" : "0");
	const client = CLIENTS.indexOf(affinity?.client ?? "netns")
		.toString(2)
		.padStart(2, "0");
	const close = `${bit(closeOnRemove === "none")}${bit(closeOnRemove === "all")}`;
	const flags = [
		`${MODES.indexOf(mode).toString(2)}00`,
		`${close}${client}${bit(ownNodeOnly === true)}${bit(keepsPeer || closeOnRemove === "all")}`,
	];
	const number = Number.parseInt(flags.join(""), 2);
	const clients = `${hashOf(affinity?.group)} ${affinity?.seconds ?? 0}`;
	return `${number.toString(2)} ${clients} ${hashOf(redirect?.guard)} ${redirect?.limit ?? 0}`;
}

/** Of a group's name: eight bytes in hexadecimal digits, without zeros before them. */
export function hashOf(group: string | undefined): string {
	if (group === undefined) return "0";
	return new Bun.CryptoHasher("sha256").update(group).digest().readBigUint64BE(0).toString(16);
}

/** As Memory.addresses has it. */
export function wantedKnown(known: KnownAddress): string {
	return known.kind === "clusterIp" ? "cluster-ip" : `${known.scope} node at ${known.nodePorts}`;
}

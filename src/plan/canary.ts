// The frontend that proves the datapath: nothing answers there, so that a refusal can only come from our programs.

import type { L4Address } from "../model/address.ts";
import { type Ip, l4Address, l4Parts, parseIp, parsePort } from "../model/address.ts";
import type { Chunk, Frontend } from "./plan_types.ts";

/**
 * The chunk's key in a plan. No object of a user is called so: they all are `namespace/name`, and there may well be a
 * Service `balancing/canary`.
 */
export const CANARY_OBJECT = "canary";

/** The IPv4 dummy address (RFC 7600): never on a wire. */
export const CANARY_IPV4 = canaryAddress("192.0.0.8");
/** In the discard-only prefix 100::/64 (RFC 6666). */
export const CANARY_IPV6 = canaryAddress("100::ba1a");

/** Part of every plan. */
export const CANARY: Chunk = {
	object: CANARY_OBJECT,
	frontends: [canaryFrontend(CANARY_IPV4), canaryFrontend(CANARY_IPV6)],
};

/** Whether it is one of the two addresses, whatever the port. */
export function isCanaryIp(ip: Ip): boolean {
	return [CANARY_IPV4, CANARY_IPV6].some((address) => l4Parts(address).ip === ip);
}

function canaryFrontend(address: L4Address): Frontend {
	return { address, name: "balancing/canary", mode: "Canary", active: [], terminating: [], keepsPeer: true };
}

function canaryAddress(text: string): L4Address {
	const ip = parseIp(text);
	const port = parsePort(5810);
	if (ip === undefined || port === undefined) throw new Error(`Cannot use ${text} as the canary's address`);
	return l4Address(ip, port, "UDP");
}

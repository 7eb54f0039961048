// Elements of `addresses` from and to what they mean.

import { Buffer } from "node:buffer";
import { assertNever } from "../lib/assert_never.ts";
import type { Ip } from "../model/address.ts";
import { ipBytes, ipFromBytes } from "../model/address.ts";
import type { KnownAddress, NodeScope } from "../plan/plan_types.ts";
import { ADDRESS_FLAGS, offsetOf, sizeOf } from "./layout.ts";

const KEY_SIZE = sizeOf("address");
const SIZE = sizeOf("known_address");
const NODE_PORTS = offsetOf("known_address", "node_ports");
const FLAGS = offsetOf("known_address", "flags");

const SCOPES: Readonly<Record<NodeScope, number>> = {
	own: ADDRESS_FLAGS.OWN_NODE,
	remote: ADDRESS_FLAGS.REMOTE_NODE,
	host: ADDRESS_FLAGS.OWN_NODE | ADDRESS_FLAGS.HOST_NETNS,
};

export function encodeAddressKey(ip: Ip): string {
	return Buffer.from(ipBytes(ip)).toString("latin1");
}

/** Throws RangeError for bytes of another length. */
export function decodeAddressKey(bytes: string): Ip {
	return ipFromBytes(Buffer.from(bytes, "latin1"));
}

/** The key in `addresses` of the address in a key of `frontends`, which begins with it. */
export function addressKeyOf(frontendKey: string): string {
	return frontendKey.slice(0, KEY_SIZE);
}

/** `key` is the element's own key: it stands first in the value, too. */
export function encodeKnownAddress(key: string, known: KnownAddress): string {
	const bytes = Buffer.alloc(SIZE);
	bytes.write(key, 0, "latin1");
	if (known.kind === "node") bytes.set(ipBytes(known.nodePorts), NODE_PORTS);
	bytes.writeUInt32LE(flagsOf(known), FLAGS);
	return bytes.toString("latin1");
}

/** As programs read it, which look at the flags one after the other. */
export function decodeKnownAddress(bytes: string): KnownAddress {
	const view = Buffer.from(bytes, "latin1");
	const flags = view.readUInt32LE(FLAGS);
	if ((flags & ADDRESS_FLAGS.CLUSTER_IP) !== 0) return { kind: "clusterIp" };
	return {
		kind: "node",
		nodePorts: ipFromBytes(view.subarray(NODE_PORTS, NODE_PORTS + KEY_SIZE)),
		scope: scopeOf(flags),
	};
}

function flagsOf(known: KnownAddress): number {
	switch (known.kind) {
		case "clusterIp":
			return ADDRESS_FLAGS.CLUSTER_IP;
		case "node":
			return SCOPES[known.scope];
		default:
			return assertNever(known);
	}
}

function scopeOf(flags: number): NodeScope {
	if ((flags & ADDRESS_FLAGS.HOST_NETNS) !== 0) return "host";
	return (flags & ADDRESS_FLAGS.REMOTE_NODE) === 0 ? "own" : "remote";
}

// Keeps the wanted bytes of `addresses` up to date with what a plan knows of addresses.

import type { Ip } from "../model/address.ts";
import type { KnownAddress } from "../plan/plan_types.ts";
import { encodeAddressKey, encodeKnownAddress } from "./address_codec.ts";
import type { Wanted } from "./contents.ts";

type Known = ReadonlyMap<Ip, KnownAddress>;

export interface AddressTable {
	/**
	 * `incomplete`: addresses some of whose frontends there is no room for. They are left alone: where we cannot serve a port
	 * that a Service has, somebody else may.
	 */
	update(addresses: Known, incomplete: ReadonlySet<Ip>): void;
}

export function createAddressTable(wanted: Wanted): AddressTable {
	let before: Known = new Map();
	let left: ReadonlySet<Ip> = new Set();

	function want(ip: Ip, known: KnownAddress | undefined, isIncomplete: boolean): void {
		const key = encodeAddressKey(ip);
		if (known === undefined || (known.kind === "clusterIp" && isIncomplete)) wanted.delete("addresses", key);
		else wanted.put("addresses", key, encodeKnownAddress(key, known));
	}

	return {
		update(addresses, incomplete) {
			const changed = new Set([...changedKeys(before, addresses), ...left, ...incomplete]);
			for (const ip of changed) want(ip, addresses.get(ip), incomplete.has(ip));
			before = addresses;
			left = incomplete;
		},
	};
}

function changedKeys(before: Known, after: Known): readonly Ip[] {
	if (before === after) return [];
	const gone = [...before.keys()].filter((ip) => !after.has(ip));
	return [...gone, ...[...after.keys()].filter((ip) => before.get(ip) !== after.get(ip))];
}

// Keeps the wanted bytes of `addresses` up to date with what a plan knows of addresses.

import { keysBetween } from "../lib/layered_map.ts";
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
	/** How many there is no room for. */
	unplaced(): number;
}

/** `capacity`: how many there is room for. */
export function createAddressTable(wanted: Wanted, capacity: number): AddressTable {
	let before: Known = new Map();
	let left: ReadonlySet<Ip> = new Set();
	const unplaced = new Set<Ip>();

	function want(ip: Ip, known: KnownAddress): void {
		const key = encodeAddressKey(ip);
		const { addresses } = wanted.contents;
		const isFull = addresses.size >= capacity && !addresses.has(key);
		if (isFull) unplaced.add(ip);
		else {
			unplaced.delete(ip);
			wanted.put("addresses", key, encodeKnownAddress(key, known));
		}
	}

	function release(ip: Ip): void {
		unplaced.delete(ip);
		wanted.delete("addresses", encodeAddressKey(ip));
	}

	return {
		update(addresses, incomplete) {
			const changed = new Set([...changedKeys(before, addresses), ...left, ...incomplete, ...unplaced]);
			const there = new Map<Ip, KnownAddress>();
			// What goes makes room for what comes.
			for (const ip of changed) {
				const known = addresses.get(ip);
				if (known === undefined || (known.kind === "clusterIp" && incomplete.has(ip))) release(ip);
				else there.set(ip, known);
			}
			for (const [ip, known] of there) want(ip, known);
			before = addresses;
			left = incomplete;
		},
		unplaced: () => unplaced.size,
	};
}

function changedKeys(before: Known, after: Known): Iterable<Ip> {
	return keysBetween(before, after) ?? new Set([...before.keys(), ...after.keys()]);
}

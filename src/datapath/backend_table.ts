// Which backend address has which id, and how many frontends want it. Numbers in flat memory: there may be 131,071.

import type { L4Address } from "../model/address.ts";
import { type ByteIndex, createByteIndex } from "./byte_index.ts";
import { encodeBackend, encodeId } from "./codec.ts";
import type { Contents, Wanted } from "./contents.ts";
import type { Ids } from "./ids.ts";
import { createIds } from "./ids.ts";
import { sizeOf } from "./layout.ts";
import type { Rest } from "./rest.ts";
import { createRest } from "./rest.ts";
import type { Restored } from "./restore.ts";

export interface BackendTable {
	readonly wanted: Wanted;
	readonly ids: Ids;
	/** The element of each id that has an address; others are only kept from being given. */
	readonly elements: ByteIndex;
	/** By id: wanted frontends that have it. */
	readonly references: Uint32Array;
	/** By id: when it was given free last. */
	readonly freed: Uint32Array;
	/** How often ids were given free. */
	frees: number;
	/** Those without references. */
	readonly leaving: Rest<number>;
}

/** Restored backends are there without being wanted: a frontend that has them finds them again. */
export function createBackendTable(wanted: Wanted, highest: number, restored: Restored): BackendTable {
	const taken = new Set([...restored.backends.map((backend) => backend.id), ...restored.danglingIds]);
	const table: BackendTable = {
		wanted,
		ids: createIds(highest, taken),
		elements: createByteIndex(sizeOf("backend")),
		references: new Uint32Array(highest + 1),
		freed: new Uint32Array(highest + 1),
		frees: 0,
		leaving: createRest(),
	};
	for (const { id, address } of restored.backends) {
		if (address !== undefined) table.elements.add(id, encodeBackend(address));
		table.leaving.add(id);
	}
	return table;
}

/** Whether an id that has an address now had the same one at this time, which is `frees` of then. */
export function isSince({ freed }: BackendTable, id: number, time: number): boolean {
	return (freed[id] ?? 0) <= time;
}

/** Their ids; undefined if an address is not known yet; otherwise sorted, as programs search them. An address that stands there twice does so in the ids. */
export function knownBackends(table: BackendTable, addresses: readonly L4Address[]): readonly number[] | undefined {
	const known: number[] = [];
	for (const address of addresses) {
		const id = table.elements.find(encodeBackend(address));
		if (id === undefined) return undefined;
		known.push(id);
	}
	return known.sort(ascending);
}

/** Whether ids are left for all of these. */
export function hasRoomFor(table: BackendTable, addresses: readonly L4Address[]): boolean {
	const free = table.ids.available();
	if (addresses.length <= free) return true;
	const needed = new Set<L4Address>();
	for (const address of addresses) if (table.elements.find(encodeBackend(address)) === undefined) needed.add(address);
	return needed.size <= free;
}

/** One more frontend wants these; call it only if there is room. Their ids, sorted. */
export function claimAddresses(table: BackendTable, addresses: readonly L4Address[]): readonly number[] {
	const claimed = addresses.map((address) => idOf(table, address));
	claim(table, claimed);
	return claimed.sort(ascending);
}

/** One more frontend wants these. */
export function claim(table: BackendTable, ids: readonly number[]): void {
	for (const id of ids) {
		const count = table.references[id] ?? 0;
		if (count === 0) want(table, id);
		table.references[id] = count + 1;
	}
}

/** One frontend less wants these. */
export function unclaim(table: BackendTable, ids: readonly number[]): void {
	for (const id of ids) {
		const count = (table.references[id] ?? 0) - 1;
		table.references[id] = count;
		if (count > 0) continue;
		table.wanted.delete("backends", encodeId(id));
		table.leaving.add(id);
	}
}

/** Gives ids free that have rested; returns how many. */
export function settleBackends(table: BackendTable, actual: Contents): number {
	const rested = table.leaving.settle((id) => !actual.backends.has(encodeId(id)));
	if (rested.length > 0) table.frees += 1;
	for (const id of rested) {
		table.elements.delete(id);
		table.freed[id] = table.frees;
		table.ids.give(id);
	}
	return rested.length;
}

function want(table: BackendTable, id: number): void {
	const element = table.elements.keyOf(id);
	if (element === undefined) return;
	table.leaving.remove(id);
	table.wanted.put("backends", encodeId(id), element);
}

/** A new one if the address has none. */
function idOf(table: BackendTable, address: L4Address): number {
	const element = encodeBackend(address);
	const known = table.elements.find(element);
	if (known !== undefined) return known;
	const id = table.ids.take();
	if (id === undefined) throw new Error(`Cannot give ${address} an id: none is left, though there was room`);
	table.elements.add(id, element);
	return id;
}

function ascending(a: number, b: number): number {
	return a - b;
}

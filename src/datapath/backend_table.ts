// Which backend address has which id, and how many frontends want it.

import type { L4Address } from "../model/address.ts";
import { encodeBackend, encodeId } from "./codec.ts";
import type { Contents, Wanted } from "./contents.ts";
import type { Ids } from "./ids.ts";
import { createIds } from "./ids.ts";
import type { Rest } from "./rest.ts";
import { createRest } from "./rest.ts";
import type { Restored } from "./restore.ts";

/** One backend for as long as it has its id: the same address under a new id is another record. */
export interface Backend {
	readonly id: number;
	/** Undefined: an id that is only kept from being given. */
	readonly address: L4Address | undefined;
	/** Wanted frontends that have it. */
	references: number;
}

export interface BackendTable {
	readonly wanted: Wanted;
	readonly ids: Ids;
	readonly byAddress: Map<L4Address, Backend>;
	/** Those without references. */
	readonly leaving: Rest<Backend>;
}

/** Restored backends are there without being wanted: a frontend that has them finds them again. */
export function createBackendTable(wanted: Wanted, highest: number, restored: Restored): BackendTable {
	const taken = new Set([...restored.backends.map((backend) => backend.id), ...restored.danglingIds]);
	const table: BackendTable = {
		wanted,
		ids: createIds(highest, taken),
		byAddress: new Map(),
		leaving: createRest(),
	};
	for (const { id, address } of restored.backends) table.leaving.add(addBackend(table, id, address));
	return table;
}

/** Undefined if an address is not known yet; otherwise sorted by id, as programs search them. */
export function knownBackends(table: BackendTable, addresses: readonly L4Address[]): readonly Backend[] | undefined {
	const known: Backend[] = [];
	for (const address of addresses) {
		const backend = table.byAddress.get(address);
		if (backend === undefined) return undefined;
		known.push(backend);
	}
	return known.sort(byId);
}

/** Whether ids are left for all of these. */
export function hasRoomFor(table: BackendTable, addresses: readonly L4Address[]): boolean {
	const free = table.ids.available();
	if (addresses.length <= free) return true;
	let needed = 0;
	for (const address of addresses) if (!table.byAddress.has(address)) needed += 1;
	return needed <= free;
}

/** One more frontend wants these; call it only if there is room. Sorted by id. */
export function claimAddresses(table: BackendTable, addresses: readonly L4Address[]): readonly Backend[] {
	const claimed = addresses.map((address) => table.byAddress.get(address) ?? giveId(table, address));
	claim(table, claimed);
	return claimed.sort(byId);
}

/** One more frontend wants these. */
export function claim(table: BackendTable, backends: readonly Backend[]): void {
	for (const backend of backends) {
		if (backend.references === 0) want(table, backend);
		backend.references += 1;
	}
}

/** One frontend less wants these. */
export function unclaim(table: BackendTable, backends: readonly Backend[]): void {
	for (const backend of backends) {
		backend.references -= 1;
		if (backend.references > 0) continue;
		table.wanted.delete("backends", encodeId(backend.id));
		table.leaving.add(backend);
	}
}

/** Gives ids free that have rested; returns how many. */
export function settleBackends(table: BackendTable, actual: Contents): number {
	const rested = table.leaving.settle((backend) => !actual.backends.has(encodeId(backend.id)));
	for (const { id, address } of rested) {
		if (address !== undefined) table.byAddress.delete(address);
		table.ids.give(id);
	}
	return rested.length;
}

function want(table: BackendTable, backend: Backend): void {
	if (backend.address === undefined) return;
	table.leaving.remove(backend);
	table.wanted.put("backends", encodeId(backend.id), encodeBackend(backend.address));
}

function giveId(table: BackendTable, address: L4Address): Backend {
	const id = table.ids.take();
	if (id === undefined) throw new Error(`Cannot give ${address} an id: none is left, though there was room`);
	return addBackend(table, id, address);
}

function addBackend(table: BackendTable, id: number, address: L4Address | undefined): Backend {
	const backend: Backend = { id, address, references: 0 };
	if (address !== undefined) table.byAddress.set(address, backend);
	return backend;
}

function byId(a: Backend, b: Backend): number {
	return a.id - b.id;
}

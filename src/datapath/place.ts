// Gives one frontend an id and its backends a range of slots; a changed set gets a new range, never an edit.

import type { L4Address } from "../model/address.ts";
import type { Frontend } from "../plan/plan_types.ts";
import type { BackendTable } from "./backend_table.ts";
import { claim, claimAddresses, hasRoomFor, isSince, knownBackends, unclaim } from "./backend_table.ts";
import { encodeFrontend, encodeFrontendKey, encodeId, encodeName, encodeSlot } from "./codec.ts";
import type { Contents, Wanted } from "./contents.ts";
import type { Ids } from "./ids.ts";
import type { Range, Ranges } from "./ranges.ts";
import type { Rest } from "./rest.ts";
import { flagsOf, groupOf } from "./traits.ts";

/** The backends of a frontend and where they stand. */
export interface BackendSet extends Range {
	/** Backend ids in the order of slots: two runs, each sorted. */
	readonly members: readonly number[];
	/** When it was made, in the table's time: an id that was given free later may be another backend's. */
	readonly since: number;
	readonly active: number;
	readonly generation: number;
}

/** One frontend for as long as it has its id. */
export interface Placed {
	readonly id: number;
	/** The key of its element in `frontends`; "" if there is none. */
	readonly key: string;
	/** Undefined: an id that is only kept from being given. */
	readonly address: L4Address | undefined;
	/** Undefined: not known to be whole in the kernel. */
	set: BackendSet | undefined;
	/** Part of the wanted state; its set counts as references of its backends. */
	live: boolean;
}

/** What is used up. */
export type Full = "frontends" | "backends" | "slots";

export interface Places {
	readonly wanted: Wanted;
	readonly backends: BackendTable;
	readonly ids: Ids;
	readonly ranges: Ranges;
	readonly byAddress: Map<L4Address, Placed>;
	/** Those that are not live; they keep their range. */
	readonly leaving: Rest<Placed>;
	/** Ranges that a live frontend has left. */
	readonly leavingRanges: Rest<Range>;
	/** The generation of the next new set. */
	generation: number;
}

/** Makes a frontend wanted as it is said here. If something is used up, says so and changes nothing. */
export function place(places: Places, frontend: Frontend): Full | undefined {
	const old = places.byAddress.get(frontend.address);
	if (old?.set !== undefined && isSameSet(places, old.set, frontend)) {
		if (!old.live) revive(places, old, old.set);
		publish(places, old, old.set, frontend);
		return undefined;
	}
	const addresses = [...frontend.active, ...frontend.terminating];
	if (old === undefined && places.ids.available() === 0) return "frontends";
	if (!hasRoomFor(places.backends, addresses)) return "backends";
	const base = addresses.length === 0 ? 0 : places.ranges.take(addresses.length);
	if (base === undefined) return "slots";
	const placed = old ?? create(places, frontend.address);
	// The new set claims its backends before the old one lets go of them: what both have never leaves.
	const set = newSet(places, frontend, base);
	leaveSet(places, placed);
	wantSlots(places, placed.id, set);
	placed.set = set;
	placed.live = true;
	places.leaving.remove(placed);
	publish(places, placed, set, frontend);
	return undefined;
}

/** Makes the frontend of an address unwanted. Its id and its range stay with it until they have rested. */
export function release(places: Places, address: L4Address): void {
	const placed = places.byAddress.get(address);
	if (placed?.set === undefined || !placed.live) return;
	places.wanted.delete("frontends", placed.key);
	places.wanted.delete("names", encodeId(placed.id));
	unwantSlots(places, placed.set);
	unclaim(places.backends, placed.set.members);
	placed.live = false;
	places.leaving.add(placed);
}

/** Gives ids and ranges free that have rested; returns how many. */
export function settlePlaces(places: Places, actual: Contents): number {
	const gone = places.leaving.settle((placed) => isGone(placed, actual));
	for (const placed of gone) {
		if (placed.address !== undefined) places.byAddress.delete(placed.address);
		places.ids.give(placed.id);
		if (placed.set !== undefined && placed.set.length > 0) places.ranges.give(placed.set);
	}
	const ranges = places.leavingRanges.settle((range) => isEmpty(range, actual));
	for (const range of ranges) places.ranges.give(range);
	return gone.length + ranges.length;
}

function isSameSet(places: Places, set: BackendSet, { active, terminating }: Frontend): boolean {
	if (set.active !== active.length || set.length !== active.length + terminating.length) return false;
	return (
		isRun(places, set, 0, knownBackends(places.backends, active)) &&
		isRun(places, set, set.active, knownBackends(places.backends, terminating))
	);
}

/** Whether the set's members from `start` on are these very backends. */
function isRun({ backends }: Places, set: BackendSet, start: number, ids: readonly number[] | undefined): boolean {
	return ids?.every((id, index) => set.members[start + index] === id && isSince(backends, id, set.since)) ?? false;
}

function newSet(places: Places, { active, terminating }: Frontend, base: number): BackendSet {
	const members = [...claimAddresses(places.backends, active), ...claimAddresses(places.backends, terminating)];
	const { generation } = places;
	// 0 is a flow's generation before it has one; after 2^32 sets numbers come again.
	places.generation = (generation + 1) >>> 0 || 1;
	return { base, length: members.length, members, active: active.length, generation, since: places.backends.frees };
}

function create(places: Places, address: L4Address): Placed {
	const id = places.ids.take();
	if (id === undefined) throw new Error(`Cannot give ${address} an id: none is left, though there was room`);
	const placed: Placed = { id, key: encodeFrontendKey(address), address, set: undefined, live: false };
	places.byAddress.set(address, placed);
	return placed;
}

/** It comes back with the set it had: same range, same generation, whatever of it still stands in the kernel. */
function revive(places: Places, placed: Placed, set: BackendSet): void {
	claim(places.backends, set.members);
	wantSlots(places, placed.id, set);
	placed.live = true;
	places.leaving.remove(placed);
}

function leaveSet(places: Places, placed: Placed): void {
	const { set, live } = placed;
	if (set === undefined) return;
	if (live) {
		unwantSlots(places, set);
		unclaim(places.backends, set.members);
	}
	if (set.length > 0) places.leavingRanges.add(set);
}

function publish(places: Places, placed: Placed, set: BackendSet, frontend: Frontend): void {
	const { affinity } = frontend;
	const value = encodeFrontend(placed.key, {
		id: placed.id,
		slotBase: set.base,
		active: set.active,
		members: set.length,
		generation: set.generation,
		flags: flagsOf(frontend),
		affinity: affinity === undefined ? "" : groupOf(affinity.group),
		affinitySeconds: affinity?.seconds ?? 0,
	});
	places.wanted.put("names", encodeId(placed.id), encodeName(frontend.name));
	places.wanted.put("frontends", placed.key, value);
}

function wantSlots(places: Places, owner: number, set: BackendSet): void {
	let index = set.base;
	for (const id of set.members) places.wanted.put("slots", encodeId(index++), encodeSlot(id, owner));
}

function unwantSlots(places: Places, { base, length }: Range): void {
	for (let index = base; index < base + length; index++) places.wanted.delete("slots", encodeId(index));
}

function isGone({ id, key, set }: Placed, actual: Contents): boolean {
	if (actual.frontends.has(key) || actual.names.has(encodeId(id))) return false;
	return set === undefined || isEmpty(set, actual);
}

function isEmpty({ base, length }: Range, actual: Contents): boolean {
	for (let index = base; index < base + length; index++) if (actual.slots.has(encodeId(index))) return false;
	return true;
}

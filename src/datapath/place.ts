// Gives one frontend, and who is next to it, ids and ranges of slots; a changed set gets a new range, never an edit.

import type { L4Address } from "../model/address.ts";
import type { Frontend } from "../plan/plan_types.ts";
import type { BackendTable } from "./backend_table.ts";
import { claim, claimAddresses, hasRoomFor, isSince, knownBackends, unclaim } from "./backend_table.ts";
import type { Rule } from "./codec.ts";
import {
	encodeFrontend,
	encodeFrontendKey,
	encodeId,
	encodeName,
	encodeSlot,
	idOf,
	ruleOf,
	withRule,
} from "./codec.ts";
import type { Contents, Wanted } from "./contents.ts";
import type { Ids } from "./ids.ts";
import { RULE_NUMBERS } from "./layout.ts";
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

/**
 * What an address leads to, or the redirect before that: each has an id of its own, whatever comes before it or goes. So the
 * flows and the counters of a Service stay while a redirect has its address.
 */
export type Layer = L4Address | `redirect ${L4Address}`;

export function redirectLayer(address: L4Address): Layer {
	return `redirect ${address}`;
}

/** Those that a frontend of a plan stands for. */
export function layersOf({ address, redirect }: Frontend): readonly Layer[] {
	if (redirect === undefined) return [address];
	return redirect.next === undefined ? [redirectLayer(address)] : [redirectLayer(address), address];
}

/** One layer of an address for as long as it has its id. */
export interface Placed {
	readonly id: number;
	/** The key of its element in `frontends`, which is another one when a redirect comes or goes; "" if there is none. */
	key: string;
	/** Undefined: an id that is only kept from being given. */
	readonly layer: Layer | undefined;
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
	readonly byLayer: Map<Layer, Placed>;
	/** Those that are not live; they keep their range. */
	readonly leaving: Rest<Placed>;
	/** Ranges that a live frontend has left. */
	readonly leavingRanges: Rest<Range>;
	/** The generation of the next new set. */
	generation: number;
}

/**
 * Makes a frontend wanted as it is said here, with who is next if it is a redirect. What there is no room for keeps the set that it
 * had; a redirect that has none is left out, and who is next has the address. Says what is used up.
 */
export function place(places: Places, frontend: Frontend): Full | undefined {
	const { address, redirect } = frontend;
	if (redirect === undefined) {
		const full = secure(places, address, frontend);
		publish(places, address, RULE_NUMBERS.FIRST, frontend);
		return full;
	}
	const layer = redirectLayer(address);
	const { next } = redirect;
	const fullNext = next === undefined ? undefined : secure(places, address, next);
	const full = secure(places, layer, frontend);
	const isThere = places.byLayer.get(layer)?.live === true;
	// Who leaves an element goes before who comes there.
	if (next !== undefined) publish(places, address, isThere ? RULE_NUMBERS.NEXT : RULE_NUMBERS.FIRST, next);
	publish(places, layer, RULE_NUMBERS.FIRST, frontend);
	return full ?? fullNext;
}

/** Sees to it that a layer has the set that is wanted. If something is used up, says so and changes nothing. */
function secure(places: Places, layer: Layer, frontend: Frontend): Full | undefined {
	const old = places.byLayer.get(layer);
	if (old?.set !== undefined && isSameSet(places, old.set, frontend)) {
		if (!old.live) revive(places, old, old.set);
		return undefined;
	}
	const addresses = [...frontend.active, ...frontend.terminating];
	if (old === undefined && places.ids.available() === 0) return "frontends";
	if (!hasRoomFor(places.backends, addresses)) return "backends";
	const base = addresses.length === 0 ? 0 : places.ranges.take(addresses.length);
	if (base === undefined) return "slots";
	const placed = old ?? create(places, layer, encodeFrontendKey(frontend.address));
	// The new set claims its backends before the old one lets go of them: what both have never leaves.
	const set = newSet(places, frontend, base);
	leaveSet(places, placed);
	wantSlots(places, placed.id, set);
	placed.set = set;
	placed.live = true;
	places.leaving.remove(placed);
	return undefined;
}

/** Makes a layer unwanted. Its id and its range stay with it until they have rested. */
export function release(places: Places, layer: Layer): void {
	const placed = places.byLayer.get(layer);
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
		if (placed.layer !== undefined) places.byLayer.delete(placed.layer);
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

function create(places: Places, layer: Layer, key: string): Placed {
	const id = places.ids.take();
	if (id === undefined) throw new Error(`Cannot give ${layer} an id: none is left, though there was room`);
	const placed: Placed = { id, key, layer, set: undefined, live: false };
	places.byLayer.set(layer, placed);
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

/** Says it of the set that the layer has; nothing if it has none. */
function publish(places: Places, layer: Layer, rule: Rule, frontend: Frontend): void {
	const placed = places.byLayer.get(layer);
	if (placed?.set === undefined || !placed.live) return;
	if (ruleOf(placed.key) !== rule) {
		places.wanted.delete("frontends", placed.key);
		placed.key = withRule(placed.key, rule);
	}
	const { id, key, set } = placed;
	const { affinity, redirect } = frontend;
	const value = encodeFrontend(key, {
		id,
		slotBase: set.base,
		active: set.active,
		members: set.length,
		generation: set.generation,
		flags: flagsOf(frontend),
		affinity: affinity === undefined ? "" : groupOf(affinity.group),
		affinitySeconds: affinity?.seconds ?? 0,
		guard: redirect === undefined ? "" : groupOf(redirect.guard),
		limit: redirect?.limit ?? 0,
	});
	places.wanted.put("names", encodeId(id), encodeName(frontend.name));
	places.wanted.put("frontends", key, value);
}

function wantSlots(places: Places, owner: number, set: BackendSet): void {
	let index = set.base;
	for (const id of set.members) places.wanted.put("slots", encodeId(index++), encodeSlot(id, owner));
}

function unwantSlots(places: Places, { base, length }: Range): void {
	for (let index = base; index < base + length; index++) places.wanted.delete("slots", encodeId(index));
}

function isGone({ id, key, set }: Placed, actual: Contents): boolean {
	if (actual.names.has(encodeId(id))) return false;
	const keys = [key, withRule(key, RULE_NUMBERS.FIRST), withRule(key, RULE_NUMBERS.NEXT)];
	if (keys.some((each) => isIn(actual, each, id))) return false;
	return set === undefined || isEmpty(set, actual);
}

/** Whether this element is that of the id, not one that has come there since. */
function isIn({ frontends }: Contents, key: string, id: number): boolean {
	const value = frontends.get(key);
	return value !== undefined && idOf(value) === id;
}

function isEmpty({ base, length }: Range, actual: Contents): boolean {
	for (let index = base; index < base + length; index++) if (actual.slots.has(encodeId(index))) return false;
	return true;
}

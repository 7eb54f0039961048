// Gives what a plan says numbers (ids, ranges of slots, generations), and keeps the wanted bytes of all maps up to date.

import { createTidying } from "../lib/garbage.ts";
import { keysBetween } from "../lib/layered_map.ts";
import type { Ip, L4Address } from "../model/address.ts";
import { l4Parts } from "../model/address.ts";
import type { Chunk, Frontend, Plan } from "../plan/plan_types.ts";
import { createAddressTable } from "./address_table.ts";
import { type BackendTable, createBackendTable, settleBackends } from "./backend_table.ts";
import type { Capacity } from "./capacity.ts";
import type { Contents, Wanted } from "./contents.ts";
import { createWanted } from "./contents.ts";
import { createIds } from "./ids.ts";
import type { BackendSet, Full, Layer, Places } from "./place.ts";
import { layersOf, place, release, settlePlaces } from "./place.ts";
import { createRanges } from "./ranges.ts";
import { createRest } from "./rest.ts";
import type { Restored, RestoredFrontend, RestoredSet } from "./restore.ts";

/** A frontend that there is no room for. It keeps the set that it had, if it had one. */
export interface Unplaced {
	readonly chunk: Chunk;
	readonly frontend: Frontend;
	readonly full: Full;
}

export interface Assignment {
	readonly wanted: Wanted;
	/** Brings the wanted bytes to the plan. An identical chunk costs nothing. */
	update(plan: Plan): void;
	/** Ends a round: what `actual` no longer holds begins to rest, what has rested is free. */
	settle(actual: Contents): void;
	unplaced(): readonly Unplaced[];
	/** How many known addresses there is no room for. */
	unplacedAddresses(): number;
	/** Whether ids or slots have become free since the last update, or may do so in the next rounds. */
	hasRoomSoon(): boolean;
	/** Further rounds, even without a change, would give ids and slots free, and the memory that is kept for them. */
	isResting(): boolean;
}

export interface AssignmentOptions {
	readonly capacity: Capacity;
	readonly restored: Restored;
	/**
	 * Sets are numbered from here on, or from the greatest restored generation. A UDP flow knows its set by this number
	 * for as long as its socket lives, longer than any id rests: none may come again, not even after a restart. Its
	 * lower 32 bits count: a clock may say any time.
	 */
	readonly firstGeneration: number;
}

/** Of 32 bits. */
const LAST_GENERATION = 0xffff_ffff;

const NONE: ReadonlySet<Ip> = new Set();

interface State {
	readonly places: Places;
	readonly unplaced: Map<L4Address, Unplaced>;
	chunks: ReadonlyMap<string, Chunk>;
	/** Something became free since unplaced frontends were tried. */
	hasNewRoom: boolean;
}

export function createAssignment(options: AssignmentOptions): Assignment {
	const places = createPlaces(options);
	const { wanted, backends, leaving, leavingRanges } = places;
	const addresses = createAddressTable(wanted, options.capacity.addresses);
	const state: State = { places, unplaced: new Map(), chunks: new Map(), hasNewRoom: false };
	return {
		wanted,
		update(plan) {
			update(state, plan.chunks);
			addresses.update(plan.addresses, incompleteAddresses(state));
		},
		settle: (actual) => settle(state, actual),
		unplaced: () => [...state.unplaced.values()],
		unplacedAddresses: addresses.unplaced,
		isResting: () => backends.leaving.isResting() || leaving.isResting() || leavingRanges.isResting(),
		hasRoomSoon: () => state.hasNewRoom || backends.leaving.size() + leaving.size() + leavingRanges.size() > 0,
	};
}

function update(state: State, chunks: ReadonlyMap<string, Chunk>): void {
	if (chunks !== state.chunks) {
		const { changed, gone } = compare(state.chunks, chunks);
		for (const { layer, address } of gone) {
			release(state.places, layer);
			state.unplaced.delete(address);
		}
		const tidy = createTidying();
		for (const chunk of changed) {
			for (const frontend of chunk.frontends) attempt(state, chunk, frontend);
			tidy();
		}
		state.chunks = chunks;
	}
	if (!state.hasNewRoom) return;
	state.hasNewRoom = false;
	for (const { chunk, frontend } of [...state.unplaced.values()]) attempt(state, chunk, frontend);
}

function attempt(state: State, chunk: Chunk, frontend: Frontend): void {
	const full = place(state.places, frontend);
	if (full === undefined) state.unplaced.delete(frontend.address);
	else state.unplaced.set(frontend.address, { chunk, frontend, full });
}

/** Those that lack a frontend which the plan has. */
function incompleteAddresses({ unplaced }: State): ReadonlySet<Ip> {
	return unplaced.size === 0 ? NONE : new Set([...unplaced.keys()].map((address) => l4Parts(address).ip));
}

function settle(state: State, actual: Contents): void {
	const freed = settleBackends(state.places.backends, actual) + settlePlaces(state.places, actual);
	if (freed > 0) state.hasNewRoom = true;
}

/**
 * The chunks that are not as they were, and what an object no longer has. If another one has such an address now, it
 * finds the id again, but never lives on with the former owner's backends.
 */
function compare(
	before: ReadonlyMap<string, Chunk>,
	after: ReadonlyMap<string, Chunk>,
): { readonly changed: readonly Chunk[]; readonly gone: readonly Lost[] } {
	const changed: Chunk[] = [];
	const gone: Lost[] = [];
	for (const key of keysBetween(before, after) ?? new Set([...before.keys(), ...after.keys()])) {
		const [chunk, next] = [before.get(key), after.get(key)];
		if (next === chunk) continue;
		if (next !== undefined) changed.push(next);
		gone.push(...layersLost(chunk, next));
	}
	return { changed, gone };
}

interface Lost {
	readonly layer: Layer;
	readonly address: L4Address;
}

function layersLost(before: Chunk | undefined, after: Chunk | undefined): readonly Lost[] {
	if (before === undefined) return [];
	const kept = new Set(after?.frontends.flatMap(layersOf));
	return before.frontends.flatMap((frontend) =>
		layersOf(frontend).flatMap((layer) => (kept.has(layer) ? [] : { layer, address: frontend.address })),
	);
}

function createPlaces({ capacity, restored, firstGeneration }: AssignmentOptions): Places {
	const wanted = createWanted();
	const backends = createBackendTable(wanted, capacity.backends, restored);
	const sets = restored.frontends.flatMap(({ set }) => (set === undefined ? [] : [rangeOf(set)]));
	const places: Places = {
		wanted,
		backends,
		ids: createIds(capacity.frontends, new Set(restored.frontends.map((frontend) => frontend.id))),
		ranges: createRanges(capacity.slots, [...sets, ...restored.looseSlots]),
		byLayer: new Map(),
		leaving: createRest(),
		leavingRanges: createRest(),
		generation: firstOf(restored.generation, firstGeneration),
	};
	for (const frontend of restored.frontends) restorePlaced(places, frontend);
	for (const range of restored.looseSlots) places.leavingRanges.add(range);
	return places;
}

/** The later of the two; the one that was given if no number is left behind the restored one. */
function firstOf(restored: number, given: number): number {
	const first = given >>> 0 || 1;
	return restored >= LAST_GENERATION ? first : Math.max(restored + 1, first);
}

/** A restored frontend is there without being wanted: a plan that has its address finds it again. */
function restorePlaced(places: Places, restored: RestoredFrontend): void {
	const { id, key, layer } = restored;
	const set = restored.set === undefined ? undefined : restoreSet(restored.set, places.backends);
	if (restored.set !== undefined && set === undefined && restored.set.members.length > 0)
		places.leavingRanges.add(rangeOf(restored.set));
	const placed = { id, key, layer, set, live: false };
	if (layer !== undefined) places.byLayer.set(layer, placed);
	places.leaving.add(placed);
}

/** Undefined if one of its backends has lost its id to another one with the same address. */
function restoreSet(set: RestoredSet, { elements, frees }: BackendTable): BackendSet | undefined {
	const { members, active, generation } = set;
	if (members.some((id) => elements.keyOf(id) === undefined)) return undefined;
	return { ...rangeOf(set), members, active, generation, since: frees };
}

function rangeOf(set: RestoredSet): { readonly base: number; readonly length: number } {
	return { base: set.base, length: set.members.length };
}

// One round after another: a plan becomes bytes, the difference to what the maps hold is written, and the truth is kept.

import { assertNever } from "../lib/assert_never.ts";
import { collectGarbage } from "../lib/garbage.ts";
import type { Problem } from "../model/problem.ts";
import type { Plan } from "../plan/plan_types.ts";
import { losesGroup, purgeAffinities } from "./affinities.ts";
import type { Applied, Changes, Failure, Found } from "./apply.ts";
import { apply } from "./apply.ts";
import type { Assignment, Unplaced } from "./assign.ts";
import { createAssignment } from "./assign.ts";
import type { Capacity } from "./capacity.ts";
import type { Contents } from "./contents.ts";
import { readContents, shareTexts } from "./contents.ts";
import { diff } from "./diff.ts";
import type { MapName, Maps, MemoryName } from "./maps.ts";
import { MAP_NAMES } from "./maps.ts";
import type { Full } from "./place.ts";
import { restore } from "./restore.ts";
import { losesLimit, purgeWindows } from "./windows.ts";

/** What one round has done. */
export interface Written {
	readonly changes: Readonly<Record<MapName, Changes>>;
	readonly failures: readonly Failure[];
	/** Frontends that there is no room for. */
	readonly problems: readonly Problem[];
	/** Elements that are not as wanted yet. */
	readonly pending: number;
	/** Another round with the same plan would do something: try again what failed, give free what rests, use what became free. */
	readonly again: boolean;
}

export interface Writer {
	/**
	 * Brings the maps to the plan as far as possible. As long as not all hubs are synced, frontends and addresses that were only found
	 * in the maps, in no plan of this writer, stay as they are: a hub that is not read yet may want them. Throws only if `maps` throws; the next
	 * round reads the maps back then.
	 */
	write(plan: Plan, options: { readonly synced: boolean }): Written;
	/** The next round reads the maps back and compares every element. */
	resync(): void;
	/** What the maps hold, as far as we know; not a copy. */
	actual(): Contents;
}

export interface WriterOptions {
	readonly maps: Maps;
	readonly capacity: Capacity;
	/** See AssignmentOptions. Seconds since 1970 fit: restarts are further apart than sets change in the mean. */
	readonly firstGeneration: number;
}

interface State extends WriterOptions {
	readonly assignment: Assignment;
	readonly former: Map<string, string>;
	/** Keys of elements that were in no plan yet. */
	readonly found: Readonly<Record<FoundMap, Set<string>>>;
	actual: Contents;
	/** `actual` may be wrong: read it back. */
	isStale: boolean;
	/** Programs may remember something of frontends that are no more: by map. */
	readonly hasLost: Record<MemoryName, boolean>;
}

/** The maps whose elements a hub that is not read yet may want; all else follows from frontends. */
const FOUND_MAPS = ["frontends", "addresses"] as const;
type FoundMap = (typeof FOUND_MAPS)[number];

const NOTHING: Found = { frontends: new Set(), addresses: new Set() };

/** Backends: so many are worth a collection. */
const MANY = 20_000;

/** Reads the maps and goes on from what they hold. */
export function createWriter(options: WriterOptions): Writer {
	const { maps, capacity, firstGeneration } = options;
	const actual = readContents(maps);
	const assignment = createAssignment({ capacity, firstGeneration, restored: restore(actual, capacity) });
	// What it was restored from is more than what is kept.
	if (actual.backends.size > MANY) collectGarbage();
	const found = { frontends: new Set(actual.frontends.keys()), addresses: new Set(actual.addresses.keys()) };
	const state: State = {
		...options,
		assignment,
		actual,
		former: new Map(),
		found,
		isStale: false,
		hasLost: { affinities: true, redirect_windows: true },
	};
	return {
		write: (plan, { synced }) => write(state, plan, synced),
		resync() {
			state.isStale = true;
		},
		actual: () => state.actual,
	};
}

function write(state: State, plan: Plan, synced: boolean): Written {
	const { assignment, maps } = state;
	assignment.update(plan);
	if (state.isStale) readBack(state);
	const wanted = assignment.wanted.contents;
	// What was read from the kernel is in texts of its own.
	if (assignment.wanted.dirty() === "all") state.actual = shareTexts(state.actual, wanted);
	const { actual, former } = state;
	forgetWanted(state);
	const difference = diff(actual, wanted, assignment.wanted.dirty());
	state.hasLost.affinities ||= losesGroup(difference, actual.frontends);
	state.hasLost.redirect_windows ||= losesLimit(difference, actual.frontends);
	state.isStale = true;
	const applied = apply(maps, difference, { actual, wanted, former, kept: synced ? NOTHING : state.found });
	const purged = purge(state);
	state.isStale = false;
	assignment.wanted.keep(applied.left);
	forgetGone(state);
	assignment.settle(actual);
	return report(assignment, { ...applied, failures: [...applied.failures, ...purged] });
}

const PURGES = { affinities: purgeAffinities, redirect_windows: purgeWindows } as const;

/** Once the frontends are written: a program that knows the old ones would go on to remember. */
function purge({ hasLost, maps, actual }: State): readonly Failure[] {
	const all: Failure[] = [];
	for (const map of ["affinities", "redirect_windows"] as const) {
		if (!hasLost[map]) continue;
		const failures = PURGES[map](maps, actual.frontends);
		hasLost[map] = failures.length > 0;
		for (const { key, errno } of failures) all.push({ map, verb: "delete", key, errno });
	}
	return all;
}

/** What others have put there was found as well. */
function readBack(state: State): void {
	const { actual: before, assignment, found } = state;
	state.actual = readContents(state.maps);
	for (const map of FOUND_MAPS)
		for (const key of state.actual[map].keys()) if (!before[map].has(key)) found[map].add(key);
	assignment.wanted.keep("all");
	state.hasLost.affinities = true;
	state.hasLost.redirect_windows = true;
}

/** What a plan has is no longer merely found. */
function forgetWanted({ assignment, found }: State): void {
	const { contents } = assignment.wanted;
	const dirty = assignment.wanted.dirty();
	for (const map of FOUND_MAPS)
		for (const key of dirty === "all" ? contents[map].keys() : dirty[map])
			if (contents[map].has(key)) found[map].delete(key);
}

function forgetGone({ actual, found }: State): void {
	for (const map of FOUND_MAPS) for (const key of found[map]) if (!actual[map].has(key)) found[map].delete(key);
}

function report(assignment: Assignment, { changes, failures, left }: Applied): Written {
	const unplaced = assignment.unplaced();
	const pending = MAP_NAMES.reduce((sum, map) => sum + left[map].size, 0);
	return {
		changes,
		failures,
		pending,
		problems: [...roomProblems(unplaced), ...addressProblems(assignment.unplacedAddresses())],
		again: failures.length > 0 || assignment.isResting() || (unplaced.length > 0 && assignment.hasRoomSoon()),
	};
}

function addressProblems(unplaced: number): readonly Problem[] {
	if (unplaced === 0) return [];
	const message = `There is no room for ${unplaced} addresses of Services and Nodes: their node ports are not translated, nor unknown ports refused`;
	return [{ object: "Addresses", reason: "TooLarge", message }];
}

/** One for each object and what it has no room for, whatever the number of its frontends. */
function roomProblems(unplaced: readonly Unplaced[]): readonly Problem[] {
	const groups = new Map<string, { readonly first: Unplaced; count: number }>();
	for (const each of unplaced) {
		const key = [each.chunk.hub ?? "", each.chunk.object, each.full].join("\n");
		const group = groups.get(key);
		if (group === undefined) groups.set(key, { first: each, count: 1 });
		else group.count += 1;
	}
	return [...groups.values()].map(toProblem);
}

function toProblem({ first, count }: { readonly first: Unplaced; readonly count: number }): Problem {
	const { chunk, frontend, full } = first;
	const which = count === 1 ? "is not programmed as it should be" : `and ${count - 1} more are not as they should be`;
	const fix = "there must be fewer ports, addresses or backends";
	const message = `Frontend ${frontend.address} ${which}: ${whatIsFull(full)}, ${fix}`;
	const source = chunk.hub === undefined ? {} : { source: chunk.hub };
	// A policy's key says its kind.
	const object = chunk.object.includes(" ") ? chunk.object : `Service ${chunk.object}`;
	return { object, ...source, reason: "TooLarge", message };
}

function whatIsFull(full: Full): string {
	switch (full) {
		case "frontends":
			return "all frontend ids are in use";
		case "backends":
			return "all backend ids are in use";
		case "slots":
			return "no range of slots is long enough";
		default:
			return assertNever(full);
	}
}

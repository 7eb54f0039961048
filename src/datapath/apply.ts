// Writes a difference in the order of references and says what is true then, whatever failed in between.

import { collectGarbage, collectYoung } from "../lib/garbage.ts";
import { addressKeyOf } from "./address_codec.ts";
import { ruleOf, withRule } from "./codec.ts";
import type { Contents, Keys } from "./contents.ts";
import { emptyKeys } from "./contents.ts";
import type { Difference } from "./diff.ts";
import { RULE_NUMBERS, sizeOf } from "./layout.ts";
import type { AnyMapName, Entries, EntryFailure, MapName, Maps, StatsName } from "./maps.ts";
import { addBackends, hasNext, isFrontendSupported, isRedirect, isSlotSupported, reachableFrom } from "./references.ts";

/** One element that could not be written or taken away; it is tried again in the next round. */
export interface Failure {
	readonly map: AnyMapName;
	readonly verb: "put" | "delete";
	readonly key: string;
	/** A negative errno. */
	readonly errno: number;
}

/** How many elements were written and taken away. */
export interface Changes {
	readonly puts: number;
	readonly deletes: number;
}

export interface Applied {
	readonly failures: readonly Failure[];
	/** Keys that are not as wanted yet: failed, or held back because of what failed. */
	readonly left: Keys;
	readonly changes: Readonly<Record<MapName, Changes>>;
}

export interface ApplyOptions {
	/** What the maps hold; kept true, element by element, as writes succeed. */
	readonly actual: Contents;
	/** What they should hold in the end, of which the difference is a part. */
	readonly wanted: Contents;
	/**
	 * Backends that were taken away, by key. One that comes back under its id goes on counting: sockets that were opened
	 * before still end.
	 */
	readonly former: Map<string, string>;
	/** What stays though nobody wants it: frontends with all that programs reach through them, and addresses. */
	readonly kept: Found;
}

/** Keys of elements that no plan of this run has had. */
export type Found = Readonly<Record<"frontends" | "addresses", ReadonlySet<string>>>;

interface Round extends ApplyOptions {
	readonly maps: Maps;
	readonly failures: Failure[];
	readonly left: Keys;
	readonly changes: Record<MapName, { puts: number; deletes: number }>;
}

/** Whose counters begin anew with an element of these maps. */
const STATS: Partial<Record<MapName, StatsName>> = { backends: "backend_stats", names: "frontend_stats" };
const ZERO: Readonly<Record<StatsName, string>> = {
	backend_stats: "\0".repeat(sizeOf("backend_stats")),
	frontend_stats: "\0".repeat(sizeOf("frontend_stats")),
};

/**
 * Puts go up (backends, slots, names, frontends, addresses), deletes go down (addresses, frontends, slots, names, backends).
 * What refers to something that is not there is held back; what the frontends in the kernel still reach is not taken away.
 */
export function apply(maps: Maps, difference: Difference, options: ApplyOptions): Applied {
	const round: Round = { ...options, maps, failures: [], left: emptyKeys(), changes: noChanges() };
	putAll(round, "backends", difference.puts.backends);
	putAll(round, "slots", supportedSlots(round, difference.puts.slots));
	putAll(round, "names", difference.puts.names);
	putFrontends(round, difference.puts.frontends);
	putAll(round, "addresses", supportedAddresses(round, difference.puts.addresses));
	deleteDownward(round, difference.deletes);
	return { failures: round.failures, left: round.left, changes: round.changes };
}

/** Who is next before the redirect that is gone past. */
function putFrontends(round: Round, frontends: Entries): void {
	const { first, next } = byRule(frontends);
	if (next.size > 0) putAll(round, "frontends", supportedFrontends(round, next));
	putAll(round, "frontends", supportedRedirects(round, supportedFrontends(round, first)));
}

const NO_ENTRIES: Entries = new Map();

function byRule(frontends: Entries): { readonly first: Entries; readonly next: Entries } {
	const next = new Map<string, string>();
	for (const [key, value] of frontends) if (ruleOf(key) === RULE_NUMBERS.NEXT) next.set(key, value);
	if (next.size === 0) return { first: frontends, next: NO_ENTRIES };
	const first = new Map<string, string>();
	for (const [key, value] of frontends) if (!next.has(key)) first.set(key, value);
	return { first, next };
}

/** Elements that are written before the next ones are looked at. */
const PART = 4096;
/** So many leave more garbage than all that is kept, and so did the making of them. */
const LARGE = 50_000;

function putAll(round: Round, map: MapName, entries: Entries): void {
	if (entries.size <= PART) {
		putSome(round, map, entries);
		return;
	}
	if (entries.size > LARGE) collectGarbage();
	let part = new Map<string, string>();
	for (const [key, value] of entries) {
		part.set(key, value);
		if (part.size < PART) continue;
		putSome(round, map, part);
		collectYoung();
		part = new Map();
	}
	putSome(round, map, part);
}

function putSome(round: Round, map: MapName, entries: Entries): void {
	const allowed = withFreshStats(round, map, entries);
	if (allowed.size === 0) return;
	const failed = failedKeys(round, "put", map, round.maps.put(map, allowed));
	for (const [key, value] of allowed) {
		if (failed.has(key)) round.left[map].add(key);
		else {
			round.actual[map].set(key, value);
			if (map === "backends") round.former.delete(key);
		}
	}
	round.changes[map].puts += allowed.size - failed.size;
}

/** Zeroes the counters of elements that are new, and leaves out those whose counters could not be zeroed. */
function withFreshStats(round: Round, map: MapName, entries: Entries): Entries {
	const stats = STATS[map];
	if (stats === undefined) return entries;
	const zeros = new Map<string, string>();
	for (const [key, value] of entries) {
		const isBack = map === "backends" && round.former.get(key) === value;
		if (!round.actual[map].has(key) && !isBack) zeros.set(key, ZERO[stats]);
	}
	if (zeros.size === 0) return entries;
	const failed = failedKeys(round, "put", stats, round.maps.put(stats, zeros));
	if (failed.size === 0) return entries;
	for (const key of failed) round.left[map].add(key);
	return new Map([...entries].filter(([key]) => !failed.has(key)));
}

/** What is not in `left` is as wanted: then there is no need to follow references. */
function supportedSlots(round: Round, slots: Entries): Entries {
	if (round.left.backends.size === 0) return slots;
	return holdBack(slots, round.left.slots, (value) => isSlotSupported(value, round.actual, round.wanted));
}

function supportedFrontends(round: Round, frontends: Entries): Entries {
	const { backends, slots, names } = round.left;
	if (backends.size + slots.size + names.size === 0) return frontends;
	return holdBack(frontends, round.left.frontends, (value) => isFrontendSupported(value, round.actual, round.wanted));
}

/** Without the next one, what goes past a redirect would not find what it finds without the redirect. */
function supportedRedirects(round: Round, frontends: Entries): Entries {
	const { left, actual, wanted } = round;
	if (left.frontends.size === 0) return frontends;
	const supported = new Map<string, string>();
	for (const [key, value] of frontends) {
		if (isRedirect(value) && !hasNext(key, actual, wanted)) left.frontends.add(key);
		else supported.set(key, value);
	}
	return supported;
}

/** An address that refuses the ports that it has no frontend for waits until all its frontends are there. */
function supportedAddresses(round: Round, addresses: Entries): Entries {
	if (addresses.size === 0 || round.left.frontends.size === 0) return addresses;
	const incomplete = new Set<string>();
	for (const key of round.left.frontends) if (!round.actual.frontends.has(key)) incomplete.add(addressKeyOf(key));
	const supported = new Map<string, string>();
	for (const [key, value] of addresses) {
		if (incomplete.has(key)) round.left.addresses.add(key);
		else supported.set(key, value);
	}
	return supported;
}

function holdBack(entries: Entries, left: Set<string>, isSupported: (value: string) => boolean): Entries {
	const supported = new Map<string, string>();
	for (const [key, value] of entries) {
		if (isSupported(value)) supported.set(key, value);
		else left.add(key);
	}
	return supported;
}

function deleteDownward(round: Round, deletes: Keys): void {
	deleteAll(round, "addresses", notKept(round, "addresses", deletes.addresses));
	deleteFrontends(round, notKept(round, "frontends", deletes.frontends));
	// Frontends that are as wanted refer to wanted elements only, which nobody deletes.
	const reached = reachableFrom(round.left.frontends, round.actual);
	deleteAll(round, "slots", unreached(round, "slots", deletes.slots, reached));
	deleteAll(round, "names", unreached(round, "names", deletes.names, reached));
	// A slot that could not be deleted keeps its backend.
	for (const key of round.left.slots) reached.slots.add(key);
	addBackends(reached, round.actual);
	deleteAll(round, "backends", unreached(round, "backends", deletes.backends, reached));
}

/** The redirect before who is next, and not that one as long as the redirect stays. */
function deleteFrontends(round: Round, keys: ReadonlySet<string>): void {
	const { left, actual } = round;
	const [first, next] = [new Set<string>(), new Set<string>()];
	for (const key of keys) (ruleOf(key) === RULE_NUMBERS.FIRST ? first : next).add(key);
	deleteAll(round, "frontends", first);
	const free = new Set<string>();
	for (const key of next) {
		const redirect = withRule(key, RULE_NUMBERS.FIRST);
		if (left.frontends.has(redirect) && isRedirect(actual.frontends.get(redirect))) left.frontends.add(key);
		else free.add(key);
	}
	deleteAll(round, "frontends", free);
}

function notKept({ kept, left }: Round, map: keyof Found, keys: ReadonlySet<string>): ReadonlySet<string> {
	const free = new Set<string>();
	for (const key of keys) {
		if (kept[map].has(key)) left[map].add(key);
		else free.add(key);
	}
	return free;
}

function unreached(round: Round, map: MapName, keys: ReadonlySet<string>, reached: Keys): ReadonlySet<string> {
	if (reached[map].size === 0) return keys;
	const free = new Set<string>();
	for (const key of keys) {
		if (reached[map].has(key)) round.left[map].add(key);
		else free.add(key);
	}
	return free;
}

function deleteAll(round: Round, map: MapName, keys: ReadonlySet<string>): void {
	if (keys.size === 0) return;
	const failed = failedKeys(round, "delete", map, round.maps.delete(map, keys));
	for (const key of keys) {
		if (failed.has(key)) round.left[map].add(key);
		else {
			const value = round.actual[map].get(key);
			if (map === "backends" && value !== undefined) round.former.set(key, value);
			round.actual[map].delete(key);
		}
	}
	round.changes[map].deletes += keys.size - failed.size;
}

function failedKeys(
	round: Round,
	verb: "put" | "delete",
	map: MapName | StatsName,
	failures: readonly EntryFailure[],
): ReadonlySet<string> {
	for (const { key, errno } of failures) round.failures.push({ map, verb, key, errno });
	return new Set(failures.map((failure) => failure.key));
}

function noChanges(): Record<MapName, { puts: number; deletes: number }> {
	const none = () => ({ puts: 0, deletes: 0 });
	return { backends: none(), slots: none(), names: none(), frontends: none(), addresses: none() };
}

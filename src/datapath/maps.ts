// One door to the kernel's maps, three verbs for all of them; kernel_maps.ts and memory_maps.ts stand behind it.

import type { Elements, ReadonlyElements } from "./elements.ts";

/** The maps that a plan is written to, in the order of references: each one refers only to those before it. */
export const MAP_NAMES = ["backends", "slots", "names", "frontends", "addresses"] as const;
export type MapName = (typeof MAP_NAMES)[number];
/** Written by programs; user space zeroes an element when its id gets a new owner. */
export type StatsName = "backend_stats" | "frontend_stats";
/** Written by programs, but for those that user space deletes: which client has which backend, what redirects took of a second. */
export type MemoryName = "affinities" | "redirect_windows";
/** Who goes past redirects: written by user space, besides any plan's round. */
export type GuardsName = "guards";
export type AnyMapName = MapName | StatsName | MemoryName | GuardsName;

/**
 * Keys and values are the kernel's bytes as binary (latin1) strings: they compare by ===, key a Map and cannot be
 * changed by accident. An all-zero element of an array map counts as absent: `dump` leaves it out, `delete` makes it.
 */
export type Entries = ReadonlyElements;

/** One element that could not be written. */
export interface EntryFailure {
	readonly key: string;
	/** A negative errno. */
	readonly errno: number;
}

export interface Maps {
	/** A copy. */
	dump(map: AnyMapName): Elements;
	/** Writes in the given order; returns those that failed, the others are written. */
	put(map: AnyMapName, entries: Entries): readonly EntryFailure[];
	/** An element that is absent already is not a failure. */
	delete(map: AnyMapName, keys: Iterable<string>): readonly EntryFailure[];
}

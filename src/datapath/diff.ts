// What has to be written so that the maps hold what they should: values, not deeds.

import type { Contents, Keys } from "./contents.ts";
import { emptyContents, emptyKeys } from "./contents.ts";
import type { Elements, ReadonlyElements } from "./elements.ts";
import { MAP_NAMES } from "./maps.ts";

export interface Difference {
	/** Elements to write, new or changed. */
	readonly puts: Contents;
	/** Elements to take away. */
	readonly deletes: Keys;
}

/** Compares these keys, or all there are. */
export function diff(actual: Contents, wanted: Contents, keys: Keys | "all"): Difference {
	const puts = keys === "all" ? emptyContents() : fewContents();
	const difference: Difference = { puts, deletes: emptyKeys() };
	for (const map of MAP_NAMES) {
		const sides = {
			actual: actual[map],
			wanted: wanted[map],
			puts: difference.puts[map],
			deletes: difference.deletes[map],
		};
		if (keys === "all") compareAll(sides);
		else compareKeys(sides, keys[map]);
	}
	return difference;
}

/** For some elements out of many: they need no room for those between them. */
function fewContents(): Contents {
	return { backends: new Map(), slots: new Map(), names: new Map(), frontends: new Map() };
}

/** One map. */
interface Sides {
	readonly actual: ReadonlyElements;
	readonly wanted: ReadonlyElements;
	readonly puts: Elements;
	readonly deletes: Set<string>;
}

function compareAll({ actual, wanted, puts, deletes }: Sides): void {
	for (const [key, value] of wanted) if (actual.get(key) !== value) puts.set(key, value);
	for (const key of actual.keys()) if (!wanted.has(key)) deletes.add(key);
}

function compareKeys({ actual, wanted, puts, deletes }: Sides, keys: ReadonlySet<string>): void {
	for (const key of keys) {
		const is = actual.get(key);
		const should = wanted.get(key);
		if (is === should) continue;
		if (should === undefined) deletes.add(key);
		else puts.set(key, should);
	}
}

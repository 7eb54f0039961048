// What has to be written so that the maps hold what they should: values, not deeds.

import type { Contents, Keys } from "./contents.ts";
import { emptyContents, emptyKeys } from "./contents.ts";
import type { Elements, ReadonlyElements } from "./elements.ts";
import type { Entries, MapName } from "./maps.ts";

export interface Difference {
	/** Elements to write, new or changed. */
	readonly puts: Readonly<Record<MapName, Entries>>;
	/** Elements to take away. */
	readonly deletes: Keys;
}

/** Compares these keys, or all there are. Good as long as `wanted` is not changed. */
export function diff(actual: Contents, wanted: Contents, keys: Keys | "all"): Difference {
	const deletes = emptyKeys();
	const putsOf = (map: MapName) => compare(actual[map], wanted[map], { map, keys, deletes });
	const puts = {
		backends: putsOf("backends"),
		slots: putsOf("slots"),
		names: putsOf("names"),
		frontends: putsOf("frontends"),
		addresses: putsOf("addresses"),
	};
	return { puts, deletes };
}

interface Comparison {
	readonly map: MapName;
	readonly keys: Keys | "all";
	readonly deletes: Keys;
}

function compare(actual: ReadonlyElements, wanted: ReadonlyElements, { map, keys, deletes }: Comparison): Entries {
	// At the first start all of it: not even the list of it need be made.
	if (keys === "all" && actual.size === 0) return wanted;
	const puts = keys === "all" ? emptyContents()[map] : new Map<string, string>();
	const sides = { actual, wanted, puts, deletes: deletes[map] };
	if (keys === "all") compareAll(sides);
	else compareKeys(sides, keys[map]);
	return puts;
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

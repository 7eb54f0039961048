// What has to be written so that the maps hold what they should: values, not deeds.

import type { Contents, Keys } from "./contents.ts";
import { emptyContents, emptyKeys } from "./contents.ts";
import type { MapName } from "./maps.ts";
import { MAP_NAMES } from "./maps.ts";

export interface Difference {
	/** Elements to write, new or changed. */
	readonly puts: Contents;
	/** Elements to take away. */
	readonly deletes: Keys;
}

/** Compares all keys. */
export function diffAll(actual: Contents, wanted: Contents): Difference {
	const difference: Difference = { puts: emptyContents(), deletes: emptyKeys() };
	for (const map of MAP_NAMES) {
		for (const [key, value] of wanted[map]) if (actual[map].get(key) !== value) difference.puts[map].set(key, value);
		for (const key of actual[map].keys()) if (!wanted[map].has(key)) difference.deletes[map].add(key);
	}
	return difference;
}

/** Compares these keys only. */
export function diffKeys(actual: Contents, wanted: Contents, keys: Keys): Difference {
	const difference: Difference = { puts: emptyContents(), deletes: emptyKeys() };
	for (const map of MAP_NAMES) for (const key of keys[map]) compare(difference, map, key, { actual, wanted });
	return difference;
}

interface Sides {
	readonly actual: Contents;
	readonly wanted: Contents;
}

function compare(difference: Difference, map: MapName, key: string, { actual, wanted }: Sides): void {
	const is = actual[map].get(key);
	const should = wanted[map].get(key);
	if (is === should) return;
	if (should === undefined) difference.deletes[map].add(key);
	else difference.puts[map].set(key, should);
}

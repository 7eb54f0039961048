// The contents of all maps as flat bytes: what is, what should be, and the keys where the two may differ.

import { createArrayElements, type Elements } from "./elements.ts";
import { sizeOf } from "./layout.ts";
import type { MapName, Maps } from "./maps.ts";

/** Key to value, by map. */
export type Contents = Readonly<Record<MapName, Elements>>;
/** Keys, by map. */
export type Keys = Readonly<Record<MapName, Set<string>>>;

export function emptyContents(): Contents {
	return {
		backends: createArrayElements(sizeOf("backend")),
		slots: createArrayElements(sizeOf("slot")),
		names: new Map(),
		frontends: new Map(),
		addresses: new Map(),
	};
}

export function emptyKeys(): Keys {
	return {
		backends: new Set(),
		slots: new Set(),
		names: new Set(),
		frontends: new Set(),
		addresses: new Set(),
	};
}

/** Reads all maps, from referring to referred: what is referred to when it is read is still there when its turn comes. */
export function readContents(maps: Maps): Contents {
	const addresses = maps.dump("addresses");
	const frontends = maps.dump("frontends");
	const names = maps.dump("names");
	const slots = maps.dump("slots");
	return { addresses, frontends, names, slots, backends: maps.dump("backends") };
}

/** `actual`, in the texts of `wanted` where both say the same: whoever keeps both keeps them once. */
export function shareTexts(actual: Contents, wanted: Contents): Contents {
	const names = shareMap(actual.names, wanted.names);
	const frontends = shareMap(actual.frontends, wanted.frontends);
	const addresses = shareMap(actual.addresses, wanted.addresses);
	// The others are bytes.
	return { ...actual, names, frontends, addresses };
}

function shareMap(actual: Elements, wanted: Elements): Elements {
	if (actual.size === 0 || wanted.size === 0) return actual;
	const shared = new Map<string, string>();
	for (const [key, value] of wanted) if (actual.get(key) === value) shared.set(key, value);
	for (const [key, value] of actual) if (!shared.has(key)) shared.set(key, value);
	return shared;
}

/** The wanted contents, and where the maps may differ from them. */
export interface Wanted {
	readonly contents: Contents;
	put(map: MapName, key: string, value: string): void;
	delete(map: MapName, key: string): void;
	/** The keys touched since the last round and those left by it. "all" until the first round has ended, and after too many. */
	dirty(): Keys | "all";
	/** Ends a round: these keys are still not as wanted; "all": nobody knows. */
	keep(keys: Keys | "all"): void;
}

/** Touched keys of one map: to remember more of them costs more than to compare everything. */
const MOST_KEYS = 20_000;

export function createWanted(): Wanted {
	const contents = emptyContents();
	let dirty: Keys | "all" = "all";

	function touch(map: MapName, key: string): void {
		if (dirty === "all") return;
		dirty[map].add(key);
		if (dirty[map].size > MOST_KEYS) dirty = "all";
	}

	return {
		contents,
		put(map, key, value) {
			if (dirty !== "all" && contents[map].get(key) === value) return;
			contents[map].set(key, value);
			touch(map, key);
		},
		delete(map, key) {
			if (contents[map].delete(key)) touch(map, key);
		},
		dirty: () => dirty,
		keep(keys) {
			dirty = keys;
		},
	};
}

// The contents of all maps as flat bytes: what is, what should be, and the keys where the two may differ.

import type { MapName, Maps } from "./maps.ts";

/** Key to value, by map. */
export type Contents = Readonly<Record<MapName, Map<string, string>>>;
/** Keys, by map. */
export type Keys = Readonly<Record<MapName, Set<string>>>;

export function emptyContents(): Contents {
	return { backends: new Map(), slots: new Map(), names: new Map(), frontends: new Map() };
}

export function emptyKeys(): Keys {
	return { backends: new Set(), slots: new Set(), names: new Set(), frontends: new Set() };
}

/** Reads all maps, from referring to referred: what is referred to when it is read is still there when its turn comes. */
export function readContents(maps: Maps): Contents {
	const frontends = maps.dump("frontends");
	const names = maps.dump("names");
	const slots = maps.dump("slots");
	return { frontends, names, slots, backends: maps.dump("backends") };
}

/** The wanted contents, and which keys were touched since the last round. */
export interface Wanted {
	readonly contents: Contents;
	put(map: MapName, key: string, value: string): void;
	delete(map: MapName, key: string): void;
	dirty(): Keys;
	/** After a round: these keys are still not as wanted. */
	keep(keys: Keys): void;
}

export function createWanted(): Wanted {
	const contents = emptyContents();
	let dirty = emptyKeys();
	return {
		contents,
		put(map, key, value) {
			if (contents[map].get(key) === value) return;
			contents[map].set(key, value);
			dirty[map].add(key);
		},
		delete(map, key) {
			if (contents[map].delete(key)) dirty[map].add(key);
		},
		dirty: () => dirty,
		keep(keys) {
			dirty = keys;
		},
	};
}

// The objects of one kind that a view shows: the identical snapshot as long as none of them changes.

import { isEqual } from "../../lib/equal.ts";
import { createLayeredMap } from "../../lib/layered_map.ts";

export interface ViewTable<K extends string, V> {
	get(key: K): V | undefined;
	/** Several watches may tell of one object: what says the same as before stays as it is. */
	put(key: K, value: V, isGone: boolean): void;
	/** The identical Map as before if nothing changed. */
	snapshot(): ReadonlyMap<K, V>;
}

export function createViewTable<K extends string, V extends object>(): ViewTable<K, V> {
	const entries = createLayeredMap<V, K>();
	let last: ReadonlyMap<K, V> = new Map();
	let isDirty = false;
	return {
		get: entries.get,
		put(key, value, isGone) {
			if (isGone) isDirty = entries.delete(key) || isDirty;
			else if (!isEqual(entries.get(key), value)) {
				entries.set(key, value);
				isDirty = true;
			}
		},
		snapshot() {
			if (isDirty) last = entries.snapshot();
			isDirty = false;
			return last;
		},
	};
}

// A map whose snapshots stay the identical one as long as nothing in it has become another thing.

import { isEqual } from "../lib/equal.ts";

/** Small: each new snapshot is a copy. */
export interface KeptMap<V extends object, K extends string = string> {
	/** An equal value leaves the former one there. */
	set(key: K, value: V): void;
	delete(key: K): void;
	/** Sorted by key. */
	snapshot(): ReadonlyMap<K, V>;
}

export function createKeptMap<V extends object, K extends string = string>(): KeptMap<V, K> {
	const values = new Map<K, V>();
	let last: ReadonlyMap<K, V> = new Map();
	let isLast = true;
	return {
		set(key, value) {
			const old = values.get(key);
			if (old !== undefined && isEqual(old, value)) return;
			values.set(key, value);
			isLast = false;
		},
		delete(key) {
			if (values.delete(key)) isLast = false;
		},
		snapshot() {
			if (!isLast) last = new Map([...values].sort(([a], [b]) => (a < b ? -1 : 1)));
			isLast = true;
			return last;
		},
	};
}

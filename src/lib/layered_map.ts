// A map that is snapshotted after every small change: snapshots share what did not change, and tell at once what did.

/** Fewer entries than this are simply copied. */
const MANY = 1000;
/** Changes on top of a common bottom until a new one is made; making one means to copy all entries. */
const DEEPEST = 256;

/** Editable; its snapshots are not. */
export interface LayeredMap<V> {
	readonly size: number;
	get(key: string): V | undefined;
	set(key: string, value: V): void;
	delete(key: string): boolean;
	keys(): IterableIterator<string>;
	values(): IterableIterator<V>;
	/** As it is now, for ever. The order of its entries means nothing. */
	snapshot(): ReadonlyMap<string, V>;
}

/** Changes of entries; undefined: deleted. */
type Changes<V> = ReadonlyMap<string, V | undefined>;

/** What many snapshots have in common. Never edited. */
interface Bottom<V> {
	readonly entries: ReadonlyMap<string, V>;
	/** The one before it, and what was above that when this one was made. */
	readonly former: { readonly token: object; readonly changes: Changes<V> } | undefined;
	/** Stands for this bottom where its entries are not kept. */
	readonly token: object;
}

/** A snapshot of many entries. */
interface Layers<V> extends ReadonlyMap<string, V> {
	/** The same (===) in many snapshots. */
	readonly bottom: Bottom<V>;
	/** What is above it. Never edited. */
	readonly top: Changes<V>;
}

/** No value is undefined. */
export function createLayeredMap<V extends object>({ many = MANY, deepest = DEEPEST } = {}): LayeredMap<V> {
	const now = new Map<string, V>();
	let bottom: Bottom<V> | undefined;
	/** What may differ from the bottom; undefined: deleted. */
	let top = new Map<string, V | undefined>();

	return {
		get size() {
			return now.size;
		},
		get: (key) => now.get(key),
		set(key, value) {
			now.set(key, value);
			top.set(key, value);
		},
		delete(key) {
			top.set(key, undefined);
			return now.delete(key);
		},
		keys: () => now.keys(),
		values: () => now.values(),
		snapshot() {
			if (now.size < many) {
				bottom = undefined;
				top = new Map();
				return new Map(now);
			}
			if (bottom === undefined || top.size > deepest) {
				// After a great many changes everything is looked at, and nothing of them is kept.
				const former = bottom && top.size <= 2 * deepest ? { token: bottom.token, changes: top } : undefined;
				bottom = { entries: new Map(now), former, token: {} };
				top = new Map();
			}
			return layersOf(bottom, new Map(top), now.size);
		},
	};
}

/** Keys whose values may differ between two maps, no key twice; undefined: nobody knows, look at all. */
export function keysBetween<V>(
	before: ReadonlyMap<string, V>,
	after: ReadonlyMap<string, V>,
): ReadonlySet<string> | undefined {
	if (before === after) return new Set();
	if (!isLayers(before) || !isLayers(after)) return undefined;
	const keys = new Set<string>();
	// Most of what is above the bottom is in both: their readers should not have to find that out, each for himself.
	const compare = (changes: Changes<V>): void => {
		for (const key of changes.keys()) if (before.get(key) !== after.get(key)) keys.add(key);
	};
	const { former } = after.bottom;
	if (before.bottom !== after.bottom) {
		if (former === undefined || former.token !== before.bottom.token) return undefined;
		compare(former.changes);
	}
	compare(before.top);
	compare(after.top);
	return keys;
}

function isLayers<V>(map: ReadonlyMap<string, V>): map is Layers<V> {
	return "bottom" in map && "top" in map;
}

function layersOf<V extends object>(bottom: Bottom<V>, top: Changes<V>, size: number): Layers<V> {
	function get(key: string): V | undefined {
		return top.has(key) ? top.get(key) : bottom.entries.get(key);
	}

	function* entries(): Generator<[string, V], undefined> {
		for (const [key, value] of bottom.entries) if (!top.has(key)) yield [key, value];
		for (const [key, value] of top) if (value !== undefined) yield [key, value];
	}

	return {
		bottom,
		top,
		size,
		get,
		has: (key) => get(key) !== undefined,
		entries,
		keys: () => entries().map(([key]) => key),
		values: () => entries().map(([, value]) => value),
		[Symbol.iterator]: entries,
		forEach(call) {
			for (const [key, value] of entries()) call(value, key, this);
		},
	};
}

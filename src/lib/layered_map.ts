// A map that is snapshotted after every small change: snapshots share what did not change, and tell at once what did.

/** Fewer entries than this are simply copied. */
const MANY = 1000;
/** Changes on top of a common bottom until a new one is made; making one means to copy all entries. */
const DEEPEST = 256;

/** Editable; its snapshots are not. */
export interface LayeredMap<V, K extends string = string> {
	readonly size: number;
	get(key: K): V | undefined;
	set(key: K, value: V): void;
	delete(key: K): boolean;
	keys(): IterableIterator<K>;
	values(): IterableIterator<V>;
	/** As it is now, for ever. The order of its entries means nothing. */
	snapshot(): ReadonlyMap<K, V>;
}

/** Changes of entries; undefined: deleted. */
type Changes<V, K> = ReadonlyMap<K, V | undefined>;

/** What many snapshots have in common. Never edited. */
interface Bottom<V, K> {
	readonly entries: ReadonlyMap<K, V>;
	/** The one before it, and what was above that when this one was made. */
	readonly former: { readonly token: object; readonly changes: Changes<V, K> } | undefined;
	/** Stands for this bottom where its entries are not kept. */
	readonly token: object;
}

/** A snapshot of many entries. */
interface Layers<V, K> extends ReadonlyMap<K, V> {
	/** The same (===) in many snapshots. */
	readonly bottom: Bottom<V, K>;
	/** What is above it. Never edited. */
	readonly top: Changes<V, K>;
}

/** No value is undefined. */
export function createLayeredMap<V extends object, K extends string = string>({
	many = MANY,
	deepest = DEEPEST,
} = {}): LayeredMap<V, K> {
	/** Edited as long as there is no bottom: from then on it is the bottom's. */
	let base = new Map<K, V>();
	let bottom: Bottom<V, K> | undefined;
	/** What may differ from the bottom; undefined: deleted. */
	let top = new Map<K, V | undefined>();
	let size = 0;

	function get(key: K): V | undefined {
		return top.has(key) ? top.get(key) : base.get(key);
	}

	/** Its entries in a new Map. */
	function copy(): Map<K, V> {
		const entries = new Map(base);
		for (const [key, value] of top) {
			if (value === undefined) entries.delete(key);
			else entries.set(key, value);
		}
		return entries;
	}

	/** Whatever is above the base goes into it. */
	function flatten(): void {
		if (bottom !== undefined) base = copy();
		top = new Map();
	}

	return {
		get size() {
			return size;
		},
		get,
		set(key, value) {
			if (get(key) === undefined) size += 1;
			if (bottom === undefined) base.set(key, value);
			else top.set(key, value);
		},
		delete(key) {
			if (get(key) === undefined) return false;
			size -= 1;
			if (bottom === undefined) base.delete(key);
			else top.set(key, undefined);
			return true;
		},
		keys: () => entriesOf(base, top).map(([key]) => key),
		values: () => entriesOf(base, top).map(([, value]) => value),
		snapshot() {
			if (size < many) {
				flatten();
				bottom = undefined;
				return new Map(base);
			}
			if (bottom === undefined || top.size > deepest) {
				// After a great many changes everything is looked at, and nothing of them is kept.
				const former = bottom && top.size <= 2 * deepest ? { token: bottom.token, changes: top } : undefined;
				flatten();
				bottom = { entries: base, former, token: {} };
			}
			return layersOf(bottom, new Map(top), size);
		},
	};
}

function* entriesOf<V, K>(bottom: ReadonlyMap<K, V>, top: Changes<V, K>): Generator<[K, V], undefined> {
	for (const [key, value] of bottom) if (!top.has(key)) yield [key, value];
	for (const [key, value] of top) if (value !== undefined) yield [key, value];
}

/** Keys whose values may differ between two maps, no key twice; undefined: nobody knows, look at all. */
export function keysBetween<V, K extends string>(
	before: ReadonlyMap<K, V>,
	after: ReadonlyMap<K, V>,
): ReadonlySet<K> | undefined {
	if (before === after) return new Set();
	if (!isLayers(before) || !isLayers(after)) return undefined;
	const keys = new Set<K>();
	// Most of what is above the bottom is in both: their readers should not have to find that out, each for himself.
	const compare = (changes: Changes<V, K>): void => {
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

function isLayers<V, K>(map: ReadonlyMap<K, V>): map is Layers<V, K> {
	return "bottom" in map && "top" in map;
}

function layersOf<V extends object, K>(bottom: Bottom<V, K>, top: Changes<V, K>, size: number): Layers<V, K> {
	function get(key: K): V | undefined {
		return top.has(key) ? top.get(key) : bottom.entries.get(key);
	}

	function entries(): Generator<[K, V], undefined> {
		return entriesOf(bottom.entries, top);
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

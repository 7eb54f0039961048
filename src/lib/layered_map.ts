// A map that is snapshotted after every small change: snapshots share what did not change, and tell at once what did.

/** Fewer entries than this are simply copied. */
const MANY = 1000;
/** Changes on top of a common bottom until a new one is made; making one costs as much as there are entries. */
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

/** A snapshot of many entries. */
interface Layers<V> extends ReadonlyMap<string, V> {
	/** Never edited, and the same (===) in many snapshots. */
	readonly bottom: ReadonlyMap<string, V>;
	/** What is above it; undefined: deleted. Never edited. */
	readonly top: ReadonlyMap<string, V | undefined>;
}

/** No value is undefined. */
export function createLayeredMap<V extends object>({ many = MANY, deepest = DEEPEST } = {}): LayeredMap<V> {
	const now = new Map<string, V>();
	let bottom: ReadonlyMap<string, V> = new Map();
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
			const isSmall = now.size < many;
			if (isSmall || bottom.size === 0 || top.size > deepest) {
				bottom = isSmall ? new Map() : new Map(now);
				top = new Map();
			}
			return isSmall ? new Map(now) : layersOf(bottom, new Map(top), now.size);
		},
	};
}

/** Keys whose values may differ between two maps, no key twice; undefined: nobody knows, look at all. */
export function keysBetween<V>(
	before: ReadonlyMap<string, V>,
	after: ReadonlyMap<string, V>,
): ReadonlySet<string> | undefined {
	if (before === after) return new Set();
	if (!isLayers(before) || !isLayers(after) || before.bottom !== after.bottom) return undefined;
	const keys = new Set<string>();
	// Most of what is above the bottom is in both: their readers should not have to find that out, each for himself.
	for (const [key, value] of after.top) if (value !== before.top.get(key) || !before.top.has(key)) keys.add(key);
	for (const key of before.top.keys()) if (!after.top.has(key)) keys.add(key);
	return keys;
}

function isLayers<V>(map: ReadonlyMap<string, V>): map is Layers<V> {
	return "bottom" in map && "top" in map;
}

function layersOf<V extends object>(
	bottom: ReadonlyMap<string, V>,
	top: ReadonlyMap<string, V | undefined>,
	size: number,
): Layers<V> {
	function get(key: string): V | undefined {
		return top.has(key) ? top.get(key) : bottom.get(key);
	}

	function* entries(): Generator<[string, V], undefined> {
		for (const [key, value] of bottom) if (!top.has(key)) yield [key, value];
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

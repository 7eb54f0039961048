// Keys of one length by number, and numbers by key: in two pieces of memory. A Map takes ten times as much for 100,000 of them.

import { Buffer } from "node:buffer";

/** Keys are binary (latin1) strings; one of zeros counts as none. */
export interface ByteIndex {
	/** Undefined if no number has this key. */
	find(key: string): number | undefined;
	/** Undefined if this number has no key. */
	keyOf(number: number): string | undefined;
	/** Numbers begin with 1. Neither the number nor the key is there yet. */
	add(number: number, key: string): void;
	delete(number: number): void;
}

/** Keys that there is room for in the beginning; a power of two. */
const ROOM = 16;
const WORD = 4;
const MIX = 0x9e37_79b1;

interface State {
	/** Words of a key. */
	readonly perKey: number;
	/** The keys by number. That of 0 is the one that is looked for. */
	words: Uint32Array;
	/** The same memory. */
	bytes: Buffer;
	/** Numbers, each at the place that its key's hash says or behind it; 0: none. Never more than half full. */
	table: Uint32Array;
	count: number;
}

/** `size`: bytes of a key, a multiple of four. */
export function createByteIndex(size: number): ByteIndex {
	const perKey = size / WORD;
	const words = new Uint32Array(ROOM * perKey);
	const state: State = { perKey, words, bytes: Buffer.from(words.buffer), table: new Uint32Array(2 * ROOM), count: 0 };
	return {
		find(key) {
			state.bytes.write(key, 0, "latin1");
			const number = state.table[placeOf(state, 0)] ?? 0;
			return number === 0 ? undefined : number;
		},
		keyOf(number) {
			if (number < 1 || !hasKey(state, number)) return undefined;
			return state.bytes.toString("latin1", number * size, (number + 1) * size);
		},
		add(number, key) {
			if (key.length !== size) throw new RangeError(`Cannot index a key of ${key.length} bytes: ${size} are due`);
			growKeys(state, number);
			growTable(state);
			state.bytes.write(key, number * size, "latin1");
			state.table[placeOf(state, number)] = number;
			state.count += 1;
		},
		delete(number) {
			if (number < 1 || !hasKey(state, number)) return;
			closeGap(state, placeOf(state, number));
			state.words.fill(0, number * perKey, (number + 1) * perKey);
			state.count -= 1;
		},
	};
}

function homeOf({ perKey, words, table }: State, number: number): number {
	let hash = 0;
	for (let at = number * perKey; at < (number + 1) * perKey; at++) {
		hash = Math.imul(hash ^ (words[at] ?? 0), MIX);
		hash ^= hash >>> 15;
	}
	return hash & (table.length - 1);
}

/** Where in the table this number's key is, whoever has it, or where it would be. */
function placeOf(state: State, number: number): number {
	const { table } = state;
	let place = homeOf(state, number);
	for (;;) {
		const other = table[place] ?? 0;
		if (other === 0 || isSameKey(state, number, other)) return place;
		place = (place + 1) & (table.length - 1);
	}
}

function isSameKey({ perKey, words }: State, a: number, b: number): boolean {
	for (let at = 0; at < perKey; at++) if (words[a * perKey + at] !== words[b * perKey + at]) return false;
	return true;
}

function hasKey({ perKey, words }: State, number: number): boolean {
	for (let at = number * perKey; at < (number + 1) * perKey; at++) if ((words[at] ?? 0) !== 0) return true;
	return false;
}

function growKeys(state: State, number: number): void {
	const { perKey, words } = state;
	const due = (number + 1) * perKey;
	if (due <= words.length) return;
	state.words = new Uint32Array(Math.max(2 * words.length, due));
	state.words.set(words);
	state.bytes = Buffer.from(state.words.buffer);
}

function growTable(state: State): void {
	const before = state.table;
	if (2 * (state.count + 1) <= before.length) return;
	state.table = new Uint32Array(2 * before.length);
	for (const number of before) if (number !== 0) state.table[placeOf(state, number)] = number;
}

/** Those behind the gap move up, or nobody would find them. */
function closeGap(state: State, gap: number): void {
	const { table } = state;
	const mask = table.length - 1;
	let free = gap;
	for (let place = (gap + 1) & mask; table[place] !== 0; place = (place + 1) & mask) {
		const number = table[place] ?? 0;
		// Nearer to its home than to the gap: there nobody would look for it.
		if (((place - homeOf(state, number)) & mask) < ((place - free) & mask)) continue;
		table[free] = number;
		free = place;
	}
	table[free] = 0;
}

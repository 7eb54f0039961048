// The elements of one map: a Map of strings, or, for the maps with one element per backend, bytes without an object each.

import { Buffer } from "node:buffer";
import { decodeId, encodeId } from "./codec.ts";

/** Key to value, both binary strings; a `Map<string, string>` is one. */
export interface ReadonlyElements {
	readonly size: number;
	get(key: string): string | undefined;
	has(key: string): boolean;
	keys(): IterableIterator<string>;
	[Symbol.iterator](): IterableIterator<[string, string]>;
}

export interface Elements extends ReadonlyElements {
	set(key: string, value: string): unknown;
	/** Whether there was one. */
	delete(key: string): boolean;
}

/** The elements of an array map: in the order of their index; one of zeros is absent. */
export interface ArrayElements extends Elements {
	/** As `set`, from bytes that begin at this offset. */
	copy(index: number, source: Uint8Array, offset: number): void;
}

/** Elements that there is room for in the beginning. */
const ROOM = 16;
/** Bytes that are looked at together. */
const WORD = 4;

/** `valueSize` in bytes, a multiple of four. Takes `valueSize` bytes for each element up to the greatest index, and up to twice as many. */
export function createArrayElements(valueSize: number): ArrayElements {
	let bytes = Buffer.alloc(0);
	/** The same memory. */
	let words = new Uint32Array(0);
	let size = 0;
	const zeroText = "\0".repeat(valueSize);

	/** -1 if there is none. */
	function find(key: string): number {
		const at = key.length === 4 ? decodeId(key) * valueSize : bytes.length;
		return at < bytes.length && isPresent(at) ? at : -1;
	}

	function isPresent(at: number): boolean {
		const end = (at + valueSize) / WORD;
		for (let index = at / WORD; index < end; index++) if (words[index] !== 0) return true;
		return false;
	}

	/** The place of an element that is about to be written; it counts as absent from now on. */
	function makeRoom(index: number): number {
		const at = index * valueSize;
		if (at >= bytes.length) {
			const larger = Buffer.alloc(Math.max(2 * bytes.length, at + valueSize, ROOM * valueSize));
			larger.set(bytes);
			bytes = larger;
			words = new Uint32Array(larger.buffer, larger.byteOffset, larger.byteLength / WORD);
		}
		if (isPresent(at)) size -= 1;
		return at;
	}

	function* places(): Generator<number, undefined> {
		for (let at = 0; at < bytes.length; at += valueSize) if (isPresent(at)) yield at;
	}

	function* entries(): Generator<[string, string], undefined> {
		for (const at of places()) yield [encodeId(at / valueSize), bytes.toString("latin1", at, at + valueSize)];
	}

	function* keys(): Generator<string, undefined> {
		for (const at of places()) yield encodeId(at / valueSize);
	}

	return {
		get size() {
			return size;
		},
		get(key) {
			const at = find(key);
			return at < 0 ? undefined : bytes.toString("latin1", at, at + valueSize);
		},
		has: (key) => find(key) >= 0,
		keys,
		[Symbol.iterator]: entries,
		set(key, value) {
			checkSizes(key, value, valueSize);
			const at = makeRoom(decodeId(key));
			bytes.write(value, at, "latin1");
			if (value !== zeroText) size += 1;
		},
		delete(key) {
			const at = find(key);
			if (at < 0) return false;
			bytes.fill(0, at, at + valueSize);
			size -= 1;
			return true;
		},
		copy(index, source, offset) {
			const at = makeRoom(index);
			bytes.set(source.subarray(offset, offset + valueSize), at);
			if (isPresent(at)) size += 1;
		},
	};
}

function checkSizes(key: string, value: string, valueSize: number): void {
	if (key.length === 4 && value.length === valueSize) return;
	throw new RangeError(`Cannot keep an element of ${key.length} and ${value.length} bytes: 4 and ${valueSize} are due`);
}

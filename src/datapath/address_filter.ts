// Which addresses a program need not look up: one bit for each hash of those that the maps have, set before the element is written.

import { Buffer } from "node:buffer";
import { type BpfMap, errnoName } from "bun-ffi-libbpf";
import { encodeId } from "./codec.ts";
import { ADDRESS_NUMBERS } from "./layout.ts";
import type { AnyMapName, Entries, EntryFailure, Maps } from "./maps.ts";

const { HASH_BITS } = ADDRESS_NUMBERS;
const WORD = 8;
/** Of the address, as __be32 that the programs read as they stand. */
const FACTORS = [0xc2b2ae3d, 0x27d4eb2f, 0x85ebca77, 0x9e3779b1];

/** The maps whose keys begin with an address. */
const ADDRESSED: ReadonlySet<AnyMapName> = new Set<AnyMapName>(["frontends", "addresses"]);

/** As bpf/destination.h has it. `key` begins with the 16 bytes of an address. */
export function addressHash(key: string): number {
	let hash = 0;
	for (const [index, factor] of FACTORS.entries()) hash = (hash + Math.imul(wordAt(key, index * 4), factor)) | 0;
	return hash >>> (32 - HASH_BITS);
}

function wordAt(key: string, at: number): number {
	return (
		key.charCodeAt(at) | (key.charCodeAt(at + 1) << 8) | (key.charCodeAt(at + 2) << 16) | (key.charCodeAt(at + 3) << 24)
	);
}

/** As the value of all words, one after the other. */
function emptyBits(): Buffer {
	return Buffer.alloc((1 << HASH_BITS) / 8);
}

function setBit(bits: Buffer, hash: number): void {
	bits[hash >> 3] = (bits[hash >> 3] ?? 0) | (1 << (hash & 7));
}

function hasBit(bits: Buffer, hash: number): boolean {
	return ((bits[hash >> 3] ?? 0) & (1 << (hash & 7))) !== 0;
}

/** The words of the map that differ are written. Returns 0, or the errno of the first that could not be. */
function writeBits(map: BpfMap, wanted: Buffer, actual: Buffer): number {
	const words: number[] = [];
	for (let at = 0; at < wanted.length; at += WORD)
		if (wanted.compare(actual, at, at + WORD, at, at + WORD) !== 0) words.push(at / WORD);
	if (words.length === 0) return 0;
	const keys = Buffer.from(words.map(encodeId).join(""), "latin1");
	const values = Buffer.concat(words.map((word) => wanted.subarray(word * WORD, (word + 1) * WORD)));
	const { errno } = map.updateBatch(keys, values);
	if (errno === 0) wanted.copy(actual);
	return errno;
}

function readBits(map: BpfMap): Buffer {
	const bits = emptyBits();
	for (const { keys, values, count } of map.chunks()) {
		const indices = new DataView(keys.buffer, keys.byteOffset, keys.byteLength);
		for (let at = 0; at < count; at++)
			bits.set(values.subarray(at * WORD, (at + 1) * WORD), indices.getUint32(at * 4, true) * WORD);
	}
	return bits;
}

/**
 * The same maps, with the filter kept true. At once, and whenever `frontends` is read back (a resync), it is made exact; a put adds what it
 * needs first. For whoever alone writes these maps. Throws, as `dump` does, if the kernel does not take the filter.
 */
export function withAddressFilter(maps: Maps, filter: BpfMap): Maps {
	let actual = readBits(filter);

	function makeExact(frontends: Entries): void {
		const wanted = emptyBits();
		for (const key of frontends.keys()) setBit(wanted, addressHash(key));
		for (const key of maps.dump("addresses").keys()) setBit(wanted, addressHash(key));
		actual = readBits(filter);
		const errno = writeBits(filter, wanted, actual);
		if (errno !== 0) throw new Error(`Cannot write the filter of addresses: ${errnoName(errno)}`);
	}

	function admit(keys: Iterable<string>): number {
		let wanted: Buffer | undefined;
		for (const key of keys) {
			const hash = addressHash(key);
			if (hasBit(actual, hash)) continue;
			wanted ??= Buffer.from(actual);
			setBit(wanted, hash);
		}
		return wanted === undefined ? 0 : writeBits(filter, wanted, actual);
	}

	function failed(entries: Entries, errno: number): readonly EntryFailure[] {
		return Array.from(entries.keys(), (key) => ({ key, errno: -errno }));
	}

	makeExact(maps.dump("frontends"));
	return {
		dump(name) {
			const found = maps.dump(name);
			if (name === "frontends") makeExact(found);
			return found;
		},
		put(name, entries) {
			const errno = ADDRESSED.has(name) ? admit(entries.keys()) : 0;
			return errno === 0 ? maps.put(name, entries) : failed(entries, errno);
		},
		delete: (name, keys) => maps.delete(name, keys),
	};
}

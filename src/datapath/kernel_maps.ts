// Maps over the kernel's pinned maps: whole batches where possible, element by element around one that fails.

import { Buffer } from "node:buffer";
import { type BpfMap, errnoNumber } from "bun-ffi-libbpf";
import { createArrayElements, type Elements } from "./elements.ts";
import type { AnyMapName, Entries, EntryFailure, Maps } from "./maps.ts";

/** Elements in one system call: some milliseconds at the most, so that the event loop stays awake. */
const BATCH = 4096;

const ENOENT = errnoNumber("ENOENT");
const EINVAL = errnoNumber("EINVAL");

/** The maps that are arrays: their elements cannot be deleted, only zeroed. */
const ARRAYS: ReadonlySet<AnyMapName> = new Set<AnyMapName>(["backends", "slots", "backend_stats", "frontend_stats"]);

export type KernelMapSet = Readonly<Record<AnyMapName, BpfMap>>;

function join(parts: readonly string[]): Buffer {
	return Buffer.from(parts.join(""), "latin1");
}

interface Batch {
	readonly keys: readonly string[];
	readonly values: readonly string[];
}

/** Writes one batch; where the kernel stops at an element, notes it and goes on behind it. */
function putBatch(map: BpfMap, { keys, values }: Batch): EntryFailure[] {
	const { keySize, valueSize } = map.info;
	const [keyBytes, valueBytes] = [join(keys), join(values)];
	const failures: EntryFailure[] = [];
	let start = 0;
	while (start < keys.length) {
		const { written, errno } = map.updateBatch(
			keyBytes.subarray(start * keySize),
			valueBytes.subarray(start * valueSize),
		);
		const key = keys[start + written];
		if (errno === 0 || key === undefined) break;
		failures.push({ key, errno: -errno });
		start += written + 1;
	}
	return failures;
}

/** In batches of elements of the right size: one of another size would shift all that follow. */
function put(map: BpfMap, entries: Entries): EntryFailure[] {
	const { keySize, valueSize } = map.info;
	const failures: EntryFailure[] = [];
	let keys: string[] = [];
	let values: string[] = [];
	function flush(): void {
		failures.push(...putBatch(map, { keys, values }));
		[keys, values] = [[], []];
	}
	for (const [key, value] of entries) {
		if (key.length !== keySize || value.length !== valueSize) {
			failures.push({ key, errno: -EINVAL });
			continue;
		}
		keys.push(key);
		values.push(value);
		if (keys.length === BATCH) flush();
	}
	flush();
	return failures;
}

function remove(map: BpfMap, keys: Iterable<string>): EntryFailure[] {
	const failures: EntryFailure[] = [];
	for (const key of keys) {
		const errno = key.length === map.info.keySize ? map.tryDelete(Buffer.from(key, "latin1")) : EINVAL;
		if (errno !== 0 && errno !== ENOENT) failures.push({ key, errno: -errno });
	}
	return failures;
}

/** Without a string for each of half a million elements, most of which are absent. */
function dumpArray(map: BpfMap): Elements {
	const { keySize, valueSize } = map.info;
	const found = createArrayElements(valueSize);
	for (const { keys, values, count } of map.chunks()) {
		const indices = new DataView(keys.buffer, keys.byteOffset, keys.byteLength);
		for (let at = 0; at < count; at++) {
			if (isZero(values, at * valueSize, valueSize)) continue;
			found.copy(indices.getUint32(at * keySize, true), values, at * valueSize);
		}
	}
	return found;
}

function isZero(bytes: Uint8Array, from: number, length: number): boolean {
	for (let at = from; at < from + length; at++) if (bytes[at] !== 0) return false;
	return true;
}

function dumpHash(map: BpfMap): Elements {
	const found = new Map<string, string>();
	const { keySize, valueSize } = map.info;
	for (const { keys, values, count } of map.chunks()) {
		const keyBytes = Buffer.from(keys.buffer, keys.byteOffset, keys.byteLength);
		const valueBytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
		for (let index = 0; index < count; index++) {
			const value = valueBytes.toString("latin1", index * valueSize, (index + 1) * valueSize);
			found.set(keyBytes.toString("latin1", index * keySize, (index + 1) * keySize), value);
		}
	}
	return found;
}

/** The maps stay open as long as their owner keeps them open. */
export function createKernelMaps(set: KernelMapSet): Maps {
	return {
		dump: (name) => (ARRAYS.has(name) ? dumpArray(set[name]) : dumpHash(set[name])),
		put: (name, entries) => put(set[name], entries),
		delete(name, keys) {
			const map = set[name];
			if (!ARRAYS.has(name)) return remove(map, keys);
			const zero = "\0".repeat(map.info.valueSize);
			return put(map, new Map(Array.from(keys, (key) => [key, zero])));
		},
	};
}

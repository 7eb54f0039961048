// Maps over the kernel's pinned maps: whole batches where possible, element by element around one that fails.

import { Buffer } from "node:buffer";
import { type BpfMap, errnoNumber } from "bun-ffi-libbpf";
import type { EntryFailure, MapName, Maps, StatsName } from "./maps.ts";

/** Elements in one system call: some milliseconds at the most, so that the event loop stays awake. */
const BATCH = 4096;

const ENOENT = errnoNumber("ENOENT");

type Name = MapName | StatsName;

/** The maps that are arrays: their elements cannot be deleted, only zeroed. */
const ARRAYS: ReadonlySet<Name> = new Set<Name>(["backends", "slots", "backend_stats", "frontend_stats"]);

export type KernelMapSet = Readonly<Record<Name, BpfMap>>;

function join(parts: readonly string[]): Buffer {
	return Buffer.from(parts.join(""), "latin1");
}

/** Writes one batch; where the kernel stops at an element, notes it and goes on behind it. */
function putBatch(map: BpfMap, keys: readonly string[], values: readonly string[]): EntryFailure[] {
	const failures: EntryFailure[] = [];
	let start = 0;
	while (start < keys.length) {
		const rest = keys.slice(start);
		const { written, errno } = map.updateBatch(join(rest), join(values.slice(start)));
		const key = rest[written];
		if (errno === 0 || key === undefined) break;
		failures.push({ key, errno: -errno });
		start += written + 1;
	}
	return failures;
}

function put(map: BpfMap, entries: ReadonlyMap<string, string>): EntryFailure[] {
	const keys = [...entries.keys()];
	const values = [...entries.values()];
	const failures: EntryFailure[] = [];
	for (let start = 0; start < keys.length; start += BATCH) {
		failures.push(...putBatch(map, keys.slice(start, start + BATCH), values.slice(start, start + BATCH)));
	}
	return failures;
}

function remove(map: BpfMap, keys: Iterable<string>): EntryFailure[] {
	const failures: EntryFailure[] = [];
	for (const key of keys) {
		const errno = map.tryDelete(Buffer.from(key, "latin1"));
		if (errno !== 0 && errno !== ENOENT) failures.push({ key, errno: -errno });
	}
	return failures;
}

function dump(map: BpfMap, leaveOutZeros: boolean): Map<string, string> {
	const found = new Map<string, string>();
	const { keySize, valueSize } = map.info;
	const zero = "\0".repeat(valueSize);
	for (const { keys, values, count } of map.chunks()) {
		const keyBytes = Buffer.from(keys.buffer, keys.byteOffset, keys.byteLength);
		const valueBytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
		for (let index = 0; index < count; index++) {
			const value = valueBytes.toString("latin1", index * valueSize, (index + 1) * valueSize);
			if (leaveOutZeros && value === zero) continue;
			found.set(keyBytes.toString("latin1", index * keySize, (index + 1) * keySize), value);
		}
	}
	return found;
}

/** The maps stay open as long as their owner keeps them open. */
export function createKernelMaps(set: KernelMapSet): Maps {
	return {
		dump: (name) => dump(set[name], ARRAYS.has(name)),
		put: (name, entries) => put(set[name], entries),
		delete(name, keys) {
			const map = set[name];
			if (!ARRAYS.has(name)) return remove(map, keys);
			const zero = "\0".repeat(map.info.valueSize);
			return put(map, new Map(Array.from(keys, (key) => [key, zero])));
		},
	};
}

// Reading a whole map: by batches, or key by key where the kernel has no batches for that kind.

import type { Descriptor } from "./descriptor.ts";
import { BpfError, errnoNumber } from "./errors.ts";
import type { Chunk } from "./map.ts";
import { lacksBatch } from "./map_batch.ts";
import type { MapInfo } from "./map_info.ts";
import { failure, native } from "./native.ts";

export interface Reading {
	readonly fd: Descriptor;
	readonly info: MapInfo;
	/** Bytes of one value for user space. */
	readonly valueSize: number;
	/** As errors call it. */
	readonly name: string;
}

const NOT_FOUND = -errnoNumber("ENOENT");
const NO_SPACE = -errnoNumber("ENOSPC");
/** Bounds the buffers, and how long one call holds the event loop. */
const CHUNK_BYTES = 128 * 1024;

function buffers(reading: Reading, count: number): { keys: Uint8Array<ArrayBuffer>; values: Uint8Array<ArrayBuffer> } {
	return { keys: new Uint8Array(count * reading.info.keySize), values: new Uint8Array(count * reading.valueSize) };
}

/** Elements for one chunk. */
function chunkSize({ info, valueSize }: Reading): number {
	const fitting = Math.floor(CHUNK_BYTES / (info.keySize + valueSize));
	return Math.max(1, Math.min(Math.max(fitting, 64), info.maxEntries));
}

type Step =
	| { readonly kind: "chunk"; readonly chunk: Chunk; readonly last: boolean }
	| { readonly kind: "tooSmall" }
	| { readonly kind: "noBatches" };

interface Cursor {
	/** A bucket's number for hashes, a key for the others; null at the start. */
	from: Uint8Array | null;
	readonly next: Uint8Array;
}

/** One batch of at most `size` elements, into fresh buffers: what was taken from an earlier chunk stays as it is. */
function readBatch(reading: Reading, cursor: Cursor, size: number): Step {
	const { fd, info, name, valueSize } = reading;
	const { keys, values } = buffers(reading, size);
	const found = new Uint32Array([size]);
	const result = native().bffi_map_lookup_batch(fd.fd, cursor.from, cursor.next, keys, values, found);
	if (cursor.from === null && lacksBatch(result)) return { kind: "noBatches" };
	// One bucket of a hash has more elements than there is room.
	if (result === NO_SPACE) return { kind: "tooSmall" };
	const last = result === NOT_FOUND;
	if (result < 0 && !last) throw failure(result, { action: `read ${name}`, call: "bpf_map_lookup_batch" });
	const [count = 0] = found;
	return {
		kind: "chunk",
		chunk: { keys: keys.subarray(0, count * info.keySize), values: values.subarray(0, count * valueSize), count },
		last,
	};
}

/** All elements. */
export function* readChunks(reading: Reading): Generator<Chunk, void, undefined> {
	const cursor: Cursor = { from: null, next: new Uint8Array(Math.max(4, reading.info.keySize)) };
	let size = chunkSize(reading);
	for (;;) {
		const step = readBatch(reading, cursor, size);
		if (step.kind === "noBatches") {
			yield* readByKey(reading);
			return;
		}
		if (step.kind === "tooSmall") {
			size *= 2;
			continue;
		}
		if (step.chunk.count > 0) yield step.chunk;
		if (step.last) return;
		cursor.from = cursor.next.slice();
	}
}

/** A key that was deleted under us starts the walk anew: more steps than elements means that it does not end. */
function checkSteps(steps: number, { info, name }: Reading): void {
	if (steps <= info.maxEntries) return;
	throw new BpfError({
		action: `read ${name}`,
		call: "bpf_map_get_next_key",
		errno: errnoNumber("EAGAIN"),
		hint: "elements were deleted meanwhile",
	});
}

function* readByKey(reading: Reading): Generator<Chunk, void, undefined> {
	const { fd, info, valueSize, name } = reading;
	const calls = native();
	const size = chunkSize(reading);
	let chunk = buffers(reading, size);
	let found = 0;
	let previous: Uint8Array | null = null;
	for (let steps = 1; ; steps++) {
		const key = new Uint8Array(info.keySize);
		const result = calls.bffi_map_next_key(fd.fd, previous, key);
		if (result === NOT_FOUND) break;
		if (result < 0) throw failure(result, { action: `read ${name}`, call: "bpf_map_get_next_key" });
		checkSteps(steps, reading);
		previous = key;
		const value = chunk.values.subarray(found * valueSize, (found + 1) * valueSize);
		const looked = calls.bffi_map_lookup(fd.fd, key, value);
		// Deleted since, or a kind of array without that element.
		if (looked === NOT_FOUND) continue;
		if (looked < 0) throw failure(looked, { action: `read ${name}`, call: "bpf_map_lookup_elem" });
		chunk.keys.set(key, found * info.keySize);
		found++;
		if (found === size) {
			yield { ...chunk, count: found };
			chunk = buffers(reading, size);
			found = 0;
		}
	}
	if (found > 0)
		yield {
			keys: chunk.keys.subarray(0, found * info.keySize),
			values: chunk.values.subarray(0, found * valueSize),
			count: found,
		};
}

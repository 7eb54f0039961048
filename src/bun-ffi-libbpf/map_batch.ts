// Many elements in one call, and one by one where the kernel has no batch operation for that kind of map.

import { errnoNumber } from "./errors.ts";
import { native } from "./native.ts";

export interface UpdateResult {
	/** How many were written: the first ones, in order. */
	readonly written: number;
	/** Why the next one was not: a positive errno; 0 if all were written. */
	readonly errno: number;
}

export interface DeleteResult {
	/** How many were deleted: the first ones, in order. */
	readonly deleted: number;
	/** Why the next one was not: a positive errno; 0 if all were deleted. */
	readonly errno: number;
}

interface Outcome {
	readonly done: number;
	readonly errno: number;
}

export interface Keys {
	readonly keys: Uint8Array;
	readonly count: number;
	readonly keySize: number;
}

export interface Elements extends Keys {
	readonly values: Uint8Array;
	readonly valueSize: number;
	readonly flags: number;
}

/** The kernel answers so if a kind of map lacks the operation (ENOTSUPP; some kinds EOPNOTSUPP). */
const LACKING: ReadonlySet<number> = new Set([errnoNumber("ENOTSUPP"), errnoNumber("EOPNOTSUPP")]);

export function lacksBatch(result: number): boolean {
	return LACKING.has(-result);
}

const processed = new Uint32Array(1);

/** The kernel writes `count` only once it has begun: an error with nothing missing means that it never did. */
function outcome(result: number, count: number): Outcome {
	const done = processed[0] ?? 0;
	if (result >= 0) return { done: count, errno: 0 };
	return { done: done >= count ? 0 : done, errno: -result };
}

/** `step` gives 0 or -errno for one index. */
function oneByOne(count: number, step: (index: number) => number): Outcome {
	for (let index = 0; index < count; index++) {
		const result = step(index);
		if (result < 0) return { done: index, errno: -result };
	}
	return { done: count, errno: 0 };
}

/** BPF_MAP_UPDATE_BATCH knows no modes (EINVAL): only "any" goes at once. */
function update(fd: number, { keys, values, count, keySize, valueSize, flags }: Elements): Outcome {
	const calls = native();
	if (flags === 0) {
		processed[0] = count;
		const result = calls.bffi_map_update_batch(fd, keys, values, processed);
		if (!lacksBatch(result)) return outcome(result, count);
	}
	return oneByOne(count, (index) => {
		const key = keys.subarray(index * keySize, (index + 1) * keySize);
		return calls.bffi_map_update(fd, key, values.subarray(index * valueSize, (index + 1) * valueSize), flags);
	});
}

export function updateMany(fd: number, elements: Elements): UpdateResult {
	if (elements.count === 0) return { written: 0, errno: 0 };
	const { done, errno } = update(fd, elements);
	return { written: done, errno };
}

export function deleteMany(fd: number, { keys, count, keySize }: Keys): DeleteResult {
	if (count === 0) return { deleted: 0, errno: 0 };
	const calls = native();
	processed[0] = count;
	const result = calls.bffi_map_delete_batch(fd, keys, processed);
	const { done, errno } = lacksBatch(result)
		? oneByOne(count, (index) => calls.bffi_map_delete(fd, keys.subarray(index * keySize, (index + 1) * keySize)))
		: outcome(result, count);
	return { deleted: done, errno };
}

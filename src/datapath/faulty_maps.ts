// Wraps maps so that single elements fail, or the process "dies" at one of them: what tests of recovery stand on.

import type { EntryFailure, Maps } from "./maps.ts";

const ENOMEM = -12;

export interface FaultOptions {
	/** From 0 up to 1, as Math.random. */
	readonly random: () => number;
	/** The share of elements that fail with ENOMEM. */
	readonly probability: number;
	/** The element at which `Crash` is thrown, counted from 1 over all maps; that element is not written any more. */
	readonly crashAt?: number;
	/** Called after each element that was written. */
	readonly afterEach?: () => void;
}

/** The process was killed in the middle of writing. */
export class Crash extends Error {
	override readonly name = "Crash";
}

/** Writes element by element through `maps`, with faults. Reading never fails. */
export function createFaultyMaps(maps: Maps, options: FaultOptions): Maps {
	let elements = 0;

	/** One element: the errno that it failed with, or 0. */
	function attempt(write: () => readonly EntryFailure[]): number {
		elements += 1;
		if (elements === options.crashAt) throw new Crash(`Killed at element ${elements}`);
		if (options.random() < options.probability) return ENOMEM;
		const [failure] = write();
		if (failure === undefined) options.afterEach?.();
		return failure?.errno ?? 0;
	}

	return {
		dump: (map) => maps.dump(map),
		put(map, entries) {
			const failures: EntryFailure[] = [];
			for (const [key, value] of entries) {
				const errno = attempt(() => maps.put(map, new Map([[key, value]])));
				if (errno !== 0) failures.push({ key, errno });
			}
			return failures;
		},
		delete(map, keys) {
			const failures: EntryFailure[] = [];
			for (const key of keys) {
				const errno = attempt(() => maps.delete(map, [key]));
				if (errno !== 0) failures.push({ key, errno });
			}
			return failures;
		},
	};
}

/** The same numbers from 0 up to 1 from the same seed (xorshift32: G. Marsaglia, Xorshift RNGs, 2003). */
export function seededRandom(seed: number): () => number {
	// Zero would stay zero for ever.
	let state = seed >>> 0 || 0x9e3779b9;
	return () => {
		state ^= state << 13;
		state ^= state >>> 17;
		state ^= state << 5;
		return (state >>> 0) / 0x1_0000_0000;
	};
}

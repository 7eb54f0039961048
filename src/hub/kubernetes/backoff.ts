// How long to wait after failures in a row.

/** Milliseconds; as client-go's reflector. */
const FIRST = 800;
const LONGEST = 30_000;

export interface Backoff {
	/** Milliseconds to wait now; twice as long each time, up to 30 s, plus up to as much again by chance, so that many clients spread. */
	next(): number;
	/** It works again. */
	reset(): void;
}

/** `random` gives numbers from 0 up to 1. */
export function createBackoff(random: () => number): Backoff {
	let base = FIRST;
	return {
		next() {
			const delay = base * (1 + random());
			base = Math.min(LONGEST, base * 2);
			return delay;
		},
		reset() {
			base = FIRST;
		},
	};
}

// How long to wait after failures in a row.

import type { Clock } from "../../lib/clock.ts";

/** Waits, in milliseconds. */
export interface Pace {
	/** The first one is between these. */
	readonly first: readonly [from: number, to: number];
	/** The second one is one to two of this. */
	readonly second: number;
	/** How much longer each further one is. */
	readonly growth: number;
	/** How much of a wait the time of the attempt before it may stand for: one that hangs is a pause, too. */
	readonly credit: number;
}

/**
 * All clients of a hub lose it at the same moment, and come back over five seconds: as long as what one of them knows may be out of
 * date.
 */
const OF_MANY: Pace = { first: [0, 5000], second: 2500, growth: 1.5, credit: 0.5 };
/** For a server that has no other clients to speak of. */
export const OF_ONE: Pace = { first: [800, 1600], second: 1600, growth: 2, credit: 0 };
/** Milliseconds, of which no wait is longer than two. */
const LONGEST = 30_000;

export interface Backoff {
	/**
	 * Milliseconds to wait now: longer each time, up to 30 to 60 s. `asked` is what the server asks for: all clients are told the same, so
	 * up to half as much is added to it, and the wait besides.
	 */
	next(asked?: number): number;
	/** It works again; not heard while a wait of before is still going on. */
	reset(): void;
}

export interface BackoffOptions {
	readonly clock: Clock;
	/** From 0 up to 1. */
	readonly random: () => number;
	/** Default: that of one client among many. */
	readonly pace?: Pace;
}

export function createBackoff({ clock, random, pace = OF_MANY }: BackoffOptions): Backoff {
	const [from, to] = pace.first;
	let base: number | undefined;
	let end = 0;

	function own(): number {
		if (base === undefined) {
			base = pace.second;
			return from + (to - from) * random();
		}
		const wait = base * (1 + random());
		base = Math.min(LONGEST, base * pace.growth);
		return wait - Math.min(wait * pace.credit, Math.max(0, clock.now() - end));
	}

	return {
		next(asked = 0) {
			const wait = asked * (1 + random() / 2) + own();
			end = clock.now() + wait;
			return wait;
		},
		reset() {
			if (clock.now() >= end) base = undefined;
		},
	};
}

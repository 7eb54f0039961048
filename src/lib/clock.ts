// Time as a dependency: what waits can be tested without waiting.

import { setTimeout as delay } from "node:timers/promises";

export interface Clock {
	/** Milliseconds from some fixed moment, never going back. */
	now(): number;
	/** Returns after so many milliseconds, or as soon as the signal is aborted. */
	sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
	now: () => performance.now(),
	async sleep(milliseconds, signal) {
		try {
			await delay(milliseconds, undefined, { signal });
		} catch (error) {
			if (!signal.aborted) throw error;
		}
	},
};

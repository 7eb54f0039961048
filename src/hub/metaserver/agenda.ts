// When the next list of a kind is due: what is asked for several times is done once, and not before it may be.

import type { Clock } from "../../lib/clock.ts";
import { createAlarm } from "../alarm.ts";

/** The longest that a timer can wait. Milliseconds. */
const FOREVER = 2 ** 31 - 1;

export interface Agenda {
	/** Due in so many milliseconds at the latest. */
	within(milliseconds: number): void;
	/** Not due before so many milliseconds, whoever asks. */
	rest(milliseconds: number): void;
	/** Returns when it is due, which ends the asking so far; or when the signal is aborted. */
	wait(): Promise<void>;
}

/** Due at once at first. */
export function createAgenda(clock: Clock, signal: AbortSignal): Agenda {
	const alarm = createAlarm(clock, signal);
	let due = clock.now();
	let notBefore = due;
	return {
		within(milliseconds) {
			due = Math.min(due, clock.now() + milliseconds);
			alarm.ring();
		},
		rest(milliseconds) {
			notBefore = clock.now() + milliseconds;
		},
		async wait() {
			for (;;) {
				const left = Math.max(due, notBefore) - clock.now();
				if (left <= 0 || signal.aborted) break;
				await alarm.wait(Math.min(left, FOREVER));
			}
			due = Number.POSITIVE_INFINITY;
		},
	};
}

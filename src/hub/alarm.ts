// Something that happens wakes someone who waits; what happens before the wait is not lost.

import type { Clock } from "../lib/clock.ts";

export interface Alarm {
	ring(): void;
	/** Returns "rung" at once if it rang since the last "rung"; "time" after so many milliseconds or when the signal is aborted. */
	wait(milliseconds: number): Promise<"rung" | "time">;
}

export function createAlarm(clock: Clock, signal: AbortSignal): Alarm {
	let rung = false;
	let wake: () => void = () => {};
	return {
		ring() {
			rung = true;
			wake();
		},
		async wait(milliseconds) {
			if (!rung && !signal.aborted) {
				const woken = new AbortController();
				const abort = (): void => woken.abort();
				wake = abort;
				signal.addEventListener("abort", abort);
				await clock.sleep(milliseconds, woken.signal);
				signal.removeEventListener("abort", abort);
			}
			if (!rung) return "time";
			rung = false;
			return "rung";
		},
	};
}

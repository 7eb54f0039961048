// Time that passes when a test says so.

import type { Timers } from "../../src/observe/health/timers.ts";

export interface ManualTimers extends Timers {
	/** Calls what is due within so many milliseconds, in order, and lets what they began go on after each. */
	pass(milliseconds: number): Promise<void>;
	/** How many wait. */
	count(): number;
}

export function manualTimers(): ManualTimers {
	const waiting = new Set<{ readonly at: number; readonly call: () => void }>();
	let now = 0;
	return {
		now: () => now,
		wall: () => Date.UTC(2026, 0, 1) + now,
		after(milliseconds, call) {
			const timer = { at: now + milliseconds, call };
			waiting.add(timer);
			return () => void waiting.delete(timer);
		},
		async pass(milliseconds) {
			const end = now + milliseconds;
			for (;;) {
				const [next] = [...waiting].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
				if (next === undefined) break;
				waiting.delete(next);
				now = next.at;
				next.call();
				await Bun.sleep(0);
			}
			now = end;
		},
		count: () => waiting.size,
	};
}

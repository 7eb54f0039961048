// Real time that can be made to jump: what waits long in the product does not make a test wait.

import type { Clock } from "../../src/lib/clock.ts";

export interface JumpClock extends Clock {
	/** Time passes at once; whoever sleeps until then wakes. */
	jump(milliseconds: number): void;
	/** How long each sleep was to be so far, in milliseconds. */
	readonly sleeps: readonly number[];
	/** How long each of those that sleep now was to sleep, in milliseconds. */
	sleeping(): readonly number[];
}

export function createJumpClock(): JumpClock {
	const sleeps: number[] = [];
	const sleepers = new Set<{ readonly asked: number; readonly until: number; readonly wake: () => void }>();
	let jumped = 0;
	const now = (): number => performance.now() + jumped;
	return {
		now,
		sleeps,
		sleeping: () => [...sleepers].map(({ asked }) => asked),
		async sleep(milliseconds, signal) {
			sleeps.push(milliseconds);
			const { promise, resolve } = Promise.withResolvers<void>();
			const sleeper = { asked: milliseconds, until: now() + milliseconds, wake: () => resolve() };
			const timer = setTimeout(resolve, milliseconds);
			sleepers.add(sleeper);
			signal.addEventListener("abort", sleeper.wake);
			if (signal.aborted) resolve();
			await promise;
			signal.removeEventListener("abort", sleeper.wake);
			sleepers.delete(sleeper);
			clearTimeout(timer);
		},
		jump(milliseconds) {
			jumped += milliseconds;
			for (const { until, wake } of [...sleepers]) if (until <= now()) wake();
		},
	};
}

// When the loop runs: at once on the first call, then not too often, and now and then in any case.

import { type Clock, systemClock } from "./clock.ts";

export interface RunnerOptions {
	/** Never called twice at once; `resync` is true when the longest interval has passed. Must not throw. */
	readonly run: (resync: boolean) => Promise<"done" | "again">;
	/** Milliseconds between two runs at least: a burst of calls is one run. */
	readonly shortest: number;
	/** Milliseconds until a run answers `again` is repeated. */
	readonly retry: number;
	/** Milliseconds between two resyncs at most. */
	readonly longest: number;
	readonly signal: AbortSignal;
	readonly clock?: Clock;
}

export interface Runner {
	/** Asks for a run; cheap, and as good once as many times. */
	call(): void;
	/** Settles when the signal is aborted and the last run has ended. */
	readonly stopped: Promise<void>;
}

/** Starts asleep: the first run is that of the first call. */
export function createRunner(options: RunnerOptions): Runner {
	const { run, shortest, retry, longest, signal, clock = systemClock } = options;
	let wake: () => void = () => {};
	let called = false;

	/** Ends early at a call. */
	async function wait(milliseconds: number): Promise<void> {
		if (called || signal.aborted) return;
		const woken = new AbortController();
		wake = () => woken.abort();
		// Not AbortSignal.any: it would leave a signal behind on the long-lived one for every round.
		signal.addEventListener("abort", wake, { once: true });
		await clock.sleep(milliseconds, woken.signal);
		signal.removeEventListener("abort", wake);
	}

	async function loop(): Promise<void> {
		while (!called && !signal.aborted) await wait(longest);
		let resynced = clock.now();
		while (!signal.aborted) {
			const resync = clock.now() - resynced >= longest;
			if (resync) resynced = clock.now();
			called = false;
			const again = (await run(resync)) === "again";
			await clock.sleep(shortest, signal);
			const rest = Math.max(0, longest - (clock.now() - resynced));
			await wait(again ? Math.min(retry, rest) : rest);
		}
	}

	return {
		call() {
			called = true;
			wake();
		},
		stopped: loop(),
	};
}

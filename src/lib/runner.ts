// When the loop runs: at once on the first call, then not too often, and now and then in any case.

import { setTimeout as sleep } from "node:timers/promises";

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
}

export interface Runner {
	/** Asks for a run; cheap, and as good once as many times. */
	call(): void;
	/** Settles when the signal is aborted and the last run has ended. */
	readonly stopped: Promise<void>;
}

/** Starts asleep: the first run is that of the first call. */
export function createRunner(options: RunnerOptions): Runner {
	const { run, shortest, retry, longest, signal } = options;
	let wake: () => void = () => {};
	let called = false;

	async function wait(milliseconds: number): Promise<void> {
		if (called || signal.aborted) return;
		const woken = new AbortController();
		wake = () => woken.abort();
		try {
			await sleep(milliseconds, undefined, { signal: AbortSignal.any([signal, woken.signal]) });
		} catch (error) {
			if (!woken.signal.aborted && !signal.aborted) throw error;
		}
	}

	async function pause(milliseconds: number): Promise<void> {
		try {
			await sleep(milliseconds, undefined, { signal });
		} catch (error) {
			if (!signal.aborted) throw error;
		}
	}

	async function loop(): Promise<void> {
		await wait(longest);
		let resynced = performance.now();
		while (!signal.aborted) {
			const resync = performance.now() - resynced >= longest;
			if (resync) resynced = performance.now();
			called = false;
			const again = (await run(resync)) === "again";
			await pause(shortest);
			const rest = Math.max(0, longest - (performance.now() - resynced));
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

// Notices a connection that says nothing any more, though nobody closed it.

import type { Clock } from "../../lib/clock.ts";
import { HubError } from "./hub_error.ts";

export interface Watchdog extends Disposable {
	/** Aborted after too long a silence, or when the outer signal is. */
	readonly signal: AbortSignal;
	/** A byte has come. */
	calm(): void;
	/** Milliseconds of silence that are too long, from now on. */
	setLimit(milliseconds: number): void;
	/** Waits for something that takes no signal; throws when this one's is aborted. */
	guard<T>(promise: Promise<T>): Promise<T>;
	/** The error to throw if it was the silence. */
	bark(): HubError | undefined;
	/** The outer signal was aborted. */
	stopped(): boolean;
}

export interface WatchdogOptions {
	readonly clock: Clock;
	/** Milliseconds. */
	readonly limit: number;
	readonly signal: AbortSignal;
	/** For the error: `watch Services`. */
	readonly action: string;
}

/** One timer for the whole connection, not one for each byte. */
export function createWatchdog({ clock, limit, signal, action }: WatchdogOptions): Watchdog {
	const aborted = new AbortController();
	const ended = new AbortController();
	let heard = clock.now();
	let longest = limit;
	let error: HubError | undefined;
	let changed = new AbortController();

	const stop = (): void => aborted.abort();
	const wake = (): void => changed.abort();
	if (signal.aborted) stop();
	signal.addEventListener("abort", stop);
	ended.signal.addEventListener("abort", wake);

	async function listen(): Promise<void> {
		while (!ended.signal.aborted) {
			const rest = heard + longest - clock.now();
			if (rest <= 0) {
				const seconds = Math.round(longest / 1000);
				error = new HubError(`Cannot ${action}: nothing was heard for ${seconds} s`, { status: 0, reason: "Silent" });
				aborted.abort();
				return;
			}
			changed = new AbortController();
			await clock.sleep(rest, changed.signal);
		}
	}
	// It never rejects: a clock's sleep does not.
	void listen();

	return {
		signal: aborted.signal,
		calm() {
			heard = clock.now();
		},
		setLimit(milliseconds) {
			longest = milliseconds;
			heard = clock.now();
			wake();
		},
		async guard(promise) {
			const { promise: aborting, reject } = Promise.withResolvers<never>();
			const leave = (): void => reject(error ?? aborted.signal.reason);
			aborted.signal.addEventListener("abort", leave);
			if (aborted.signal.aborted) leave();
			try {
				return await Promise.race([promise, aborting]);
			} finally {
				aborted.signal.removeEventListener("abort", leave);
			}
		},
		bark: () => error,
		stopped: () => signal.aborted,
		[Symbol.dispose]() {
			signal.removeEventListener("abort", stop);
			ended.abort();
			aborted.abort();
		},
	};
}

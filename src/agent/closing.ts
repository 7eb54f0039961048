// Closes sockets whose backend is gone, after what the writer did; counts them, and says what cannot be done.

import type { Closed } from "../datapath/socket_search.ts";
import type { SocketCloser } from "../datapath/sockets.ts";
import type { Log } from "../lib/log.ts";
import { createRunner } from "../lib/runner.ts";
import type { SocketsStatus } from "../observe/status.ts";

/** Milliseconds between two looks at all sockets: a look costs some 100 ns for each that has state. */
const SHORTEST = 250;
const RETRY = 1000;
/** Milliseconds until a look for no reason: what was missed is found. */
const LONGEST = 5 * 60_000;

export interface Closing {
	/** Frontends have changed: their backends may be gone. */
	call(): void;
	/** Since the start. */
	status(): SocketsStatus;
	readonly stopped: Promise<void>;
}

export interface ClosingOptions {
	readonly closer: SocketCloser;
	readonly log: Log;
	readonly signal: AbortSignal;
}

/** Nothing happens until the first call. */
export function createClosing({ closer, log, signal }: ClosingOptions): Closing {
	const totals = { UDP: { closed: 0, failed: 0 }, TCP: { closed: 0, failed: 0 } };
	let said: string | undefined;

	function count({ UDP, TCP }: Closed): void {
		for (const [total, now] of [
			[totals.UDP, UDP],
			[totals.TCP, TCP],
		] as const) {
			total.closed += now.closed;
			total.failed += now.failed;
		}
		const [closed, failed] = [UDP.closed + TCP.closed, UDP.failed + TCP.failed];
		if (closed > 0) log.info({ udp: UDP.closed, tcp: TCP.closed }, "Closed sockets whose backend is gone");
		if (failed > 0) log.warn({ udp: UDP.failed, tcp: TCP.failed }, "Cannot close sockets whose backend is gone");
	}

	/** Tried every second, told once. */
	function tell(failure: Error | undefined): void {
		if (failure !== undefined && failure.message !== said)
			log.error({ err: failure }, "Cannot look for sockets whose backend is gone");
		said = failure?.message;
	}

	const runner = createRunner({
		async run() {
			const { closed, failure } = await closer.closeStale(signal);
			count(closed);
			tell(failure);
			return failure === undefined ? "done" : "again";
		},
		shortest: SHORTEST,
		retry: RETRY,
		longest: LONGEST,
		signal,
	});
	const { limit } = closer;
	if (limit !== undefined) log.warn({ reason: limit }, "Not all sockets whose backend is gone will be closed");
	return {
		call: runner.call,
		status: () => ({ closed: totals, limit: closer.limit ?? null }),
		stopped: runner.stopped,
	};
}

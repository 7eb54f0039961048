// One probe from its beginning to its end: it ends once, in time, and leaves nothing open.

import { clearTimeout, setTimeout } from "node:timers";
import type { Ip, Port } from "../../model/address.ts";
import type { Outcome } from "./outcome.ts";

/** Where a probe goes, and how long it may take. */
export interface Target {
	readonly ip: Ip;
	readonly port: Port;
	/** Milliseconds. */
	readonly timeout: number;
	/** Aborted when nobody wants to know any more: the outcome means nothing then. */
	readonly signal: AbortSignal;
}

export interface Examination {
	/** Closes what was opened; called once. */
	close(): void;
	/** What it comes to if nothing more is heard. */
	late(): Outcome;
}

/**
 * Milliseconds beyond the timeout. If this process was busy, timers come before answers that have arrived: these are read
 * first.
 */
const GRACE = 1;

/** Calls `begin`, and resolves with the first outcome that it, or time, comes to. Rejects with what `begin` throws. */
export function examine(
	{ timeout, signal }: Pick<Target, "timeout" | "signal">,
	begin: (end: (outcome: Outcome) => void) => Examination,
): Promise<Outcome> {
	return new Promise((resolve, reject) => {
		let examination: Examination | undefined;
		let isOver = false;

		function stop(): boolean {
			if (isOver) return false;
			isOver = true;
			clearTimeout(timer);
			signal.removeEventListener("abort", giveUp);
			examination?.close();
			return true;
		}

		function end(outcome: Outcome): void {
			if (stop()) resolve(outcome);
		}

		function giveUp(): void {
			end({ kind: "broken", reason: "given up" });
		}

		function isLate(): void {
			if (examination !== undefined) end(examination.late());
		}

		let timer = setTimeout(() => {
			timer = setTimeout(isLate, GRACE);
		}, timeout);
		signal.addEventListener("abort", giveUp);
		try {
			if (signal.aborted) return giveUp();
			const begun = begin(end);
			// It may have ended before it said how to close it.
			if (isOver) begun.close();
			else examination = begun;
		} catch (error) {
			if (stop()) reject(error);
		}
	});
}

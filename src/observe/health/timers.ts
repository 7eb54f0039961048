// Time as the prober needs it: what waits can be tested without waiting.

import { clearTimeout, setTimeout } from "node:timers";

export interface Timers {
	/** Milliseconds from some fixed moment, never going back. */
	now(): number;
	/** Milliseconds since the epoch. */
	wall(): number;
	/** Calls once after so many milliseconds; what it returns cancels that. */
	after(milliseconds: number, call: () => void): () => void;
}

export const systemTimers: Timers = {
	now: () => performance.now(),
	wall: () => Date.now(),
	after(milliseconds, call) {
		const timer = setTimeout(call, milliseconds);
		return () => clearTimeout(timer);
	},
};

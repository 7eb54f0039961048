// While a hub is away, one of its kinds asks for all: the others follow when it is answered.

import type { Clock } from "../../lib/clock.ts";
import { createBackoff } from "../request/backoff.ts";

/** One kind's part. */
export interface Turns {
	/**
	 * After a failure that says nothing of this kind alone. Returns when it may ask again: after a wait if it is the one that asks, else
	 * when the server has answered somebody, or its turn has come because the one before failed again.
	 */
	wait(asked: number, signal: AbortSignal): Promise<void>;
	/** The server does its work. */
	answered(): void;
	/** It asks no more. */
	leave(): void;
	/** It did so for a while: the next wait is a first one. */
	reset(): void;
}

export interface Outage {
	join(): Turns;
}

export interface OutageOptions {
	readonly clock: Clock;
	/** From 0 up to 1. */
	readonly random: () => number;
}

interface Waiting {
	readonly turns: Turns;
	readonly wake: (why: "turn" | "over") => void;
}

export function createOutage({ clock, random }: OutageOptions): Outage {
	const backoff = createBackoff({ clock, random });
	const queue: Waiting[] = [];
	/** Whose turn it is: it waits, or asks. */
	let scout: Turns | undefined;
	/** Milliseconds that the server asked the last one for. */
	let pause = 0;

	/** The next one, so that a refusal of one kind alone does not keep the others waiting. */
	function passOn(): void {
		const next = queue.shift();
		scout = next?.turns;
		next?.wake("turn");
	}

	async function stand(turns: Turns, signal: AbortSignal): Promise<"turn" | "over"> {
		const { promise, resolve } = Promise.withResolvers<"turn" | "over">();
		const leave = (): void => resolve("over");
		queue.push({ turns, wake: resolve });
		signal.addEventListener("abort", leave);
		if (signal.aborted) leave();
		const why = await promise;
		signal.removeEventListener("abort", leave);
		return why;
	}

	return {
		join() {
			const turns: Turns = {
				async wait(asked, signal) {
					const due = clock.now() + asked * (1 + random() / 2);
					pause = asked;
					if (scout === turns) passOn();
					scout ??= turns;
					const isOver = scout !== turns && (await stand(turns, signal)) === "over";
					// What the server asked this one for holds though another was let in.
					const rest = isOver ? due - clock.now() : backoff.next(pause);
					if (rest > 0) await clock.sleep(rest, signal);
				},
				answered() {
					scout = undefined;
					for (const { wake } of queue.splice(0)) wake("over");
				},
				leave() {
					const at = queue.findIndex((waiting) => waiting.turns === turns);
					if (at >= 0) queue.splice(at, 1);
					if (scout === turns) passOn();
				},
				reset: backoff.reset,
			};
			return turns;
		},
	};
}

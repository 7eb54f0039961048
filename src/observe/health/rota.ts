// Takes turns: each task again after its interval, more or less, and no more than so many at a time.

import type { Timers } from "./timers.ts";

export interface Task {
	/** Milliseconds from the beginning of one turn to that of the next, in the mean. */
	readonly interval: number;
	/** One turn. Must not reject; aborted if the task is stopped meanwhile. */
	run(signal: AbortSignal): Promise<void>;
}

export interface Turns {
	/** No turn begins any more, and one that has begun is aborted. */
	stop(): void;
}

export interface Rota {
	/** The first turn is in so many milliseconds. */
	add(task: Task, first: number): Turns;
}

export interface RotaOptions {
	readonly timers: Timers;
	/** Evenly from 0 to 1. */
	readonly random: () => number;
	/** Tasks at a time; the others wait for theirs to end, the first to come first. */
	readonly limit: number;
}

interface Place {
	readonly task: Task;
	readonly stopped: AbortController;
	cancel: () => void;
}

/** Share of the interval by which a turn is early or late: what began at once does not go on at once for ever. */
const JITTER = 0.1;

/** No timer is set without a task. */
export function createRota({ timers, random, limit }: RotaOptions): Rota {
	const waiting = new Set<Place>();
	let busy = 0;

	function schedule(place: Place, due: number): void {
		place.cancel = timers.after(Math.max(0, due - timers.now()), () => {
			waiting.add(place);
			next();
		});
	}

	function next(): void {
		for (const place of waiting) {
			if (busy >= limit) return;
			waiting.delete(place);
			void take(place);
		}
	}

	async function take(place: Place): Promise<void> {
		const began = timers.now();
		busy += 1;
		try {
			await place.task.run(place.stopped.signal);
		} finally {
			busy -= 1;
			if (!place.stopped.signal.aborted)
				schedule(place, began + place.task.interval * (1 + JITTER * (2 * random() - 1)));
			next();
		}
	}

	return {
		add(task, first) {
			const place: Place = { task, stopped: new AbortController(), cancel() {} };
			schedule(place, timers.now() + first);
			return {
				stop() {
					place.cancel();
					waiting.delete(place);
					place.stopped.abort();
				},
			};
		},
	};
}

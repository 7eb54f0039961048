// Time that passes as fast as the machine can work it off: nothing ever waits, the next thing to happen just happens.

import type { Clock } from "../../src/lib/clock.ts";

export interface VirtualClock extends Clock {
	/** Runs it after so many milliseconds. The result calls it off. */
	after(milliseconds: number, work: () => void): () => void;
	/** Lets time pass until then. */
	runUntil(time: number): Promise<void>;
}

interface Entry {
	readonly at: number;
	readonly order: number;
	work: (() => void) | undefined;
}

function isBefore(a: Entry, b: Entry): boolean {
	return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** A binary heap: the earliest first. */
function createHeap() {
	const entries: Entry[] = [];
	function swap(one: number, other: number): void {
		const [a, b] = [entries[one], entries[other]];
		if (a === undefined || b === undefined) return;
		entries[one] = b;
		entries[other] = a;
	}
	function less(one: number, other: number): boolean {
		const [a, b] = [entries[one], entries[other]];
		return a !== undefined && b !== undefined && isBefore(a, b);
	}
	return {
		peek: () => entries[0],
		push(entry: Entry) {
			entries.push(entry);
			for (let at = entries.length - 1; at > 0; ) {
				const parent = (at - 1) >> 1;
				if (!less(at, parent)) return;
				swap(at, parent);
				at = parent;
			}
		},
		pop() {
			swap(0, entries.length - 1);
			entries.pop();
			for (let at = 0; ; ) {
				const left = 2 * at + 1;
				const child = less(left + 1, left) ? left + 1 : left;
				if (!less(child, at)) return;
				swap(at, child);
				at = child;
			}
		},
	};
}

/** Times are rounded up to whole milliseconds: what happens within one is one step. */
export function createVirtualClock(): VirtualClock {
	const heap = createHeap();
	let now = 0;
	let order = 0;

	function after(milliseconds: number, work: () => void): () => void {
		const entry: Entry = { at: Math.ceil(now + Math.max(0, milliseconds)), order: order++, work };
		heap.push(entry);
		return () => {
			entry.work = undefined;
		};
	}

	/** All that is due by now; false if there was nothing. */
	function fire(): boolean {
		let fired = false;
		for (let next = heap.peek(); next !== undefined && next.at <= now; next = heap.peek()) {
			heap.pop();
			if (next.work === undefined) continue;
			fired = true;
			next.work();
		}
		return fired;
	}

	return {
		now: () => now,
		after,
		sleep: (milliseconds, signal) =>
			new Promise((resolve) => {
				if (signal.aborted) return resolve();
				const wake = (): void => {
					signal.removeEventListener("abort", wake);
					callOff();
					resolve();
				};
				const callOff = after(milliseconds, wake);
				signal.addEventListener("abort", wake);
			}),
		async runUntil(time) {
			for (let next = heap.peek(); next !== undefined && next.at <= time; next = heap.peek()) {
				if (next.work === undefined) {
					heap.pop();
					continue;
				}
				now = Math.max(now, next.at);
				// Whoever was woken goes on before time does: all promises that follow are settled within one turn of the event loop.
				while (fire()) await new Promise((resolve) => setImmediate(resolve));
			}
			now = time;
		},
	};
}

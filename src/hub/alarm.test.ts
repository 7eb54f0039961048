// Rings and waits on a clock of our own.

import { describe, expect, test } from "bun:test";
import type { Clock } from "../lib/clock.ts";
import { createAlarm } from "./alarm.ts";

/** A clock whose sleeps end when the test says so, or by their signal. */
function createSleeper() {
	const sleeps: number[] = [];
	let end: () => void = () => {};
	const clock: Clock = {
		now: () => 0,
		sleep: (milliseconds, signal) =>
			new Promise((resolve) => {
				sleeps.push(milliseconds);
				end = resolve;
				signal.addEventListener("abort", () => resolve());
			}),
	};
	return { clock, sleeps, end: () => end() };
}

describe("wait()", () => {
	test("returns when it rings, and says so once", async () => {
		const { clock, sleeps, end } = createSleeper();
		const alarm = createAlarm(clock, new AbortController().signal);
		const waiting = alarm.wait(500);
		alarm.ring();
		alarm.ring();
		expect(await waiting).toBe("rung");
		const next = alarm.wait(300);
		end();
		expect(await next).toBe("time");
		expect(sleeps).toEqual([500, 300]);
	});

	test("does not lose what rang before", async () => {
		const { clock, sleeps } = createSleeper();
		const alarm = createAlarm(clock, new AbortController().signal);
		alarm.ring();
		expect(await alarm.wait(500)).toBe("rung");
		expect(sleeps).toEqual([]);
	});

	test("returns when the signal is aborted, before or meanwhile", async () => {
		const { clock } = createSleeper();
		const stop = new AbortController();
		const alarm = createAlarm(clock, stop.signal);
		const waiting = alarm.wait(500);
		stop.abort();
		expect(await waiting).toBe("time");
		expect(await alarm.wait(500)).toBe("time");
	});
});

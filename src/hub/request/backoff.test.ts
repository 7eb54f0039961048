// The times of failures in a row.

import { describe, expect, test } from "bun:test";
import { createBackoff, OF_ONE } from "./backoff.ts";

/** A clock that is set by hand. */
function start(chance: number) {
	const clock = { time: 0, now: () => clock.time, sleep: () => Promise.resolve() };
	return { clock, backoff: createBackoff({ clock, random: () => chance }) };
}

describe("next()", () => {
	test.each([
		["least", 0, [0, 2500, 3750, 5625, 8437.5, 12_656.25, 18_984.375, 28_476.5625, 30_000, 30_000]],
		["mean", 0.5, [2500, 3750, 5625, 8437.5, 12_656.25, 18_984.375, 28_476.5625, 42_714.84375, 45_000, 45_000]],
	])("waits up to 5 s, then from 2.5 s on half as long again each time, up to 30 to 60 s: %s", (_, chance, waits) => {
		const { clock, backoff } = start(chance);
		for (const wait of waits) {
			expect(backoff.next()).toBe(wait);
			clock.time += wait;
		}
	});

	test("waits from 0.8 s on twice as long each time for a server without other clients", () => {
		const clock = { now: () => 0, sleep: () => Promise.resolve() };
		const { next } = createBackoff({ clock, random: () => 0, pace: OF_ONE });
		expect([next(), next(), next()]).toEqual([800, 1600, 3200]);
	});

	test("counts the time of the attempt for up to half", () => {
		const { clock, backoff } = start(0);
		clock.time += backoff.next() + 1000;
		const second = backoff.next();
		clock.time += second + 30_000;
		expect([second, backoff.next()]).toEqual([1500, 1875]);
	});

	test.each([
		[0, 7000],
		[0.5, 7000 + 1750 + 2500],
	])("waits no shorter than the server asks for, and not all clients the same: %p", (chance, wait) => {
		expect(start(chance).backoff.next(7000)).toBe(wait);
	});
});

describe("reset()", () => {
	test("begins anew", () => {
		const { clock, backoff } = start(0);
		for (let wait = 0; wait < 5; wait++) clock.time += backoff.next();
		backoff.reset();
		expect([backoff.next(), backoff.next()]).toEqual([0, 2500]);
	});

	test("is not heard while a wait is going on: that came after the time that went well", () => {
		const { clock, backoff } = start(0);
		clock.time += backoff.next();
		clock.time += backoff.next() - 1;
		backoff.reset();
		expect(backoff.next()).toBe(3750);
	});
});

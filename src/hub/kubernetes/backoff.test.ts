// The times of failures in a row.

import { expect, test } from "bun:test";
import { createBackoff } from "./backoff.ts";

test("createBackoff() doubles from 800 ms to 30 s, adds up to as much by chance, and begins anew after a reset", () => {
	const least = createBackoff(() => 0);
	expect(Array.from({ length: 8 }, least.next)).toEqual([800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
	least.reset();
	expect(least.next()).toBe(800);
	expect(createBackoff(() => 0.5).next()).toBe(1200);
});

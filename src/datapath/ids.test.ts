// Which ids are given, and that none is given twice.

import { describe, expect, test } from "bun:test";
import type { Ids } from "./ids.ts";
import { createIds } from "./ids.ts";

function takeAll(ids: Ids): readonly number[] {
	const taken: number[] = [];
	for (let id = ids.take(); id !== undefined; id = ids.take()) taken.push(id);
	return taken;
}

describe("createIds()", () => {
	test.each([
		[3, [], [1, 2, 3]],
		[6, [2, 5], [1, 3, 4, 6]],
		[2, [1, 2], []],
		[0, [], []],
	] as const)("up to %d without %p gives %p", (highest, taken, expected) => {
		const ids = createIds(highest, new Set(taken));
		expect(ids.available()).toBe(expected.length);
		expect(takeAll(ids)).toEqual([...expected]);
		expect(ids.available()).toBe(0);
	});

	test("give() makes an id available again", () => {
		const ids = createIds(3, new Set());
		takeAll(ids);
		ids.give(2);
		expect(ids.available()).toBe(1);
		expect(takeAll(ids)).toEqual([2]);
	});
});

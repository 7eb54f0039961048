// Ranges of slots against a row of booleans.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { checkProperty } from "../../test/support/property.ts";
import type { Range } from "./ranges.ts";
import { createRanges } from "./ranges.ts";

const SLOTS = 64;

describe("createRanges()", () => {
	test("take() prefers the tightest block", () => {
		const ranges = createRanges(100, [
			{ base: 10, length: 10 },
			{ base: 24, length: 6 },
		]);
		expect(ranges.free()).toEqual([
			{ base: 0, length: 10 },
			{ base: 20, length: 4 },
			{ base: 30, length: 70 },
		]);
		expect(ranges.take(4)).toBe(20);
		expect(ranges.take(4)).toBe(0);
		expect(ranges.take(7)).toBe(30);
		expect(ranges.take(64)).toBeUndefined();
		expect(ranges.take(63)).toBe(37);
	});

	test("give() makes neighbours one block again", () => {
		const ranges = createRanges(9, []);
		for (const base of [0, 3, 6]) expect(ranges.take(3)).toBe(base);
		expect(ranges.take(1)).toBeUndefined();
		for (const base of [0, 6, 3]) ranges.give({ base, length: 3 });
		expect(ranges.free()).toEqual([{ base: 0, length: 9 }]);
	});

	test("an empty range takes nothing", () => {
		const taken = [
			{ base: 0, length: 5 },
			{ base: 0, length: 0 },
			{ base: 3, length: 0 },
		];
		expect(createRanges(8, taken).free()).toEqual([{ base: 5, length: 3 }]);
	});

	test("take() and give() agree with a row of booleans, and no room is ever lost", () => {
		const step = fc.oneof(
			{ weight: 3, arbitrary: fc.record({ take: fc.integer({ min: 1, max: 20 }) }) },
			{ weight: 2, arbitrary: fc.record({ give: fc.nat() }) },
		);
		const property = fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
			const ranges = createRanges(SLOTS, []);
			const row = new Array<boolean>(SLOTS).fill(false);
			const taken: Range[] = [];
			for (const next of steps) {
				if ("take" in next) take(ranges.take(next.take), next.take);
				else give(next.give);
				demandSame();
			}

			function take(base: number | undefined, length: number): void {
				if (base === undefined) {
					if (longestRun(row) >= length) throw new Error(`${length} would have fitted`);
					return;
				}
				if (row.slice(base, base + length).includes(true)) throw new Error(`${base}+${length} is taken`);
				row.fill(true, base, base + length);
				taken.push({ base, length });
			}

			function give(index: number): void {
				const [range] = taken.splice(index % Math.max(taken.length, 1), 1);
				if (range === undefined) return;
				ranges.give(range);
				row.fill(false, range.base, range.base + range.length);
			}

			/** Blocks are as long as can be, and an allocator that begins with what is taken has the same. */
			function demandSame(): void {
				const free = JSON.stringify(ranges.free());
				if (free !== JSON.stringify(runs(row))) throw new Error(`${free} is not ${JSON.stringify(runs(row))}`);
				if (free !== JSON.stringify(createRanges(SLOTS, taken).free())) throw new Error("Restored otherwise");
			}
		});
		checkProperty("ranges", property, 300);
	});
});

/** The free runs. */
function runs(row: readonly boolean[]): readonly Range[] {
	const found: Range[] = [];
	for (let base = 0; base < row.length; base++) {
		let end = base;
		while (end < row.length && row[end] === false) end++;
		if (end > base) found.push({ base, length: end - base });
		base = Math.max(base, end);
	}
	return found;
}

function longestRun(row: readonly boolean[]): number {
	return Math.max(0, ...runs(row).map(({ length }) => length));
}

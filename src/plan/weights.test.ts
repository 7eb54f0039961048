// Shares of backends with different weights.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { l4 } from "../../test/support/plans.ts";
import { checkProperty } from "../../test/support/property.ts";
import { countRepeats, MAX_WEIGHTED, repeatByWeight } from "./weights.ts";

function counts(weights: readonly number[]): readonly number[] {
	const addresses = weights.map((_, index) => l4(`10.0.${index >> 8}.${index & 255}:80`));
	const repeats = countRepeats(
		repeatByWeight(new Map(addresses.map((address, index) => [address, weights[index] ?? 0]))),
	);
	return addresses.map((address) => repeats.get(address) ?? 0);
}

describe("repeatByWeight()", () => {
	test.each([
		["nothing", [], []],
		["one", [7], [1]],
		["equal ones once each", [5, 5, 5], [1, 1, 1]],
		["smallest numbers", [6, 4, 2], [3, 2, 1]],
		["as they are where they have no divisor", [3, 2], [3, 2]],
		["none of weight 0", [0, 4, 2, 0], [0, 2, 1, 0]],
		["none at all", [0, 0], [0, 0]],
		["scaled down", [1000, 999], [512, 511]],
		["the small ones stay", [1000, 1000, 1], [511, 511, 1]],
		["up to the limit as they are", [1000, 24 - 1], [1000, 23]],
	])("gives %s", (_, weights, expected) => {
		expect(counts(weights)).toEqual(expected);
	});

	test("sorts by address", () => {
		const weights = new Map([
			[l4("10.0.0.9:80"), 1],
			[l4("10.0.0.10:80"), 2],
		]);
		expect(repeatByWeight(weights).join(" ")).toBe("10.0.0.10:80/TCP 10.0.0.10:80/TCP 10.0.0.9:80/TCP");
	});

	test("gives each of more than fit one place", () => {
		expect(counts(Array.from({ length: 3000 }, (_, index) => 1 + (index % 1000)))).toEqual(new Array(3000).fill(1));
	});

	test("keeps to the limit, leaves nobody out, and gives more to what weighs more", () => {
		const given = fc.array(fc.integer({ min: 0, max: 1000 }), { maxLength: 300, size: "max" });
		const property = fc.property(given, (unsorted) => {
			const weights = [...unsorted].sort((a, b) => a - b);
			const found = counts(weights);
			const all = sumOf(found);
			expect(all).toBeLessThanOrEqual(MAX_WEIGHTED);
			expect(found.map((count) => count > 0)).toEqual(weights.map((weight) => weight > 0));
			expect([...found].sort((a, b) => a - b)).toEqual([...found]);
			// Rounded down, but to 1 at the least, which the others pay for.
			const errors = weights.map((weight, index) => Math.abs((found[index] ?? 0) / all - weight / sumOf(weights)));
			if (weights.length <= 20 && all > 0) expect(Math.max(...errors)).toBeLessThan(0.03);
		});
		checkProperty("weights", property, 300);
	});
});

function sumOf(numbers: readonly number[]): number {
	return numbers.reduce((a, b) => a + b, 0);
}

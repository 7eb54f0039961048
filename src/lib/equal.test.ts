// Structural equality against JSON text.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isEqual, isSameList, isSameMap } from "./equal.ts";

/** Without -0, which deep equality tells from 0 and JSON does not. */
const json = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)));

describe("isEqual()", () => {
	test("agrees with node's deep equality on any JSON", () => {
		fc.assert(
			fc.property(json, json, (a, b) => {
				expect(isEqual(a, structuredClone(a))).toBe(true);
				expect(isEqual(a, b)).toBe(Bun.deepEquals(a, b, true));
			}),
			{ numRuns: 2000 },
		);
	});

	test.each([
		[new Map([["a", [1]]]), new Map([["a", [1]]]), true],
		[new Map([["a", 1]]), new Map([["b", 1]]), false],
		[new Map([["a", 1]]), { a: 1 }, false],
		[[1], { 0: 1 }, false],
		[{}, [], false],
		[null, {}, false],
		[{ a: 1, b: 2 }, { b: 2, a: 1 }, true],
		[{ a: undefined }, { b: undefined }, false],
	])("says of %p and %p: %p", (a, b, same) => {
		expect(isEqual(a, b)).toBe(same);
		expect(isEqual(b, a)).toBe(same);
	});
});

test("isSameList() and isSameMap() go by identity", () => {
	const one = { a: 1 };
	expect(isSameList([one], [one])).toBe(true);
	expect(isSameList([one], [{ a: 1 }])).toBe(false);
	expect(isSameList([one], [one, one])).toBe(false);
	expect(isSameMap(new Map([["a", one]]), new Map([["a", one]]))).toBe(true);
	expect(isSameMap(new Map([["a", one]]), new Map([["a", { a: 1 }]]))).toBe(false);
	expect(isSameMap(new Map([["a", one]]), new Map([["b", one]]))).toBe(false);
	expect(isSameMap(new Map([["a", one]]), new Map())).toBe(false);
});

// Keys and numbers, against plain Maps.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createByteIndex } from "./byte_index.ts";

const SIZE = 8;

/** A key that is never zero. */
function keyOf(seed: number): string {
	const bytes = Buffer.alloc(SIZE);
	bytes.writeUInt32LE(seed + 1, seed % 2 === 0 ? 0 : 4);
	return bytes.toString("latin1");
}

const step = fc.record({
	verb: fc.constantFrom("add", "add", "delete"),
	number: fc.integer({ min: 1, max: 60 }),
	seed: fc.nat(99),
});

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** What an index should be, beside what it is. */
function play(steps: readonly Step[]) {
	const index = createByteIndex(SIZE);
	const numbers = new Map<string, number>();
	const keys = new Map<number, string>();
	for (const { verb, number, seed } of steps) {
		const key = keyOf(seed);
		if (verb === "delete") {
			index.delete(number);
			numbers.delete(keys.get(number) ?? "");
			keys.delete(number);
		} else if (!numbers.has(key) && !keys.has(number)) {
			index.add(number, key);
			numbers.set(key, number);
			keys.set(number, key);
		}
	}
	return { index, numbers, keys };
}

describe("createByteIndex()", () => {
	test("finds what was added and not deleted", () => {
		fc.assert(
			fc.property(fc.array(step, { maxLength: 200, size: "max" }), (steps) => {
				const { index, numbers, keys } = play(steps);
				for (let seed = 0; seed < 100; seed++) expect(index.find(keyOf(seed))).toBe(numbers.get(keyOf(seed)));
				for (let number = 0; number < 70; number++) expect(index.keyOf(number)).toBe(keys.get(number));
			}),
		);
	});

	test("grows", () => {
		const index = createByteIndex(SIZE);
		for (let number = 1; number <= 10_000; number++) index.add(number, keyOf(number));
		for (let number = 1; number <= 10_000; number++) expect(index.find(keyOf(number))).toBe(number);
		expect(index.find(keyOf(10_001))).toBeUndefined();
	});

	test("refuses a key of another length", () => {
		expect(() => createByteIndex(SIZE).add(1, "x")).toThrow("Cannot index a key of 1 bytes: 8 are due");
	});
});

// Elements in an array against a Map.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { encodeId } from "./codec.ts";
import { type ArrayElements, createArrayElements } from "./elements.ts";

const SIZE = 8;
const ZERO = "\0".repeat(SIZE);

const value = fc.oneof(
	fc.constant(ZERO),
	fc.uint8Array({ minLength: SIZE, maxLength: SIZE }).map((bytes) => String.fromCharCode(...bytes)),
);
const step = fc.record({ verb: fc.constantFrom("set", "delete", "copy"), index: fc.nat(100), value });

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Returns whether there was an element. */
function change(elements: ArrayElements, { verb, index, value }: Step): boolean {
	const key = encodeId(index);
	if (verb === "delete") return elements.delete(key);
	const was = elements.has(key);
	if (verb === "set") elements.set(key, value);
	else elements.copy(index, Buffer.from(`??${value}??`, "latin1"), 2);
	return was;
}

describe("createArrayElements()", () => {
	test("is a Map in the order of indices, in which zeros are absent", () => {
		fc.assert(
			fc.property(fc.array(step), (steps) => {
				const elements = createArrayElements(SIZE);
				const map = new Map<number, string>();
				for (const each of steps) {
					expect(change(elements, each)).toBe(map.has(each.index));
					if (each.verb === "delete" || each.value === ZERO) map.delete(each.index);
					else map.set(each.index, each.value);
					expect(elements.get(encodeId(each.index))).toBe(map.get(each.index));
					expect(elements.has(encodeId(each.index))).toBe(map.has(each.index));
					expect(elements.size).toBe(map.size);
				}
				const sorted = [...map].sort(([a], [b]) => a - b).map(([index, text]) => [encodeId(index), text] as const);
				expect([...elements].map(([key, text]) => [key, text] as const)).toEqual(sorted);
				expect([...elements.keys()]).toEqual(sorted.map(([key]) => key));
			}),
		);
	});

	test("has nothing beyond its end, and nothing under another kind of key", () => {
		const elements = createArrayElements(SIZE);
		elements.set(encodeId(0), "12345678");
		expect(elements.get(encodeId(0xffff_ffff))).toBeUndefined();
		expect(elements.delete(encodeId(5000))).toBe(false);
		expect(elements.has("")).toBe(false);
		expect(() => elements.set("odd", "12345678")).toThrow(RangeError);
		expect(() => elements.set(encodeId(1), "1234")).toThrow("Cannot keep an element of 4 and 4 bytes: 4 and 8 are due");
	});
});

// Faults happen where and as often as they are told to.

import { describe, expect, test } from "bun:test";
import { encodeId, encodeSlot } from "./codec.ts";
import { Crash, createFaultyMaps, seededRandom } from "./faulty_maps.ts";
import { createMemoryMaps } from "./memory_maps.ts";

const SLOTS = new Map([0, 1, 2, 3].map((index) => [encodeId(index), encodeSlot(index + 1, 1)] as const));

describe("createFaultyMaps()", () => {
	test("fails single elements with ENOMEM and writes the others", () => {
		const maps = createMemoryMaps();
		const draws = [0.5, 0.05, 0.5, 0.05];
		const faulty = createFaultyMaps(maps, { random: () => draws.shift() ?? 0.5, probability: 0.1 });
		expect(faulty.put("slots", SLOTS)).toEqual([
			{ key: encodeId(1), errno: -12 },
			{ key: encodeId(3), errno: -12 },
		]);
		expect([...maps.dump("slots").keys()]).toEqual([encodeId(0), encodeId(2)]);
		expect(faulty.dump("slots")).toEqual(maps.dump("slots"));
		draws.push(0.05);
		expect(faulty.delete("slots", [encodeId(0), encodeId(2)])).toEqual([{ key: encodeId(0), errno: -12 }]);
	});

	test("passes on what the maps themselves refuse", () => {
		const faulty = createFaultyMaps(createMemoryMaps(), { random: () => 0.5, probability: 0 });
		expect(faulty.put("slots", new Map([["odd", ""]]))).toEqual([{ key: "odd", errno: -22 }]);
	});

	test("crashes at the given element, which is not written", () => {
		const maps = createMemoryMaps();
		let seen = 0;
		const options = { random: () => 0.5, probability: 0, crashAt: 3, afterEach: () => void seen++ };
		const faulty = createFaultyMaps(maps, options);
		expect(() => faulty.put("slots", SLOTS)).toThrow(Crash);
		expect(maps.dump("slots").size).toBe(2);
		expect(seen).toBe(2);
	});
});

describe("seededRandom()", () => {
	test.each([0, 1, 42, 0xffff_ffff])("spreads evenly from 0 up to 1, and repeats itself, from seed %d", (seed) => {
		const random = seededRandom(seed);
		const again = seededRandom(seed);
		const numbers = Array.from({ length: 10_000 }, random);
		expect(numbers).toEqual(Array.from({ length: 10_000 }, again));
		expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
		expect(Math.max(...numbers)).toBeLessThan(1);
		const below = numbers.filter((number) => number < 0.1).length;
		expect(below).toBeGreaterThan(850);
		expect(below).toBeLessThan(1150);
	});
});

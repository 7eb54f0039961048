// What every Maps must do, be it memory or kernel: the two are told apart by nothing but speed.

import { expect, test } from "bun:test";
import { encodeId } from "../../src/datapath/codec.ts";
import type { AnyMapName, Maps } from "../../src/datapath/maps.ts";

const E2BIG = -7;
const EINVAL = -22;

const SIZES: readonly { map: AnyMapName; type: "array" | "hash"; key: number; value: number }[] = [
	{ map: "backends", type: "array", key: 4, value: 24 },
	{ map: "slots", type: "array", key: 4, value: 8 },
	{ map: "names", type: "hash", key: 4, value: 160 },
	{ map: "frontends", type: "hash", key: 20, value: 72 },
	{ map: "addresses", type: "hash", key: 16, value: 36 },
	{ map: "affinities", type: "hash", key: 24, value: 32 },
	{ map: "guards", type: "hash", key: 24, value: 4 },
	{ map: "backend_stats", type: "array", key: 4, value: 24 },
	{ map: "frontend_stats", type: "array", key: 4, value: 16 },
];
const ARRAYS = SIZES.filter(({ type }) => type === "array");
const HASHES = SIZES.filter(({ type }) => type === "hash");

/** Declares the tests; each one gets empty maps. Call it inside a describe. */
export function testMaps(create: () => Maps): void {
	test.each(SIZES)("$map: put(), dump() and delete() agree", ({ map, key, value }) => {
		const maps = create();
		const entries = new Map([1, 2, 3].map((id) => [keyOf(id, key), filled(id, value)] as const));
		expect(maps.put(map, entries)).toEqual([]);
		expect(new Map(maps.dump(map))).toEqual(entries);
		expect(maps.put(map, new Map([[keyOf(2, key), filled(9, value)]]))).toEqual([]);
		expect(maps.delete(map, [keyOf(1, key), keyOf(3, key)])).toEqual([]);
		expect(new Map(maps.dump(map))).toEqual(new Map([[keyOf(2, key), filled(9, value)]]));
	});

	test.each(SIZES)("$map: delete() of what is absent is no failure", ({ map, key }) => {
		expect(create().delete(map, [keyOf(7, key)])).toEqual([]);
	});

	test.each(SIZES)("$map: put() of a wrong size fails alone, the others are written", ({ map, key, value }) => {
		const maps = create();
		const good = keyOf(1, key);
		const bad = keyOf(2, key);
		const entries = new Map([
			[bad, "short"],
			["odd", filled(1, value)],
			[good, filled(1, value)],
		]);
		expect(maps.put(map, entries)).toEqual([
			{ key: bad, errno: EINVAL },
			{ key: "odd", errno: EINVAL },
		]);
		expect([...maps.dump(map).keys()]).toEqual([good]);
	});

	test.each(ARRAYS)("$map: put() beyond the end fails, delete() too", ({ map, value }) => {
		const maps = create();
		const beyond = encodeId(0xffff_ffff);
		expect(maps.put(map, new Map([[beyond, filled(1, value)]]))).toEqual([{ key: beyond, errno: E2BIG }]);
		expect(maps.delete(map, [beyond])).toEqual([{ key: beyond, errno: E2BIG }]);
	});

	test.each(ARRAYS)("$map: an element of zeros is absent", ({ map, value }) => {
		const maps = create();
		expect(maps.put(map, new Map([[encodeId(1), "\0".repeat(value)]]))).toEqual([]);
		expect(maps.dump(map).size).toBe(0);
	});

	test.each(HASHES)("$map: an element of zeros is present", ({ map, key, value }) => {
		const maps = create();
		expect(maps.put(map, new Map([[keyOf(1, key), "\0".repeat(value)]]))).toEqual([]);
		expect(maps.dump(map).size).toBe(1);
	});
}

function keyOf(id: number, length: number): string {
	return encodeId(id).padEnd(length, "\0");
}

/** Every byte value is a byte, also those above 127. */
function filled(id: number, length: number): string {
	return String.fromCharCode(id, 0xff, 0x80).padEnd(length, "\x7f");
}

// Memory maps keep to what all maps have in common, and to their capacity.

import { describe, expect, test } from "bun:test";
import { testMaps } from "../../test/support/maps_contract.ts";
import { encodeId, encodeName } from "./codec.ts";
import { createMemoryMaps } from "./memory_maps.ts";

const TINY = { frontends: 2, backends: 2, slots: 2, addresses: 100 };

describe("createMemoryMaps()", () => {
	testMaps(() => createMemoryMaps({ frontends: 9, backends: 9, slots: 9, addresses: 100 }));

	test("a full hash takes no new element, but changes an old one", () => {
		const maps = createMemoryMaps(TINY);
		const entries = new Map([1, 2, 3, 4].map((id) => [encodeId(id), encodeName(`demo/web:${id}`)] as const));
		expect(maps.put("names", entries)).toEqual([{ key: encodeId(4), errno: -7 }]);
		expect(maps.put("names", new Map([[encodeId(1), encodeName("demo/other:1")]]))).toEqual([]);
		expect(maps.delete("names", [encodeId(2)])).toEqual([]);
		expect(maps.put("names", new Map([[encodeId(4), encodeName("demo/web:4")]]))).toEqual([]);
	});

	test("ids run up to the capacity, slots to one less", () => {
		const maps = createMemoryMaps(TINY);
		const slot = "\x01".padEnd(8, "\0");
		expect(maps.put("slots", new Map([1, 2].map((index) => [encodeId(index), slot])))).toEqual([
			{ key: encodeId(2), errno: -7 },
		]);
		const backend = "\x01".padEnd(24, "\0");
		expect(maps.put("backends", new Map([2, 3].map((id) => [encodeId(id), backend])))).toEqual([
			{ key: encodeId(3), errno: -7 },
		]);
	});

	test("dump() gives a copy", () => {
		const maps = createMemoryMaps(TINY);
		maps.dump("names").set(encodeId(1), encodeName("demo/web:http"));
		expect(maps.dump("names").size).toBe(0);
	});
});

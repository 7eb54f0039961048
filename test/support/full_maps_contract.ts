// What every Maps must do where there is no room: tell what failed, and write all the rest.

import { expect, test } from "bun:test";
import { encodeId } from "../../src/datapath/codec.ts";
import { sizeOf } from "../../src/datapath/layout.ts";
import type { Maps } from "../../src/datapath/maps.ts";

const E2BIG = -7;

/** Room for this many names, and for slots up to it; more than two batches of the kernel's maps. */
export const ROOM = 10_000;

/** Declares the tests; each one gets empty maps with this room. */
export function testFullMaps(create: () => Maps): void {
	const name = (id: number) => String.fromCharCode(1 + (id & 0x7f)).padEnd(sizeOf("frontend_name"), "\0");
	const slot = (id: number) => encodeId(id + 1).padEnd(sizeOf("slot"), "\0");
	const names = (ids: readonly number[]) => new Map(ids.map((id) => [encodeId(id), name(id)] as const));
	const slots = (ids: readonly number[]) => new Map(ids.map((id) => [encodeId(id), slot(id)] as const));
	const upTo = (count: number, first = 0) => Array.from({ length: count }, (_, index) => first + index);

	test.each(["names", "slots"] as const)("10,000 elements of %s come back as they were put, and go", (map) => {
		const maps = create();
		const entries = map === "names" ? names(upTo(ROOM)) : slots(upTo(ROOM));
		expect(maps.put(map, entries)).toEqual([]);
		expect(new Map(maps.dump(map))).toEqual(entries);
		const [even, odd] = [0, 1].map((rest) => [...entries.keys()].filter((_, index) => index % 2 === rest));
		expect(maps.delete(map, even ?? [])).toEqual([]);
		expect([...maps.dump(map).keys()].sort()).toEqual([...(odd ?? [])].sort());
		expect(maps.delete(map, entries.keys())).toEqual([]);
		expect(maps.dump(map).size).toBe(0);
	});

	test("a hash that becomes full in the middle refuses what is new, and changes what is there", () => {
		const maps = create();
		expect(maps.put("names", names(upTo(ROOM - 2)))).toEqual([]);
		// New and old by turns, so that failures and successes stand side by side in one batch.
		const mixed = upTo(200).flatMap((n) => [ROOM + n, n]);
		const changed = new Map(mixed.map((id) => [encodeId(id), name(id + 1)] as const));
		const failures = maps.put("names", changed);
		expect(failures).toEqual(upTo(198, ROOM + 2).map((id) => ({ key: encodeId(id), errno: E2BIG })));
		const found = maps.dump("names");
		expect(found.size).toBe(ROOM);
		for (const id of upTo(200)) expect(found.get(encodeId(id))).toBe(name(id + 1));
		expect(found.get(encodeId(ROOM + 1))).toBe(name(ROOM + 2));
	});

	test("a full hash refuses a whole load of new elements, each by itself", () => {
		const maps = create();
		expect(maps.put("names", names(upTo(ROOM)))).toEqual([]);
		const failures = maps.put("names", names(upTo(ROOM, ROOM)));
		expect(failures).toHaveLength(ROOM);
		expect(new Set(failures.map(({ errno }) => errno))).toEqual(new Set([E2BIG]));
		expect(new Set(failures.map(({ key }) => key)).size).toBe(ROOM);
		expect(maps.dump("names").size).toBe(ROOM);
		// Room that is made is room.
		maps.delete("names", [encodeId(5)]);
		expect(maps.put("names", names([ROOM + 5]))).toEqual([]);
	});

	test("an index past the end fails by itself, wherever it stands", () => {
		const maps = create();
		const beyond = [ROOM, ROOM + 1, 0xffff_ffff];
		const order = [beyond[0] ?? 0, ...upTo(5000), beyond[1] ?? 0, ...upTo(4000, 5000), beyond[2] ?? 0];
		const failures = maps.put("slots", slots(order));
		expect(failures).toEqual(beyond.map((id) => ({ key: encodeId(id), errno: E2BIG })));
		expect(new Map(maps.dump("slots"))).toEqual(slots(upTo(9000)));
		expect(maps.delete("slots", slots(order).keys())).toEqual(failures);
		expect(maps.dump("slots").size).toBe(0);
	});
}

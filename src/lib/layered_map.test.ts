// Snapshots of a map that goes on changing, against plain copies of it.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createLayeredMap, keysBetween, type LayeredMap } from "./layered_map.ts";

interface Value {
	readonly number: number;
}

const step = fc.oneof(
	fc.record({ verb: fc.constantFrom("set", "delete"), key: fc.integer({ min: 0, max: 30 }).map(String) }),
	fc.record({ verb: fc.constant("snapshot"), key: fc.constant("") }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** What a snapshot should be, beside what it is. */
interface Pair {
	readonly snapshot: ReadonlyMap<string, Value>;
	readonly copy: ReadonlyMap<string, Value>;
}

function run(steps: readonly Step[], map: LayeredMap<Value>): readonly Pair[] {
	const copy = new Map<string, Value>();
	const pairs: Pair[] = [];
	for (const [number, { verb, key }] of steps.entries()) {
		if (verb === "snapshot") pairs.push({ snapshot: map.snapshot(), copy: new Map(copy) });
		else if (verb === "delete") expect(map.delete(key)).toBe(copy.delete(key));
		else {
			const value = { number };
			map.set(key, value);
			copy.set(key, value);
		}
		expect(map.size).toBe(copy.size);
		expect(map.get(key)).toBe(copy.get(key));
		expect([...map.keys()].sort()).toEqual([...copy.keys()].sort());
		expect(new Set(map.values())).toEqual(new Set(copy.values()));
	}
	return pairs;
}

const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]) => (a < b ? -1 : 1);

describe("createLayeredMap()", () => {
	test("has snapshots that stay as they were", () => {
		fc.assert(
			fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
				for (const { snapshot, copy } of run(steps, createLayeredMap({ many: 5, deepest: 4 }))) {
					const entries = [...copy].sort(byKey);
					expect(snapshot.size).toBe(copy.size);
					expect([...snapshot].sort(byKey)).toEqual(entries);
					expect([...snapshot.entries()].sort(byKey)).toEqual(entries);
					expect([...snapshot.keys()].sort()).toEqual(entries.map(([key]) => key));
					expect(new Set(snapshot.values())).toEqual(new Set(copy.values()));
					const seen: [string, Value][] = [];
					snapshot.forEach((value, key) => void seen.push([key, value]));
					expect(seen.sort(byKey)).toEqual(entries);
					for (let key = 0; key <= 30; key++) {
						expect(snapshot.get(`${key}`)).toBe(copy.get(`${key}`));
						expect(snapshot.has(`${key}`)).toBe(copy.has(`${key}`));
					}
				}
			}),
		);
	});
});

/** Keys under which two maps differ. */
function differing(before: ReadonlyMap<string, Value>, after: ReadonlyMap<string, Value>): readonly string[] {
	const all = new Set([...before.keys(), ...after.keys()]);
	return [...all].filter((key) => before.get(key) !== after.get(key));
}

describe("keysBetween()", () => {
	test("names the keys that differ, whichever two snapshots are compared", () => {
		fc.assert(
			fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
				const pairs = run(steps, createLayeredMap({ many: 5, deepest: 4 }));
				for (const before of pairs)
					for (const after of pairs) {
						const keys = keysBetween(before.snapshot, after.snapshot);
						if (keys === undefined) continue;
						expect([...keys].sort()).toEqual([...differing(before.copy, after.copy)].sort());
					}
			}),
		);
	});

	test("knows what is between one snapshot and the next, a new bottom or not", () => {
		const map = createLayeredMap<Value>({ many: 5, deepest: 4 });
		for (let number = 0; number < 10; number++) map.set(`${number}`, { number });
		let before = map.snapshot();
		for (let number = 0; number < 50; number++) {
			map.set(`${number % 10}`, { number });
			const after = map.snapshot();
			expect(keysBetween(before, after)).toEqual(new Set([`${number % 10}`]));
			before = after;
		}
		for (let number = 0; number < 20; number++) map.set(`${number}`, { number });
		expect(keysBetween(before, map.snapshot())).toBeUndefined();
	});

	test("knows one change among many, and knows nothing of other maps", () => {
		const map = createLayeredMap<Value>();
		for (let number = 0; number < 2000; number++) map.set(`${number}`, { number });
		const before = map.snapshot();
		map.set("7", { number: 0 });
		map.delete("8");
		expect(keysBetween(before, map.snapshot())).toEqual(new Set(["7", "8"]));
		expect(keysBetween(before, before)).toEqual(new Set());
		expect(keysBetween(before, new Map(before))).toBeUndefined();
	});
});

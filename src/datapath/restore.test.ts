// What is read out of sound and out of broken maps.

import { describe, expect, test } from "bun:test";
import { l4, planOf } from "../../test/support/plans.ts";
import {
	encodeBackend,
	encodeFrontend,
	encodeFrontendKey,
	encodeId,
	encodeName,
	encodeSlot,
	withRule,
} from "./codec.ts";
import type { Contents } from "./contents.ts";
import { emptyContents, readContents } from "./contents.ts";
import { createMemoryMaps } from "./memory_maps.ts";
import { restore } from "./restore.ts";
import { createWriter } from "./writer.ts";

const CAPACITY = { frontends: 9, backends: 9, slots: 9, addresses: 100 };
const WEB = l4("10.96.0.1:80/TCP");
const KEY = encodeFrontendKey(WEB);
const A = l4("10.0.0.1:80/TCP");
const B = l4("10.0.0.2:80/TCP");

/** `demo/web` with two backends, in ids 1 and 2, slots 0 and 1. */
function sound(): Contents {
	const maps = createMemoryMaps(CAPACITY);
	const plan = planOf({ "demo/web": { [WEB]: `${A} | ${B}` } });
	createWriter({ maps, capacity: CAPACITY, firstGeneration: 7 }).write(plan, { synced: true });
	return readContents(maps);
}

type Fields = Partial<Parameters<typeof encodeFrontend>[1]>;

function frontend(fields: Fields): string {
	return frontendAt(KEY, fields);
}

function frontendAt(key: string, fields: Fields): string {
	const numbers = { id: 1, slotBase: 0, active: 1, members: 2, generation: 7 };
	return encodeFrontend(key, {
		...numbers,
		flags: 1,
		affinity: "",
		affinitySeconds: 0,
		guard: "",
		limit: 0,
		...fields,
	});
}

const SET = { base: 0, active: 1, members: [1, 2], generation: 7 };

describe("restore()", () => {
	test("gives nothing for empty maps", () => {
		expect(restore(emptyContents(), CAPACITY)).toEqual({
			backends: [],
			frontends: [],
			looseSlots: [],
			danglingIds: [],
			generation: 0,
		});
	});

	test("finds ids and whole sets", () => {
		expect(restore(sound(), CAPACITY)).toEqual({
			backends: [
				{ id: 1, address: A },
				{ id: 2, address: B },
			],
			frontends: [{ id: 1, key: KEY, layer: WEB, set: SET }],
			looseSlots: [],
			danglingIds: [],
			generation: 7,
		});
	});

	test.each([
		["has more active backends than members", frontend({ active: 3 })],
		["has slots beyond the end", frontend({ slotBase: 8 })],
		["has four milliards of slots", frontend({ members: 0xffff_ffff })],
		["has empty slots", frontend({ slotBase: 1 })],
	])("keeps the id of a frontend that %s, and makes its set anew", (_, value) => {
		const contents = sound();
		contents.frontends.set(KEY, value);
		const restored = restore(contents, CAPACITY);
		expect(restored.frontends).toEqual([{ id: 1, key: KEY, layer: WEB, set: undefined }]);
		expect(restored.looseSlots).toEqual([
			{ base: 0, length: 1 },
			{ base: 1, length: 1 },
		]);
	});

	test("does not believe a set with another's slot, and never gives a backend id that hangs in the air", () => {
		const contents = sound();
		contents.slots.set(encodeId(1), encodeSlot(2, 5));
		contents.slots.set(encodeId(4), encodeSlot(8, 5));
		const restored = restore(contents, CAPACITY);
		expect(restored.frontends[0]?.set).toBeUndefined();
		expect(restored.looseSlots.map(({ base }) => base)).toEqual([0, 1, 4]);
		expect(restored.danglingIds).toEqual([8]);
	});

	test.each([0, 10, 0xffff_ffff])("gives a frontend with id %d a new one", (id) => {
		const contents = sound();
		contents.frontends.set(KEY, frontend({ id }));
		expect(restore(contents, CAPACITY).frontends).toEqual([{ id: 1, key: "", layer: undefined, set: undefined }]);
	});

	test("lets the first of two frontends have an id that both have", () => {
		const contents = sound();
		contents.frontends.set(encodeFrontendKey(l4("10.96.0.2:80/TCP")), frontend({}));
		expect(restore(contents, CAPACITY).frontends.map(({ layer }) => layer)).toEqual([WEB]);
	});

	test("knows a redirect and who is next as two layers of one address", () => {
		const contents = sound();
		const next = withRule(KEY, 1);
		contents.frontends.set(next, frontendAt(next, {}));
		contents.frontends.set(KEY, frontend({ id: 2, active: 0, members: 0, guard: "0123456789abcdef" }));
		const found = restore(contents, CAPACITY).frontends.map(({ id, key, layer, set }) => [
			id,
			key,
			layer,
			set?.members,
		]);
		expect(found).toEqual([
			[2, KEY, `redirect ${WEB}`, []],
			[1, next, WEB, [1, 2]],
		]);
	});

	test.each(["first", "next"])(
		"goes by the first rule where a frontend is there by both, %s written before",
		(before) => {
			const contents = sound();
			const next = withRule(KEY, 1);
			if (before === "next") contents.frontends.delete(KEY);
			// The set that it has had: one backend less.
			contents.frontends.set(next, frontendAt(next, { members: 1, generation: 6 }));
			contents.frontends.set(KEY, frontend({}));
			const restored = restore(contents, CAPACITY);
			expect(restored.frontends).toEqual([{ id: 1, key: KEY, layer: WEB, set: SET }]);
		},
	);

	test("gives nobody the id that stands by the next rule alone where another one has the address", () => {
		const contents = sound();
		const next = withRule(KEY, 1);
		contents.frontends.set(next, frontendAt(next, { id: 3, members: 0, active: 0 }));
		expect(restore(contents, CAPACITY).frontends.map(({ id, key, layer }) => [id, key, layer])).toEqual([
			[1, KEY, WEB],
			[3, next, undefined],
		]);
	});

	test("keeps the id of a name without a frontend, and of unreadable elements, from being given", () => {
		const contents = sound();
		contents.names.set(encodeId(3), encodeName("demo/gone:http"));
		contents.frontends.set("\0".repeat(20), frontend({ id: 4, members: 0, active: 0 }));
		contents.backends.set(encodeId(5), "\x01".padEnd(24, "\0"));
		const restored = restore(contents, CAPACITY);
		expect(restored.frontends.map(({ id, layer }) => [id, layer])).toEqual([
			[1, WEB],
			[4, undefined],
			[3, undefined],
		]);
		expect(restored.backends).toContainEqual({ id: 5, address: undefined });
	});

	test("knows only the first id of a backend that has two", () => {
		const contents = sound();
		contents.backends.set(encodeId(6), encodeBackend(A));
		expect(restore(contents, CAPACITY).backends).toEqual([
			{ id: 1, address: A },
			{ id: 2, address: B },
			{ id: 6, address: undefined },
		]);
	});
});

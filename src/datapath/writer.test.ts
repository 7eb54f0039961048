// What one round does, element by element.

import { describe, expect, test } from "bun:test";
import { demandExactly } from "../../test/support/history.ts";
import { planOf } from "../../test/support/plans.ts";
import { describeSet, readMemory } from "../../test/support/program_view.ts";
import type { RecordingMaps } from "../../test/support/recording_maps.ts";
import { createRecordingMaps } from "../../test/support/recording_maps.ts";
import type { Plan } from "../plan/plan_types.ts";
import type { Capacity } from "./capacity.ts";
import { encodeId, encodeSlot } from "./codec.ts";
import { MAP_NAMES } from "./maps.ts";
import { createMemoryMaps } from "./memory_maps.ts";
import type { Writer } from "./writer.ts";
import { createWriter } from "./writer.ts";

const CAPACITY = { frontends: 10, backends: 10, slots: 10, addresses: 100 };
const [A, B, C, D] = ["10.0.0.1:80/TCP", "10.0.0.2:80/TCP", "10.0.0.3:80/TCP", "10.0.0.4:80/TCP"];
const WEB = "10.96.0.1:80/TCP";
const API = "10.96.0.2:80/TCP";
const NONE = planOf({});

interface Rig {
	readonly maps: RecordingMaps;
	readonly writer: Writer;
	/** Writes and returns what was done. */
	write(plan: Plan, synced?: boolean): readonly string[];
}

function start(maps: RecordingMaps = createRecordingMaps(), capacity: Capacity = CAPACITY): Rig {
	const writer = createWriter({ maps, capacity, firstGeneration: 1 });
	return {
		maps,
		writer,
		write(plan, synced = true) {
			maps.taken();
			writer.write(plan, { synced });
			return maps.taken();
		},
	};
}

function web(set: string): Plan {
	return planOf({ "demo/web": { [WEB]: set } });
}

/** By frontend address, as `id generation set`. */
function state(maps: RecordingMaps): Record<string, string> {
	const memory = readMemory(maps);
	const lines = memory.frontends.map(
		(frontend) => [frontend.address, `${frontend.id} ${frontend.generation} ${describeSet(memory, frontend)}`] as const,
	);
	return Object.fromEntries(lines);
}

describe("order", () => {
	test("write() puts upward: what is referred to stands before what refers to it", () => {
		expect(start().write(web(`${A} ${B} | ${C}`))).toEqual([
			"put backend_stats 1",
			"put backend_stats 2",
			"put backend_stats 3",
			"put backends 1",
			"put backends 2",
			"put backends 3",
			"put slots 0",
			"put slots 1",
			"put slots 2",
			"put frontend_stats 1",
			"put names 1",
			`put frontends ${WEB}`,
		]);
	});

	test("write() replaces a set by one put, and takes the old one away after it", () => {
		const { write } = start();
		write(web(`${A} ${B}`));
		expect(write(web(B))).toEqual([
			"put slots 2",
			`put frontends ${WEB}`,
			"delete slots 0",
			"delete slots 1",
			"delete backends 1",
		]);
	});

	test("write() deletes downward", () => {
		const { write, maps } = start();
		write(web(A));
		expect(write(NONE)).toEqual([`delete frontends ${WEB}`, "delete slots 0", "delete names 1", "delete backends 1"]);
		demandExactly(maps, NONE);
	});

	test("write() does nothing if nothing changed, also if the plan is another object", () => {
		const { write } = start();
		write(web(`${A} | ${B}`));
		expect(write(web(`${A} | ${B}`))).toEqual([]);
	});

	test("write() edits a flag without a new set", () => {
		const { write, maps } = start();
		write(web(A));
		const chunk = web(A).chunks.get("demo/web");
		const frontends = chunk?.frontends.map((frontend) => ({ ...frontend, keepsPeer: false })) ?? [];
		const plan = { ...planOf({}), chunks: new Map([["demo/web", { object: "demo/web", frontends }]]) };
		expect(write(plan)).toEqual([`put frontends ${WEB}`]);
		demandExactly(maps, plan);
	});
});

describe("sets", () => {
	test("a new set has a new generation, the same set keeps it, in whatever order it is said", () => {
		const { write, maps } = start();
		const seen = [`${A} ${B}`, `${B} ${A}`, `${A} | ${B}`, `${A} ${B}`, "", ""].map((set) => {
			write(web(set));
			return state(maps)[WEB];
		});
		expect(seen).toEqual([`1 1 ${A} ${B}|`, `1 1 ${A} ${B}|`, `1 2 ${A}|${B}`, `1 3 ${A} ${B}|`, "1 4 |", "1 4 |"]);
	});

	test("a set that comes back before its successor was switched to is whole", () => {
		const { write, maps, writer } = start();
		write(web(`${A} ${B}`));
		maps.fail("put frontends");
		write(web(C));
		expect(state(maps)).toEqual({ [WEB]: `1 1 ${A} ${B}|` });
		write(web(`${A} ${B}`));
		expect(state(maps)).toEqual({ [WEB]: `1 1 ${A} ${B}|` });
		maps.fail();
		// What was written for C rests for two rounds.
		const again = [1, 2, 3].map(() => writer.write(web(`${A} ${B}`), { synced: true }).again);
		expect(again).toEqual([true, true, false]);
		demandExactly(maps, web(`${A} ${B}`));
	});

	test("a backend that comes back under its id goes on counting, another one with the id begins anew", () => {
		const { write } = start();
		write(web(A));
		expect(write(web(B))).toContain("delete backends 1");
		expect(write(web(`${A} ${B}`)).filter((line) => line.includes("stats"))).toEqual([]);
		for (const set of [B, B, B, B]) write(web(set));
		expect(write(web(`${B} ${C}`)).filter((line) => line.includes("stats"))).toEqual(["put backend_stats 1"]);
	});

	test("a backend has one id, however many frontends lead to it", () => {
		const { write, maps } = start();
		const plan = planOf({ "demo/web": { [WEB]: `${A} ${B}` }, "demo/api": { [API]: `${A}` } });
		write(plan);
		demandExactly(maps, plan);
		expect(write(web(`${A} ${B}`))).not.toContain("delete backends 1");
		demandExactly(maps, web(`${A} ${B}`));
	});
});

describe("failures", () => {
	test("a frontend waits for its backend, the others do not", () => {
		const { write, maps, writer } = start();
		const plan = planOf({ "demo/web": { [WEB]: `${A} ${B}` }, "demo/api": { [API]: C } });
		maps.fail("put backends 2");
		const written = writer.write(plan, { synced: true });
		expect(written.failures).toEqual([{ map: "backends", verb: "put", key: encodeId(2), errno: -12 }]);
		expect(written.pending).toBe(3); // The backend, its slot, and the frontend.
		expect(written.again).toBe(true);
		expect(state(maps)).toEqual({ [API]: `2 2 ${C}|` });
		maps.fail();
		expect(write(plan)).toEqual(["put backend_stats 2", "put backends 2", "put slots 1", `put frontends ${WEB}`]);
		demandExactly(maps, plan);
	});

	test.each(["put backend_stats 1", "put slots 0", "put frontend_stats 1", "put names 1", "put frontends"])(
		"nothing is to be seen after a failed %s, and the next round makes it good",
		(line) => {
			const { write, maps } = start();
			maps.fail(line);
			write(web(A));
			expect(state(maps)).toEqual({});
			maps.fail();
			write(web(A));
			demandExactly(maps, web(A));
		},
	);

	test("what a frontend still reaches is not deleted", () => {
		const { write, maps } = start();
		write(web(`${A} ${B}`));
		maps.fail("put frontends", "delete frontends");
		expect(write(web(C)).filter((line) => line.startsWith("delete"))).toEqual([]);
		expect(state(maps)).toEqual({ [WEB]: `1 1 ${A} ${B}|` });
		// The set that was never switched to is not reached.
		expect(write(NONE)).toEqual([`delete frontends ${WEB}`, "delete slots 2", "delete backends 3"]);
		expect(state(maps)).toEqual({ [WEB]: `1 1 ${A} ${B}|` });
		maps.fail();
		write(NONE);
		demandExactly(maps, NONE);
	});

	test("a slot that cannot be deleted keeps its backend", () => {
		const { write, maps } = start();
		write(web(A));
		maps.fail("delete slots 0");
		expect(write(NONE)).toEqual([`delete frontends ${WEB}`, "delete slots 0", "delete names 1"]);
		maps.fail();
		expect(write(NONE)).toEqual(["delete slots 0", "delete backends 1"]);
	});

	test("after maps that throw the next round reads them back", () => {
		const maps = createRecordingMaps();
		let isBroken = false;
		const throwing = {
			...maps,
			put(...[map, entries]: Parameters<RecordingMaps["put"]>) {
				if (isBroken && map === "names") throw new Error("EBADF");
				return maps.put(map, entries);
			},
		};
		const { writer } = start(throwing);
		isBroken = true;
		expect(() => writer.write(web(A), { synced: true })).toThrow("EBADF");
		isBroken = false;
		expect(writer.write(web(A), { synced: true }).changes.slots).toEqual({ puts: 0, deletes: 0 });
		demandExactly(maps, web(A));
	});
});

describe("before the hub is synced", () => {
	test("what a hub has wanted goes when that hub no longer wants it", () => {
		const { write, maps } = start();
		write(planOf({ "demo/web": { [WEB]: A }, "demo/api": { [API]: B } }), false);
		write(web(C), false);
		demandExactly(maps, web(C));
	});

	test("what a restart finds is kept, until a plan has had it or all hubs are synced", () => {
		const maps = createRecordingMaps();
		const both = planOf({ "demo/web": { [WEB]: A }, "demo/api": { [API]: B } });
		start(maps).write(both);
		const { write, writer } = start(maps);
		write(web(C), false);
		expect(state(maps)).toEqual({ [WEB]: `1 3 ${C}|`, [API]: `2 2 ${B}|` });
		expect(write(NONE, false)).toContain(`delete frontends ${WEB}`);
		expect(state(maps)).toEqual({ [API]: `2 2 ${B}|` });
		const written = writer.write(NONE, { synced: true });
		expect(written.changes.frontends).toEqual({ puts: 0, deletes: 1 });
		expect(written.pending).toBe(0);
		demandExactly(maps, NONE);
	});

	test("what others put there meanwhile is kept like what was found", () => {
		const { write, maps, writer } = start();
		const foreign = createRecordingMaps();
		start(foreign).write(planOf({ "demo/api": { [API]: B } }));
		write(NONE, false);
		for (const map of MAP_NAMES) maps.put(map, foreign.dump(map));
		writer.resync();
		expect(write(NONE, false)).toEqual([]);
		expect(state(maps)).toEqual({ [API]: `1 1 ${B}|` });
		write(NONE);
		demandExactly(maps, NONE);
	});

	test("a restart without a plan does nothing, and what is new gets what is free", () => {
		const maps = createRecordingMaps();
		start(maps).write(planOf({ "demo/web": { [WEB]: A }, "demo/api": { [API]: B } }));
		const { write } = start(maps);
		expect(write(NONE, false)).toEqual([]);
		expect(write(planOf({ "demo/new": { "10.96.0.3:80/TCP": C } }), false)).toContain("put backends 3");
		expect(state(maps)[API]).toBe(`2 2 ${B}|`);
	});
});

describe("identity", () => {
	test("a restart with the same plan does nothing", () => {
		const maps = createRecordingMaps();
		const plan = planOf({ "demo/web": { [WEB]: `${A} | ${B}` }, "demo/api": { [API]: "" } });
		start(maps).write(plan);
		expect(start(maps).write(plan)).toEqual([]);
	});

	test("an id is given again after it has rested two rounds", () => {
		const { write } = start();
		write(web(A));
		write(web("")); // Backend 1 and slot 0 go.
		expect(write(web(B))).toContain("put backends 2");
		expect(write(web(`${B} ${C}`))).toContain("put backends 3");
		expect(write(web(`${B} ${C} ${D}`))).toContain("put backends 1");
	});

	test("the same address finds its id again while it rests", () => {
		const { write } = start();
		write(web(`${A} ${B}`));
		write(web(B));
		expect(write(web(`${A} ${B}`))).toContain("put backends 1");
	});

	test("a set is not taken for one of backends that have its ids now", () => {
		const { write, maps } = start();
		write(web(A));
		// The frontend keeps its id and what it knows of its set; the backend's id becomes free.
		maps.fail("delete names 1");
		for (let round = 0; round < 3; round++) write(NONE);
		expect(write(planOf({ "demo/api": { [API]: B } }))).toContain("put backends 1");
		maps.fail();
		write(planOf({ "demo/api": { [API]: B }, "demo/web": { [WEB]: B } }));
		expect(state(maps)).toEqual({ [API]: `2 2 ${B}|`, [WEB]: `1 3 ${B}|` });
	});

	test("an address that moves to another object keeps its id and loses its backends", () => {
		const { write, maps } = start();
		write(web(A));
		write(planOf({ "demo/other": { [WEB]: B } }));
		expect(state(maps)).toEqual({ [WEB]: `1 2 ${B}|` });
	});

	test("generations go on after a restart, from the clock or from what is there", () => {
		const maps = createRecordingMaps();
		start(maps).write(web(A));
		createWriter({ maps, capacity: CAPACITY, firstGeneration: 1000 }).write(web(B), { synced: true });
		expect(state(maps)).toEqual({ [WEB]: `1 1000 ${B}|` });
		createWriter({ maps, capacity: CAPACITY, firstGeneration: 5 }).write(web(C), { synced: true });
		expect(state(maps)).toEqual({ [WEB]: `1 1001 ${C}|` });
	});
});

test.each([
	[0xffff_fffe, 7, 0xffff_ffff],
	[0xffff_ffff, 7, 7],
])("after generation %d, with %d given, comes %d", (last, given, next) => {
	const maps = createRecordingMaps();
	createWriter({ maps, capacity: CAPACITY, firstGeneration: last }).write(web(A), { synced: true });
	createWriter({ maps, capacity: CAPACITY, firstGeneration: given }).write(web(B), { synced: true });
	expect(state(maps)[WEB]).toBe(`1 ${next} ${B}|`);
});

test.each([
	["in 2200", Date.UTC(2200, 0) / 1000],
	["in 1900", Date.UTC(1900, 0) / 1000],
	["at the beginning of 1970", 0],
	["at the turn of 32 bits", 2 ** 32],
])("a clock that is %s gives a generation all the same", (_, firstGeneration) => {
	const maps = createMemoryMaps(CAPACITY);
	const { failures } = createWriter({ maps, capacity: CAPACITY, firstGeneration }).write(web(A), { synced: true });
	expect(failures).toEqual([]);
	expect(readMemory(maps).frontends[0]?.generation).toBeGreaterThan(0);
});

test("after the last generation comes 1", () => {
	const maps = createRecordingMaps();
	const writer = createWriter({ maps, capacity: CAPACITY, firstGeneration: 0xffff_ffff });
	for (const set of [A, B, C]) writer.write(web(set ?? ""), { synced: true });
	expect(state(maps)[WEB]).toBe(`1 2 ${C}|`);
});

describe("room", () => {
	const tiny = (capacity: Partial<Capacity>) => {
		const all = { ...CAPACITY, ...capacity };
		return start(createRecordingMaps(createMemoryMaps(all)), all);
	};

	test.each([
		["frontends", "all frontend ids are in use"],
		["backends", "all backend ids are in use"],
		["slots", "no range of slots is long enough"],
	] as const)("no more %s: the frontend is a Problem, the others are not", (what, message) => {
		const { writer, maps } = tiny({ [what]: 1 });
		const plan = planOf({ "demo/web": { [WEB]: A }, "demo/api": { [API]: B }, "demo/last": {} });
		expect(writer.write(plan, { synced: true }).problems).toEqual([
			{
				object: "Service demo/api",
				reason: "TooLarge",
				message: `Frontend ${API} is not programmed as it should be: ${message}, there must be fewer ports, addresses or backends`,
			},
		]);
		demandExactly(maps, web(A));
	});

	test("an object of many frontends without room is one Problem", () => {
		const { writer } = tiny({ backends: 1 });
		const places = { [API]: B, "10.96.0.3:81/TCP": B, "10.96.0.3:82/TCP": B };
		const { problems } = writer.write(planOf({ "demo/web": { [WEB]: A }, "demo/api": places }), { synced: true });
		expect(problems.map(({ object, message }) => `${object} ${message.replace(/^Frontend \S+/, "F")}`)).toEqual([
			"Service demo/api F and 2 more are not as they should be: all backend ids are in use, there must be fewer ports, addresses or backends",
		]);
	});

	test("a set that does not fit leaves the old one in place, and comes as soon as there is room", () => {
		const { writer, maps } = tiny({ backends: 3 });
		const both = (set: string) => planOf({ "demo/web": { [WEB]: set }, "demo/api": { [API]: B } });
		writer.write(both(A), { synced: true });
		const wide = both(`${A} ${B} ${C} ${D}`);
		expect(writer.write(wide, { synced: true })).toMatchObject({
			problems: [{ object: "Service demo/web" }],
			again: false,
		});
		expect(state(maps)[WEB]).toBe(`1 1 ${A}|`);
		const fits = both(`${A} ${B} ${C}`);
		expect(writer.write(fits, { synced: true }).problems).toEqual([]);
		demandExactly(maps, fits);
	});

	test("resting ids are room soon: again is true until they are used", () => {
		const { writer, maps } = tiny({ backends: 1 });
		writer.write(web(A), { synced: true });
		writer.write(NONE, { synced: true });
		const rounds = [1, 2, 3].map(() => writer.write(web(B), { synced: true }).again);
		expect(rounds).toEqual([true, true, false]);
		demandExactly(maps, web(B));
	});

	test("an address that moves does not live on with its former owner's backends", () => {
		const { writer, maps } = tiny({ backends: 1 });
		writer.write(web(A), { synced: true });
		expect(writer.write(planOf({ "demo/other": { [WEB]: B } }), { synced: true }).problems).toHaveLength(1);
		expect(state(maps)).toEqual({});
	});
});

describe("resync()", () => {
	test.each([
		["a slot that is gone", (maps: RecordingMaps) => maps.delete("slots", [encodeId(0)])],
		["a slot of another", (maps: RecordingMaps) => maps.put("slots", new Map([[encodeId(0), encodeSlot(2, 7)]]))],
		["a slot too many", (maps: RecordingMaps) => maps.put("slots", new Map([[encodeId(9), encodeSlot(2, 7)]]))],
		["no frontend", (maps: RecordingMaps) => maps.delete("frontends", maps.dump("frontends").keys())],
		["no backends", (maps: RecordingMaps) => maps.delete("backends", maps.dump("backends").keys())],
	])("finds %s", (_, harm) => {
		const { writer, maps, write } = start();
		write(web(`${A} ${B}`));
		harm(maps);
		expect(write(web(`${A} ${B}`))).toEqual([]);
		writer.resync();
		expect(write(web(`${A} ${B}`))).not.toEqual([]);
		demandExactly(maps, web(`${A} ${B}`));
	});
});

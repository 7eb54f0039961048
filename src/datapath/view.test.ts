// The maps as people see them, from maps that the real writer has written.

import { describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { l4, planOf, type Spec } from "../../test/support/datapath.ts";
import { l4Parts } from "../model/address.ts";
import { CANARY } from "../plan/canary.ts";
import type { Plan } from "../plan/plan_types.ts";
import { CAPACITY } from "./capacity.ts";
import { encodeBackend, encodeFrontendKey, encodeId } from "./codec.ts";
import { describeMap, READABLE_MAPS } from "./describe.ts";
import { offsetOf, sizeOf } from "./layout.ts";
import type { Maps, StatsName } from "./maps.ts";
import { createMemoryMaps } from "./memory_maps.ts";
import { addressNames, countFrontends, frontendNames, viewBackends, viewFrontends } from "./view.ts";
import { createWriter } from "./writer.ts";

const WEB = "10.96.0.10:80/TCP";
const DNS = "[fd00:96::10]:53/UDP";
const EMPTY = "10.96.0.20:80/TCP";
const ONE = "10.244.1.11:8080/TCP";
const TWO = "10.244.1.12:8080/TCP";
const SIX = "[fd00:244::11]:53/UDP";

const SPECS: readonly Spec[] = [
	{ at: WEB, to: [ONE], terminating: [TWO], keepsPeer: false },
	{ at: DNS, to: [SIX] },
	{ at: EMPTY, to: [] },
];

/** struct affinity: [fd00::1]:8080, backend 7, used 3 seconds after the start. */
const AFFINITY = Buffer.from(`fd${"00".repeat(14)}011f90000007000000005ed0b200000000`, "hex").toString("latin1");

function written(plan: Plan): Maps {
	const maps = createMemoryMaps();
	const result = createWriter({ maps, capacity: CAPACITY, firstGeneration: 5 }).write(plan, { synced: true });
	expect(result.failures).toEqual([]);
	return maps;
}

function put(maps: Maps, map: StatsName, id: number, counts: readonly number[]): void {
	const bytes = Buffer.alloc(counts.length * 8);
	for (const [index, count] of counts.entries()) bytes.writeBigUInt64LE(BigInt(count), index * 8);
	expect(maps.put(map, new Map([[encodeId(id), bytes.toString("latin1")]]))).toEqual([]);
}

function idOf(maps: Maps, at: string): number {
	return viewFrontends(maps).find(({ address }) => address === l4(at))?.id ?? 0;
}

describe("viewFrontends()", () => {
	test("shows frontends with their backends, states and counts, sorted by name", () => {
		const maps = written(planOf(SPECS));
		put(maps, "frontend_stats", idOf(maps, WEB), [12, 3]);
		const views = viewFrontends(maps);
		expect(views.map(({ name }) => name)).toEqual([`test/${WEB}`, `test/${EMPTY}`, `test/${DNS}`]);
		const { id, generation, backends, ...web } = views[0] ?? expect.unreachable();
		expect(web).toEqual({
			address: l4(WEB),
			name: `test/${WEB}`,
			mode: "ServiceClusterIP",
			keepsPeer: false,
			limit: null,
			isNext: false,
			resolved: 12,
			refused: 3,
		});
		expect(id).toBeGreaterThan(0);
		expect(generation).toBeGreaterThan(4);
		expect(backends.map(({ address, state }) => [address, state])).toEqual([
			[l4(ONE), "active"],
			[l4(TWO), "terminating"],
		]);
		expect(views[1]).toMatchObject({ backends: [], keepsPeer: true, resolved: 0, refused: 0 });
	});

	test("shows what is missing as missing", () => {
		const maps = written(planOf(SPECS));
		const backend = [...maps.dump("backends")].find(([, value]) => value === encodeBackend(l4(ONE)));
		maps.delete("backends", [backend?.[0] ?? ""]);
		maps.delete("names", [encodeId(idOf(maps, WEB))]);
		const [view] = viewFrontends(maps).filter(({ address }) => address === l4(WEB));
		expect(view?.name).toBe("");
		expect(view?.backends[0]).toMatchObject({ address: null, state: "active" });
	});

	test("of empty maps is empty", () => {
		expect(viewFrontends(createMemoryMaps())).toEqual([]);
		expect(viewBackends(createMemoryMaps())).toEqual([]);
	});
});

describe("viewBackends()", () => {
	test("shows who leads there, in which state, and the counts", () => {
		const plan = planOf([...SPECS, { at: "10.96.0.30:80/TCP", to: [ONE, TWO] }]);
		const maps = written(plan);
		const id = viewBackends(maps).find(({ address }) => address === l4(ONE))?.id ?? 0;
		put(maps, "backend_stats", id, [20, 9, 4]);
		const views = viewBackends(maps);
		expect(views.map(({ address }) => address)).toEqual([l4(ONE), l4(TWO), l4(SIX)]);
		expect(views[0]).toEqual({
			address: l4(ONE),
			id,
			state: "active",
			frontends: [`test/${WEB}`, "test/10.96.0.30:80/TCP"],
			connections: 20,
			open: 5,
		});
		// Terminating for one frontend and active for another: new connections come.
		expect(views[1]?.state).toBe("active");
	});

	test("tells terminating from unused", () => {
		const maps = written(planOf(SPECS));
		maps.put("backends", new Map([[encodeId(99), encodeBackend(l4("10.244.9.9:80/TCP"))]]));
		const states = new Map(viewBackends(maps).map(({ address, state }) => [String(address), state]));
		expect(states.get(TWO)).toBe("terminating");
		expect(states.get("10.244.9.9:80/TCP")).toBe("unused");
	});

	test("never shows fewer than no open connections", () => {
		const maps = written(planOf(SPECS));
		const [first] = viewBackends(maps);
		put(maps, "backend_stats", first?.id ?? 0, [0, 0, 3]);
		expect(viewBackends(maps)[0]?.open).toBe(0);
	});
});

test("countFrontends() leaves our canaries out", () => {
	const chunks = new Map([...planOf(SPECS).chunks, [CANARY.object, CANARY]]);
	const maps = written({ ...planOf(SPECS), chunks });
	expect(maps.dump("frontends").size).toBe(5);
	expect(countFrontends(maps.dump("frontends"))).toBe(3);
	expect(countFrontends(new Map())).toBe(0);
});

test("frontendNames() knows each by its id", () => {
	const maps = written(planOf(SPECS));
	expect(frontendNames(maps).get(idOf(maps, DNS))).toBe(`test/${DNS}`);
	expect(frontendNames(maps).size).toBe(3);
});

describe("describeMap()", () => {
	test("names the fields of every map", () => {
		const maps = written({ ...planOf(SPECS), addresses: new Map([[l4Parts(l4(WEB)).ip, { kind: "clusterIp" }]]) });
		maps.put("affinities", new Map([[encodeId(1).padEnd(sizeOf("affinity_key"), "\0"), AFFINITY]]));
		maps.put("guards", new Map([[encodeId(1).padEnd(sizeOf("guard_key"), "\0"), encodeId(3)]]));
		put(maps, "frontend_stats", 1, [1, 2]);
		put(maps, "backend_stats", 1, [3, 2, 1]);
		const fields = Object.fromEntries(
			READABLE_MAPS.map((map) => [map, Object.keys(describeMap(maps, map)[0] ?? {})] as const),
		);
		expect(fields).toEqual({
			backends: ["id", "address"],
			slots: ["index", "backendId", "owner"],
			names: ["id", "name"],
			frontends: [
				...["address", "id", "slotBase", "active", "members", "generation"],
				...["mode", "keepsPeer", "ownNodeOnly", "closeOnRemove"],
			],
			addresses: ["address", "kind"],
			affinities: ["affinity", "identity", "client", "backend", "backendId", "used"],
			guards: ["guard", "kind", "identity", "level"],
			frontend_stats: ["id", "resolved", "refused"],
			backend_stats: ["id", "connections", "opened", "closed"],
		});
		expect(describeMap(maps, "affinities")).toEqual([
			{
				affinity: "0100000000000000",
				identity: "netns",
				client: "0",
				backend: "[fd00::1]:8080",
				backendId: 7,
				used: 3,
			},
		]);
		expect(describeMap(maps, "frontend_stats")).toEqual([{ id: 1, resolved: 1, refused: 2 }]);
		expect(describeMap(maps, "backend_stats")).toEqual([{ id: 1, connections: 3, opened: 2, closed: 1 }]);
	});

	test("sorts by id or index as numbers, and shows addresses", () => {
		const maps = createMemoryMaps();
		const ids = [300, 2, 10];
		maps.put("backends", new Map(ids.map((id) => [encodeId(id), encodeBackend(l4(ONE))] as const)));
		expect(describeMap(maps, "backends")).toEqual([2, 10, 300].map((id) => ({ id, address: l4(ONE) })));
	});

	test("shows bytes that are no address as null", () => {
		const maps = createMemoryMaps();
		maps.put("backends", new Map([[encodeId(1), "\x01".padEnd(sizeOf("backend"), "\0")]]));
		const key = encodeFrontendKey(l4(WEB));
		const odd = `${key.slice(0, offsetOf("frontend_key", "protocol"))}\x84${key.slice(-1)}`;
		maps.put("frontends", new Map([[odd, "\x01".padEnd(sizeOf("frontend"), "\0")]]));
		expect(describeMap(maps, "backends")[0]).toEqual({ id: 1, address: null });
		expect(describeMap(maps, "frontends")[0]).toMatchObject({ address: null });
		expect(viewFrontends(maps)).toEqual([]);
		expect(viewBackends(maps)).toEqual([]);
	});
});

test("addressNames() gives one name of each address that has frontends", () => {
	const maps = written(planOf(SPECS));
	const names = addressNames(maps);
	expect(names.get(l4Parts(l4(WEB)).ip)).toBe(`test/${WEB}`);
	expect(names.size).toBe(new Set(SPECS.map(({ at }) => l4Parts(l4(at)).ip)).size);
	expect(addressNames(createMemoryMaps()).size).toBe(0);
});

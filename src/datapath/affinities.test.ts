// Clients are forgotten with the last frontend of their group, and not before.

import { describe, expect, test } from "bun:test";
import { planOf, withAffinity } from "../../test/support/plans.ts";
import { createRecordingMaps, type RecordingMaps } from "../../test/support/recording_maps.ts";
import { CAPACITY } from "./capacity.ts";
import { decodeFrontend } from "./codec.ts";
import { sizeOf } from "./layout.ts";
import type { AnyMapName, Maps } from "./maps.ts";
import { groupOf } from "./traits.ts";
import { createWriter } from "./writer.ts";

const WEB = planOf({
	"demo/web": { "10.96.0.1:80/TCP": "10.0.0.1:80/TCP |", "203.0.113.1:80/TCP": "10.0.0.1:80/TCP |" },
	"demo/api": { "10.96.0.2:80/TCP": "10.0.0.2:80/TCP |" },
});
const STICKY = withAffinity(WEB, () => true);

function start(maps: RecordingMaps = createRecordingMaps()) {
	return { maps, writer: createWriter({ maps, capacity: CAPACITY, firstGeneration: 1 }) };
}

/** As a program does. */
function remember(maps: RecordingMaps, object: string, client: number): void {
	const key = Buffer.alloc(sizeOf("affinity_key"));
	key.write(groupOf(object), 0, "hex");
	key.writeBigUInt64LE(BigInt(client), 8);
	const value = "\x01".padEnd(sizeOf("affinity"), "\0");
	expect(maps.put("affinities", new Map([[key.toString("latin1"), value]]))).toEqual([]);
}

/** How many clients are remembered of each group. */
function clients(maps: RecordingMaps): Readonly<Record<string, number>> {
	const names = new Map(["demo/web", "demo/api"].map((object) => [groupOf(object), object]));
	const counts: Record<string, number> = {};
	for (const key of maps.dump("affinities").keys()) {
		const name = names.get(Buffer.from(key.slice(0, 8), "latin1").toString("hex")) ?? "?";
		counts[name] = (counts[name] ?? 0) + 1;
	}
	return counts;
}

function started() {
	const { maps, writer } = start();
	writer.write(STICKY, { synced: true });
	for (const client of [1, 2, 3]) remember(maps, "demo/web", client);
	remember(maps, "demo/api", 1);
	return { maps, writer };
}

describe("write()", () => {
	test("names the group in every frontend of it", () => {
		const { maps } = started();
		const groups = [...maps.dump("frontends")].map(([, value]) => decodeFrontend(value).affinity);
		expect(groups.sort()).toEqual([groupOf("demo/api"), groupOf("demo/web"), groupOf("demo/web")].sort());
	});

	test("forgets the clients of a group that is switched off, and no others", () => {
		const { maps, writer } = started();
		writer.write(
			withAffinity(WEB, (object) => object === "demo/api"),
			{ synced: true },
		);
		expect(clients(maps)).toEqual({ "demo/api": 1 });
	});

	test("forgets the clients of a Service that is gone, but not as long as one of its frontends is there", () => {
		const { maps, writer } = started();
		const { chunks } = STICKY;
		const less = { object: "demo/web", frontends: chunks.get("demo/web")?.frontends.slice(0, 1) ?? [] };
		writer.write({ ...STICKY, chunks: new Map([["demo/web", less]]) }, { synced: true });
		expect(clients(maps)).toEqual({ "demo/web": 3 });
		writer.write(planOf({}), { synced: true });
		expect(clients(maps)).toEqual({});
	});

	test("does not look for clients where no frontend leaves its group", () => {
		const { maps } = started();
		const dumped: AnyMapName[] = [];
		const counting: Maps = {
			...maps,
			dump(map) {
				dumped.push(map);
				return maps.dump(map);
			},
		};
		const other = createWriter({ maps: counting, capacity: CAPACITY, firstGeneration: 5 });
		other.write(STICKY, { synced: true });
		expect(dumped).toContain("affinities");
		dumped.length = 0;
		const changed = planOf({ "demo/web": { "10.96.0.1:80/TCP": "10.0.0.9:80/TCP |", "203.0.113.1:80/TCP": "|" } });
		const chunks = new Map([...STICKY.chunks, ...withAffinity(changed, () => true).chunks]);
		other.write({ ...STICKY, chunks }, { synced: true });
		expect(dumped).toEqual([]);
		expect(clients(maps)).toEqual({ "demo/web": 3, "demo/api": 1 });
	});

	test("tries again what could not be forgotten", () => {
		const { maps, writer } = started();
		maps.fail("delete affinities");
		const written = writer.write(WEB, { synced: true });
		expect(written.failures.map(({ map, verb }) => `${verb} ${map}`)).toEqual(Array(4).fill("delete affinities"));
		expect(written.again).toBe(true);
		maps.fail();
		expect(writer.write(WEB, { synced: true }).failures).toEqual([]);
		expect(clients(maps)).toEqual({});
	});

	test("keeps the clients of what was only found, as long as not all hubs are synced", () => {
		const { maps } = started();
		const { writer } = start(maps);
		writer.write(planOf({}), { synced: false });
		expect(clients(maps)).toEqual({ "demo/web": 3, "demo/api": 1 });
		writer.write(planOf({}), { synced: true });
		expect(clients(maps)).toEqual({});
	});

	test("forgets what an agent left that was killed before it could", () => {
		const { maps } = started();
		remember(maps, "demo/nobody", 1);
		start(maps).writer.write(STICKY, { synced: true });
		expect(clients(maps)).toEqual({ "demo/web": 3, "demo/api": 1 });
	});
});

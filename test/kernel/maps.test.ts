// The kernel's own maps do what memory maps do, and the writer finds them again after a restart.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { CAPACITY } from "../../src/datapath/capacity.ts";
import type { AnyMapName, Maps } from "../../src/datapath/maps.ts";
import { MAP_NAMES } from "../../src/datapath/maps.ts";
import { createWriter } from "../../src/datapath/writer.ts";
import type { Cgroup } from "../support/cgroup.ts";
import { cgroup } from "../support/cgroup.ts";
import { datapath, planOf, type TestDatapath } from "../support/datapath.ts";
import { demandExactly } from "../support/history.ts";
import { testMaps } from "../support/maps_contract.ts";

let place: Cgroup;
let bpf: TestDatapath;
/** What was put. */
const touched = new Map<AnyMapName, Set<string>>();

beforeAll(() => {
	place = cgroup();
	bpf = datapath(place.path);
});

afterAll(() => {
	bpf[Symbol.dispose]();
	place[Symbol.dispose]();
});

testMaps(emptied);

test("a plan of 300 frontends and 3,000 backends stands in the maps, and a new writer has nothing to add", () => {
	const maps = emptied();
	const plan = planOf(
		Array.from({ length: 300 }, (_, index) => ({
			at: `10.96.${index >> 8}.${index & 255}:80/TCP`,
			to: Array.from({ length: 10 }, (_, pod) => `10.${200 + pod}.${index >> 8}.${index & 255}:8080/TCP`),
		})),
	);
	const start = () => createWriter({ maps, capacity: CAPACITY, firstGeneration: 1 });
	expect(start().write(plan, { synced: true })).toMatchObject({ failures: [], problems: [], pending: 0 });
	demandExactly(maps, plan);
	const { changes } = start().write(plan, { synced: true });
	for (const map of MAP_NAMES) expect(changes[map]).toEqual({ puts: 0, deletes: 0 });
	start().write(planOf([]), { synced: true });
	demandExactly(maps, planOf([]));
});

/** The kernel's maps, without what was put there since the last time. Reading them all to find that out takes its time. */
function emptied(): Maps {
	for (const [map, keys] of touched) bpf.maps.delete(map, keys);
	touched.clear();
	return {
		...bpf.maps,
		put(map, entries) {
			touched.set(map, new Set([...(touched.get(map) ?? []), ...entries.keys()]));
			return bpf.maps.put(map, entries);
		},
	};
}

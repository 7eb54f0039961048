// What the change of one Service's endpoints costs the kernel: its own elements, however many others there are, and of whatever kind.

import { expect, test } from "bun:test";
import { selfOf } from "../../test/support/plans.ts";
import { createRecordingMaps } from "../../test/support/recording_maps.ts";
import { cluster, hubsOf, service, slice } from "../../test/support/snapshots.ts";
import type { Cluster } from "../model/cluster.ts";
import { createPlanner } from "../plan/plan.ts";
import { createWriter } from "./writer.ts";

const SERVICES = 40;
const CHANGED = 7;
const CAPACITY = { frontends: 1000, backends: 1000, slots: 5000, addresses: 1000 };

/** Services of all kinds: node ports, ingress and external addresses, affinity; two pods each, one of which may be another one. */
function clusterWith(pod: string): Cluster {
	const keys = Array.from({ length: SERVICES }, (_, index) => `demo/s${index}`);
	return cluster({
		services: keys.map((key, index) =>
			service(key, {
				type: "LoadBalancer",
				ips: [`10.96.1.${index}`],
				ports: [`http 80 ${30_000 + index}`],
				ingress: [`203.0.113.${index}`],
				externalIps: [`198.51.100.${index}`],
				...(index % 2 === 0 ? {} : { affinity: { seconds: 60, client: "netns" as const } }),
			}),
		),
		slices: keys.map((key, index) => slice(key, [`10.0.1.${index}`, index === CHANGED ? pod : `10.0.2.${index}`])),
		nodes: ["here 192.168.0.1 zone=a", "there 192.168.0.2 zone=b"],
	});
}

test("a change of one Service's endpoints writes its frontends, a new set for each, and the backends that came and went", () => {
	const maps = createRecordingMaps();
	const writer = createWriter({ maps, capacity: CAPACITY, firstGeneration: 1 });
	const planner = createPlanner();
	const before = clusterWith("10.0.2.7");
	const { slices } = clusterWith("10.0.3.7");
	const key = `demo/s${CHANGED}`;
	const after = { ...before, slices: new Map([...before.slices, [key, slices.get(key) ?? []]]) };
	writer.write(planner(hubsOf(before), selfOf("here")), { synced: true });
	maps.taken();
	writer.write(planner(hubsOf(after), selfOf("here")), { synced: true });
	const done = maps.taken().map((line) => line.split(" "));
	const count = (verb: string, map: string) => done.filter(([one, two]) => one === verb && two === map).length;
	expect(done.flatMap(([, map, element]) => (map === "frontends" ? element : [])).sort()).toEqual([
		`0.0.0.1:${30_000 + CHANGED}/TCP`,
		`10.96.1.${CHANGED}:80/TCP`,
		`198.51.100.${CHANGED}:80/TCP`,
		`203.0.113.${CHANGED}:80/TCP`,
	]);
	expect([count("put", "slots"), count("put", "backends"), count("put", "backend_stats")]).toEqual([8, 1, 1]);
	expect([count("delete", "slots"), count("delete", "backends")]).toEqual([8, 1]);
	expect([...new Set(done.map(([, map]) => map))].sort()).toEqual(["backend_stats", "backends", "frontends", "slots"]);
});

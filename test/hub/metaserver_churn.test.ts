// Random changes behind a MetaServer whose link and whose answers fail at random: in the end the client knows exactly what there is.

import { expect, test } from "bun:test";
import { webService } from "../support/follow_hub.ts";
import { followMetaServer, metaPlace, pass, settled } from "../support/follow_metaserver.ts";
import type { TestHub } from "../support/hub/hub.ts";
import type { TestMetaServer } from "../support/hub/metaserver.ts";
import { changePolicies } from "../support/policy_changes.ts";
import { createRandom } from "../support/random.ts";
import { shown, truth } from "../support/truth.ts";
import { until } from "../support/wait.ts";

/** BALANCING_SEED repeats a run. */
const GIVEN = process.env["BALANCING_SEED"];
const SEEDS =
	GIVEN === undefined ? Array.from({ length: 3 }, () => Math.floor(Math.random() * 2 ** 31)) : [Number(GIVEN)];
const SERVICES = 40;
const NODES = 12;
const STEPS = 150;

type Random = (below: number) => number;

function change(cloud: TestHub, random: Random): void {
	const name = `s${random(SERVICES)}`;
	const there = cloud.get("Service", "demo", name) !== undefined;
	if (there && random(4) === 0) {
		cloud.delete("Service", "demo", name);
		if (cloud.get("EndpointSlice", "demo", `${name}-1`)) cloud.delete("EndpointSlice", "demo", `${name}-1`);
	} else {
		const ips = Array.from({ length: 1 + random(3) }, () => `10.1.${random(200)}.${1 + random(200)}`);
		cloud.apply(webService(name, ips));
	}
}

function changeNode(hub: TestHub, random: Random): void {
	const name = `n${random(NODES)}`;
	if (hub.get("Node", undefined, name) !== undefined && random(4) === 0) hub.delete("Node", undefined, name);
	else {
		const address = `10.0.${random(200)}.${1 + random(200)}`;
		hub.apply({
			apiVersion: "v1",
			kind: "Node",
			metadata: { name },
			status: { addresses: [{ type: "InternalIP", address }] },
		});
	}
}

function changeSome(cloud: TestHub, random: Random): void {
	for (let count = random(4); count > 0; count--) change(cloud, random);
	if (random(2) === 0) changeNode(cloud, random);
	for (let count = random(4); count > 0; count--) changePolicies(cloud, random);
}

const FAULTS: readonly ((server: TestMetaServer, random: Random) => void | Promise<void>)[] = [
	(server) => server.watches()[0]?.end(),
	(server) => server.watches().at(-1)?.reset(),
	(server) => server.watches()[0]?.text("garbage\n{}\n"),
	(server) => server.watches().at(-1)?.event("ERROR", { code: 500, message: "stop to watch sqlite" }),
	(server, random) => server.fakeDelete("Service", "demo", `s${random(SERVICES)}`),
	(server, random) => server.fakeDelete("EndpointSlice", "demo", `s${random(SERVICES)}-1`),
	(server, random) => server.forget("Node", random(3) === 0 ? undefined : `n${random(NODES)}`),
	(server, random) => server.fakeDelete("Node", "", `n${random(NODES)}`),
	(server, random) => server.forget("Service", `demo/s${random(SERVICES)}`),
	(server, random) => server.forget("EndpointSlice", random(3) === 0 ? undefined : `demo/s${random(SERVICES)}-1`),
	(server, random) => server.forget("Pod", random(3) === 0 ? undefined : `demo/pod${random(30)}`),
	(server, random) => server.fakeDelete("Pod", "demo", `pod${random(30)}`),
	(server, random) => server.fakeDelete("BalancingPolicy", "", `p${random(6)}`),
	(server, random) => server.forget("BalancingPolicy", random(3) === 0 ? undefined : `p${random(6)}`),
	(server) => server.set({ link: "down" }),
	(server) => server.set({ link: "up" }),
	(server, random) => server.set({ link: "half-open", stallMs: random(5) }),
	(server, random) => server.set({ slowMs: random(10) }),
	(server, random) => server.set({ ignoresSelectors: random(2) === 0, emptyEvents: random(2) === 0 }),
	(server, random) => server.set({ listKind: random(2) === 0 ? "EndpointslicList" : undefined }),
	(server, random) => server.set({ listVersion: random(2) === 0, silentWatches: random(3) === 0 }),
	(server, random) => server.set({ lacks: { keys: [`demo/s${random(SERVICES)}`], lists: 1 } }),
	async (server) => {
		await server.stop();
		await server.start();
	},
];

test.each(SEEDS)(
	"a client knows what there is after changes and a MetaServer's faults at random (seed %d)",
	async (seed) => {
		const chance = createRandom(seed);
		const random: Random = (below) => Math.floor(chance() * below);
		// The last one is never touched: nothing can be a reason to lose it.
		const names = Array.from({ length: SERVICES + 1 }, (_, index) => `s${index}`);
		await using place = await metaPlace(names.flatMap((name) => webService(name)));
		await using client = followMetaServer(place.server);
		await settled(place, client);
		for (let step = 0; step < STEPS; step++) {
			changeSome(place.cloud, random);
			if (random(3) === 0) await FAULTS[random(FAULTS.length)]?.(place.server, random);
			for (let turns = random(60); turns > 0; turns--) await new Promise(setImmediate);
			client.clock.jump(random(5) === 0 ? 15_000 : 700);
		}
		place.server.set({
			link: "up",
			listVersion: true,
			silentWatches: false,
			slowMs: 0,
			lacks: { keys: [], lists: 0 },
		});
		await until("the same as the cloud", async () => {
			await pass(client, 30);
			return shown(client) === truth(place.cloud);
		});
		await until("followed, and sure of it", async () => {
			await pass(client, 10);
			const { staleSince, withoutCloudSince } = client.hub.status();
			return staleSince === null && withoutCloudSince === null && client.problems().length === 0;
		});
		const last = `demo/s${SERVICES}`;
		expect(client.seen.every(({ services, slices }) => services.has(last) && slices.has(last))).toBe(true);
		expect(client.seen.every(({ services }) => services.size >= SERVICES / 4)).toBe(true);
		expect(client.seen.flatMap(({ services }) => [...services.keys()])).not.toContain("default/kubernetes");
		expect(client.log.filter((line) => line.includes("undefined") || line.includes("TypeError"))).toEqual([]);
	},
	30_000,
);

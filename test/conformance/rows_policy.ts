// Rows P1 to P4, D1 to D7 (traffic_distribution.go) and N1 to N4: which endpoints a client of this node may have.

import { expect } from "bun:test";
import { parseAnswer } from "../support/server.ts";
import { until } from "../support/wait.ts";
import type { Case, TestService } from "./case.ts";
import { healthIs, healthIsClosed } from "./health.ts";
import { type HostName, hostNamed } from "./network.ts";
import type { EndpointOptions } from "./objects.ts";
import { EVERYWHERE, LOCAL, REMOTE } from "./places.ts";
import { type Row, row } from "./row.ts";
import { nodePortService } from "./rows_ports.ts";
import { nodeObject } from "./world.ts";

const localOnly = (c: Case): TestService => c.service("web", { spec: { internalTrafficPolicy: "Local" } });

async function internalLocal(c: Case, by: { own: HostName; client: readonly HostName[]; others: readonly HostName[] }) {
	const web = localOnly(c);
	await c.apply(web.object(), web.slices([by.own]));
	await c.reach(by.client, web.at(), [by.own]);
	await c.refused(by.others, web.at());
	await c.apply(web.object({ spec: { internalTrafficPolicy: "Cluster" } }));
	await c.reach([...by.client, ...by.others], web.at(), [by.own]);
}

async function sourceByNodePort(c: Case): Promise<void> {
	const number = c.nodePort();
	const web = nodePortService(c, number);
	await c.apply(web.object({ spec: { externalTrafficPolicy: "Local" } }), web.slices(["b1"]));
	const { ip, port } = c.target(hostNamed("node-1"), number);
	for (const from of LOCAL) {
		const client = c.client(from);
		await client.each(`socket a ${c.family.domain} ${c.protocol.toLowerCase()}`, `connect a ${ip} ${port}`);
		if (c.protocol === "UDP") await client.ask("send a hello");
		const answer = parseAnswer(await client.ask("recv a"));
		await client.ask("close a");
		expect(answer.client.split(" ")[0]).toBe(c.family.pick(hostNamed(from)));
		expect(answer.server).toBe(`${c.family.pick(hostNamed("b1"))} 8080`);
	}
}

async function policyChanges(c: Case): Promise<void> {
	const [number, health] = [c.nodePort(), c.nodePort()];
	const { ingress } = c.freshIps();
	const web = c.service("web", {
		type: "LoadBalancer",
		ports: [c.port(80, { nodePort: number })],
		ingress: [{ ip: ingress.v4 }, { ip: ingress.v6 }],
	});
	const local = web.object({ spec: { externalTrafficPolicy: "Local", healthCheckNodePort: health } });
	// What the endpoint's node makes of packets that come to its node port.
	using _ = await c.world.network.serve("node-2", number);
	await c.apply(local, web.slices(["b2"]));
	const isLocal = async () => {
		await c.reach(LOCAL, c.target(hostNamed("node-2"), number), [{ host: "node-2", port: number }]);
		await c.reach(LOCAL, c.target(hostNamed("node-1"), number), ["b2"]);
		await c.closed(LOCAL, c.target(hostNamed("node-3"), number));
		await healthIs(c, web, health, { "node-1": 0, "node-2": 1 });
	};
	await isLocal();
	await c.apply(web.object({ spec: { externalTrafficPolicy: "Cluster" } }));
	for (const node of ["node-1", "node-2", "node-3"] as const)
		await c.reach(LOCAL, c.target(hostNamed(node), number), ["b2"]);
	await healthIsClosed(c, health);
	await c.apply(local);
	await isLocal();
}

async function shortCircuit(c: Case): Promise<void> {
	const number = c.nodePort();
	const { ingress, external } = c.freshIps();
	const web = c.service("web", {
		type: "LoadBalancer",
		ports: [c.port(80, { nodePort: number })],
		spec: { externalTrafficPolicy: "Local", externalIPs: [external.v4, external.v6] },
		ingress: [{ ip: ingress.v4 }, { ip: ingress.v6 }],
	});
	await c.apply(web.object(), web.slices(["b2", "a3"]));
	for (const target of [c.target(ingress, 80), c.target(external, 80), c.target(hostNamed("node-1"), number), web.at()])
		await c.reach(LOCAL, target, ["b2", "a3"]);
	// Each policy for its own frontends only.
	await c.apply(web.object({ spec: { internalTrafficPolicy: "Local", externalTrafficPolicy: "Cluster" } }));
	await c.refused(LOCAL, web.at());
	for (const target of [c.target(ingress, 80), c.target(hostNamed("node-1"), number)])
		await c.reach(LOCAL, target, ["b2", "a3"]);
}

const inZone = (host: HostName, zone: string, more: Partial<EndpointOptions> = {}): EndpointOptions => ({
	host,
	forZones: [zone],
	...more,
});
const onNode = (host: HostName, zone: string, more: Partial<EndpointOptions> = {}): EndpointOptions => ({
	host,
	forZones: [zone],
	forNodes: [hostNamed(host).node],
	...more,
});

async function sameZone(c: Case, trafficDistribution: string): Promise<void> {
	const web = c.service("web", { spec: { trafficDistribution } });
	await c.apply(web.object(), web.slices([inZone("b1", "zone-a"), inZone("b2", "zone-a"), inZone("a3", "zone-b")]));
	await c.reach(EVERYWHERE, web.at(), ["b1", "b2"]);
	await c.apply(web.slices([inZone("b2", "zone-a"), inZone("a3", "zone-b")]));
	await c.reach(EVERYWHERE, web.at(), ["b2"]);
	await c.apply(web.slices([inZone("a3", "zone-b")]));
	await c.reach(EVERYWHERE, web.at(), ["a3"]);
}

async function sameNode(c: Case): Promise<void> {
	const web = c.service("web", { spec: { trafficDistribution: "PreferSameNode" } });
	const [own, near, far] = [onNode("b1", "zone-a"), onNode("b2", "zone-a"), onNode("a3", "zone-b")];
	await c.apply(web.object(), web.slices([own, near, far]));
	await c.reach(LOCAL, web.at(), ["b1"]);
	await c.reach(REMOTE, web.at(), ["b2"]);
}

async function fallsBack(c: Case): Promise<void> {
	const web = c.service("web", { spec: { trafficDistribution: "PreferSameNode" } });
	const [own, near, far] = [onNode("b1", "zone-a"), onNode("b2", "zone-a"), onNode("a3", "zone-b")];
	await c.apply(web.object(), web.slices([own, near, far]));
	await c.reach(LOCAL, web.at(), ["b1"]);
	await c.apply(web.slices([onNode("b1", "zone-a", { ready: false }), near, far]));
	await c.reach(LOCAL, web.at(), ["b2"]);
	await c.apply(web.slices([far]));
	await c.reach(LOCAL, web.at(), ["a3"]);
	await c.apply(web.slices([own, near, far]));
	await c.reach(LOCAL, web.at(), ["b1"]);
}

async function hintsOfAll(c: Case): Promise<void> {
	const web = c.service();
	await c.apply(web.object(), web.slices([inZone("b1", "zone-a"), { host: "a3" }]));
	await c.reach(LOCAL, web.at(), ["b1", "a3"]);
	// One that is not ready need not have any.
	await c.apply(web.slices([inZone("b1", "zone-a"), inZone("a3", "zone-b"), { host: "b2", ready: false }]));
	await c.reach(LOCAL, web.at(), ["b1"]);
	// Nodes before zones, but only if they are everybody's.
	await c.apply(web.slices([onNode("b1", "zone-a"), inZone("b2", "zone-a"), inZone("a3", "zone-b")]));
	await c.reach(LOCAL, web.at(), ["b1", "b2"]);
	// Nobody for this zone.
	await c.apply(web.slices([inZone("b1", "zone-c"), inZone("a3", "zone-b")]));
	await c.reach(LOCAL, web.at(), ["b1", "a3"]);
}

async function terminatingIgnoresHints(c: Case): Promise<void> {
	const web = c.service();
	const going = { ready: false, serving: true, terminating: true };
	await c.apply(web.object(), web.slices([inZone("b1", "zone-a", going), inZone("a3", "zone-b", going)]));
	await c.reach(LOCAL, web.at(), ["b1", "a3"]);
}

async function localIgnoresHints(c: Case): Promise<void> {
	const web = localOnly(c);
	await c.apply(web.object(), web.slices([inZone("a1", "zone-b"), inZone("b1", "zone-a"), inZone("b2", "zone-a")]));
	await c.reach(LOCAL, web.at(), ["a1", "b1"]);
}

async function nodeMoves(c: Case): Promise<void> {
	const web = c.service();
	const { hub } = c.world;
	await c.apply(web.object(), web.slices([inZone("b1", "zone-a"), inZone("a3", "zone-b")]));
	await c.reach(LOCAL, web.at(), ["b1"]);
	for (const [zone, host] of [
		["zone-b", "a3"],
		["zone-a", "b1"],
	] as const) {
		await c.together(async () => void hub.apply(nodeObject("node-1", zone)));
		const isThere = () =>
			c.reach(LOCAL, web.at(), [host]).then(
				() => true,
				() => false,
			);
		await until(`node-1 is in ${zone}`, isThere);
	}
}

export const POLICY_ROWS: readonly Row[] = [
	row(["P1a", "internalTrafficPolicy Local, pod to pod", "service.go:2528"], (c) =>
		internalLocal(c, { own: "b1", client: ["a1"], others: ["a2"] }),
	),
	row(["P1b", "internalTrafficPolicy Local, client on the host", "service.go:2597"], (c) =>
		internalLocal(c, { own: "b1", client: ["node-1"], others: ["node-2"] }),
	),
	row(["P1c", "internalTrafficPolicy Local, endpoint on the host's network", "service.go:2668"], (c) =>
		internalLocal(c, { own: "node-1", client: LOCAL, others: REMOTE }),
	),
	row(["P2", "externalTrafficPolicy Local: the server sees the client", "service.go:2771"], sourceByNodePort),
	row(["P3", "node ports and health checks when externalTrafficPolicy changes", "service.go:3833"], policyChanges, {
		note: "two of the nodes have an agent",
	}),
	row(
		["P4", "traffic of this node uses all endpoints, whatever externalTrafficPolicy says", "serviceport.go"],
		shortCircuit,
	),
	row(["D1", "PreferClose", "traffic_distribution.go:350"], (c) => sameZone(c, "PreferClose")),
	row(["D2", "PreferSameZone", "traffic_distribution.go:370"], (c) => sameZone(c, "PreferSameZone")),
	row(["D3", "PreferSameNode", "traffic_distribution.go:390"], sameNode),
	row(["D4", "PreferSameNode falls back to zone and all, and returns", "traffic_distribution.go:430"], fallsBack),
	row(["D5", "hints count only if all ready endpoints have them", "topology.go"], hintsOfAll),
	row(["D6", "terminating endpoints are used without hints", "topology.go"], terminatingIgnoresHints),
	row(["D7", "internalTrafficPolicy Local needs no hints", "topology.go"], localIgnoresHints),
	row(["D8", "hints follow the zone of this node, live", "topology.go"], nodeMoves, { alone: true }),
];

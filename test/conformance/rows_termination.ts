// Rows T1 to T11 and R1 to R3: endpoints that are not ready, or on their way out, or not there.

import { expect } from "bun:test";
import { outcomes } from "../support/client.ts";
import type { Arrival, Case, Target, TestService } from "./case.ts";
import { healthIs } from "./health.ts";
import { type HostName, hostNamed } from "./network.ts";
import type { EndpointOptions } from "./objects.ts";
import { EVERYWHERE, LOCAL, REMOTE } from "./places.ts";
import { type Row, row } from "./row.ts";
import { nodePortService } from "./rows_ports.ts";

/** Conditions as the EndpointSlice controller writes them. */
const going = (host: HostName): EndpointOptions => ({ host, ready: false, serving: true, terminating: true });
const gone = (host: HostName): EndpointOptions => ({ host, ready: false, serving: false, terminating: true });
const unready = (host: HostName): EndpointOptions => ({ host, ready: false });
/** Of a Service with publishNotReadyAddresses. */
const published = (host: HostName, terminating: boolean): EndpointOptions => ({
	host,
	ready: true,
	serving: false,
	terminating,
});

async function publishNotReady(c: Case): Promise<void> {
	const web = c.service("web", { spec: { publishNotReadyAddresses: true } });
	await c.apply(web.object(), web.slices([published("b1", false)]));
	await c.reach(EVERYWHERE, web.at(), ["b1"]);
	await c.apply(web.slices([published("b1", true)]));
	await c.reach(EVERYWHERE, web.at(), ["b1"]);
	await c.apply(web.object({ spec: {} }), web.slices([gone("b1")]));
	await c.refused(EVERYWHERE, web.at());
	await c.apply(web.slices([unready("b1")]));
	await c.refused(EVERYWHERE, web.at());
	await c.apply(web.object(), web.slices([published("b1", false)]));
	await c.reach(EVERYWHERE, web.at(), ["b1"]);
}

/** By the cluster IP and by the node ports of both nodes. */
function allWays(c: Case, web: TestService, nodePort: number): readonly Target[] {
	return [web.at(), ...(["node-1", "node-2"] as const).map((node) => c.target(hostNamed(node), nodePort))];
}

async function publishedEverywhere(c: Case): Promise<void> {
	const number = c.nodePort();
	const web = nodePortService(c, number);
	const object = web.object({ spec: { publishNotReadyAddresses: true } });
	for (const terminating of [false, true]) {
		await c.apply(object, web.slices([published("b1", terminating)]));
		for (const target of allWays(c, web, number)) await c.reach(EVERYWHERE, target, ["b1"]);
	}
}

async function notPublished(c: Case): Promise<void> {
	const number = c.nodePort();
	const web = nodePortService(c, number);
	for (const endpoint of [unready("b1"), gone("b1")]) {
		await c.apply(web.object(), web.slices([endpoint]));
		for (const target of allWays(c, web, number)) await c.refused(EVERYWHERE, target);
	}
}

async function fallback(c: Case): Promise<void> {
	const web = c.service();
	await c.apply(web.object(), web.slices([going("b1")]));
	await c.reach(EVERYWHERE, web.at(), ["b1"]);
	await c.apply(web.slices([going("b1"), unready("b2")]));
	await c.reach(EVERYWHERE, web.at(), ["b1"]);
	await c.apply(web.slices([going("b1"), "b2"]));
	await c.reach(EVERYWHERE, web.at(), ["b2"]);
}

async function localFallback(c: Case): Promise<void> {
	const web = c.service("web", { spec: { internalTrafficPolicy: "Local" } });
	await c.apply(web.object(), web.slices([going("b1")]));
	await c.reach(LOCAL, web.at(), ["b1"]);
	await c.refused(REMOTE, web.at());
	// A ready one elsewhere is none here.
	await c.apply(web.slices([going("b1"), "b2"]));
	await c.reach(LOCAL, web.at(), ["b1"]);
	await c.reach(REMOTE, web.at(), ["b2"]);
}

async function nodePortFallback(c: Case): Promise<void> {
	const number = c.nodePort();
	const web = nodePortService(c, number);
	await c.apply(web.object({ spec: { externalTrafficPolicy: "Cluster" } }), web.slices([going("b1")]));
	await c.reach(EVERYWHERE, c.target(hostNamed("node-1"), number), ["b1"]);
	await c.reach(EVERYWHERE, c.target(hostNamed("node-2"), number), ["b1"]);
}

async function localNodePortFallback(c: Case): Promise<void> {
	const number = c.nodePort();
	const web = nodePortService(c, number);
	await c.apply(web.object({ spec: { externalTrafficPolicy: "Local" } }), web.slices([going("b1")]));
	// What that node makes of packets that come to it; its own clients never meet it.
	using _ = await c.world.network.serve("node-1", number);
	await c.closed(LOCAL, c.target(hostNamed("node-2"), number));
	await c.reach(LOCAL, c.target(hostNamed("node-1"), number), ["b1"]);
	await c.reach(REMOTE, c.target(hostNamed("node-1"), number), [{ host: "node-1", port: number }]);
}

async function healthWhileTerminating(c: Case): Promise<void> {
	const [number, health] = [c.nodePort(), c.nodePort()];
	const { ingress } = c.freshIps();
	const web = c.service("web", {
		type: "LoadBalancer",
		ports: [c.port(80, { nodePort: number })],
		spec: { externalTrafficPolicy: "Local", healthCheckNodePort: health },
		ingress: [{ ip: ingress.v4 }, { ip: ingress.v6 }],
	});
	const targets = [c.target(ingress, 80), c.target(hostNamed("node-1"), number)];
	await c.apply(web.object(), web.slices(["b1"]));
	await healthIs(c, web, health, { "node-1": 1, "node-2": 0 });
	for (const target of targets) await c.reach(LOCAL, target, ["b1"]);
	await c.apply(web.slices([going("b1")]));
	await healthIs(c, web, health, { "node-1": 0, "node-2": 0 });
	for (const target of targets) await c.reach(LOCAL, target, ["b1"]);
	await c.apply(web.slices([going("b1"), "a1", "b2"]));
	await healthIs(c, web, health, { "node-1": 1, "node-2": 1 });
}

async function evicted(c: Case): Promise<void> {
	const web = c.service("web", { spec: { publishNotReadyAddresses: true } });
	await c.apply(web.object(), web.slices([published("b1", false)]));
	await c.reach(LOCAL, web.at(), ["b1"]);
	// The controller leaves pods out that have failed, whatever is published.
	await c.apply(web.slices([]));
	await c.refused(EVERYWHERE, web.at());
}

/** Connects from both nodes all the time while the endpoints change; none may fail. */
async function undisturbed(c: Case, target: Target, changes: () => Promise<void>): Promise<void> {
	const way = c.protocol === "TCP" ? "peer" : "connected";
	const clients = (["node-1", "a2"] as const).map((name) => c.client(name));
	const storms = clients.map((client) => client.ask(`storm ${way} 100000000 ${target.ip} ${target.port}`));
	try {
		await changes();
	} finally {
		for (const client of clients) void client.run("stop");
	}
	for (const storm of await Promise.all(storms)) {
		const failed = [...outcomes(storm).keys()].filter((outcome) => !outcome.startsWith("0>"));
		expect(failed).toEqual([]);
		expect(outcomes(storm).size).toBeGreaterThan(1);
	}
}

/** Blue and green take turns as a rollout with readiness gates does it. */
async function takeTurns(c: Case, web: TestService): Promise<void> {
	const [blue, green] = ["b1", "b2"] as const;
	for (const [old, next] of [
		[blue, green],
		[green, blue],
		[blue, green],
	] as const) {
		await c.apply(web.slices([old, unready(next)]));
		await c.apply(web.slices([old, next]));
		await c.apply(web.slices([going(old), next]));
		await c.apply(web.slices([gone(old), next]));
		await c.apply(web.slices([next]));
	}
}

async function blueGreen(c: Case): Promise<void> {
	const web = c.service();
	await c.apply(web.object(), web.slices(["b1"]));
	await undisturbed(c, web.at(), () => takeTurns(c, web));
	await c.reach(EVERYWHERE, web.at(), ["b2"]);
}

async function terminatingClient(c: Case): Promise<void> {
	const [own, other] = [c.service("own"), c.service("other")];
	await c.apply(own.object(), own.slices([going("a1")]), other.object(), other.slices(["b2"]));
	await c.reach(["a1"], other.at(), ["b2"]);
	await c.reach(["a1", "node-1", "a2"], own.at(), ["a1"]);
}

async function loadBalancerRollout(c: Case, policy: "Cluster" | "Local"): Promise<void> {
	const { ingress } = c.freshIps();
	const web = c.service("web", {
		type: "LoadBalancer",
		ports: [c.port(80, { nodePort: c.nodePort() })],
		spec: { externalTrafficPolicy: policy },
		ingress: [{ ip: ingress.v4 }, { ip: ingress.v6 }],
	});
	await c.apply(web.object(), web.slices(["b1"]));
	await undisturbed(c, c.target(ingress, 80), () => takeTurns(c, web));
	await c.reach(EVERYWHERE, c.target(ingress, 80), ["b2"]);
}

async function noEndpoints(c: Case): Promise<void> {
	const [number, { ingress, external }] = [c.nodePort(), c.freshIps()];
	const web = c.service("web", {
		type: "LoadBalancer",
		ports: [c.port(80, { nodePort: number })],
		spec: { externalIPs: [external.v4, external.v6] },
		ingress: [{ ip: ingress.v4 }, { ip: ingress.v6 }],
	});
	const targets = [...allWays(c, web, number), c.target(ingress, 80), c.target(external, 80)];
	await c.apply(web.object());
	for (const target of targets) await c.refused(LOCAL, target);
	await c.apply(web.slices([]));
	for (const target of targets) await c.refused(LOCAL, target);
	await c.apply(web.slices(["b1"]));
	for (const target of targets) await c.reach(LOCAL, target, ["b1"]);
}

async function noneUsable(c: Case): Promise<void> {
	const web = c.service("web", { spec: { internalTrafficPolicy: "Local" } });
	await c.apply(web.object(), web.slices(["b2"]));
	await c.refused(LOCAL, web.at());
	const remote: readonly Arrival[] = ["b2"];
	await c.reach(REMOTE, web.at(), remote);
}

async function unknownPort(c: Case): Promise<void> {
	const web = c.service();
	await c.apply(web.object(), web.slices(["b1"]));
	await c.refused(EVERYWHERE, web.at(81));
	await c.refused(LOCAL, web.at(1));
	await c.refused(LOCAL, web.at(65_535));
	// The other protocol's port is another one.
	const other = c.protocol === "TCP" ? "UDP" : "TCP";
	await c.apply(web.object({ ports: [c.port(80, { protocol: other })] }));
	await c.refused(LOCAL, web.at(80));
	await c.untouched(LOCAL, c.target(c.freshIps().cluster, 80));
	await c.remove(web);
	await c.untouched(LOCAL, web.at(81));
}

export const TERMINATION_ROWS: readonly Row[] = [
	row(["T1", "obeys publishNotReadyAddresses, live", "service.go:1792"], publishNotReady, {
		note: "by what the EndpointSlice controller writes",
	}),
	row(["T2", "reaches unready and terminating endpoints that are published", "service.go:1948"], publishedEverywhere),
	row(["T3", "and not if they are not published", "service.go:2068"], notPublished),
	row(["T4", "falls back to terminating endpoints", "service.go:2920"], fallback),
	row(
		["T5", "falls back to local terminating endpoints, internalTrafficPolicy Local", "service.go:2994"],
		localFallback,
	),
	row(["T6", "the same by node ports, externalTrafficPolicy Cluster", "service.go:3073"], nodePortFallback),
	row(["T7", "the same by node ports, externalTrafficPolicy Local", "service.go:3149"], localNodePortFallback),
	row(
		["T8", "fails the health check while only terminating endpoints serve", "service.go:2823"],
		healthWhileTerminating,
	),
	row(["T9", "refuses when all pods are evicted", "service.go:2464"], evicted),
	row(["T10a", "no failed connection while blue and green take turns", "pod_lifecycle.go:110"], blueGreen),
	row(["T10b", "a terminating pod connects and is reached", "pod_lifecycle.go:60, :85"], terminatingClient),
	row(["T11a", "no failed connection in a rollout, externalTrafficPolicy Cluster", "loadbalancer.go:975"], (c) =>
		loadBalancerRollout(c, "Cluster"),
	),
	row(["T11b", "no failed connection in a rollout, externalTrafficPolicy Local", "loadbalancer.go:984"], (c) =>
		loadBalancerRollout(c, "Local"),
	),
	row(["R1", "refuses where no endpoints exist", "service.go:2419"], noEndpoints),
	row(["R2", "refuses where no endpoint is usable under Local", "nftables/proxier.go:1299"], noneUsable, {
		note: "kube-proxy drops, which a client sees as a time-out",
	}),
	row(
		["R3", "refuses unknown ports of a cluster IP, leaves unknown addresses alone", "nftables/README.md"],
		unknownPort,
	),
];

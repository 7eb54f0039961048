// Rows A1 to A8: session affinity.

import { expect } from "bun:test";
import { performance } from "node:perf_hooks";
import { until } from "../support/wait.ts";
import type { Arrival, Case, Target, TestService } from "./case.ts";
import { hostNamed } from "./network.ts";
import type { Fields } from "./objects.ts";
import { EVERYWHERE, LOCAL } from "./places.ts";
import { type Row, row } from "./row.ts";
import { nodePortService } from "./rows_ports.ts";

const BACKENDS: readonly Arrival[] = ["a1", "b1", "a2"];

function clientIp(timeoutSeconds = 10_800): Fields {
	return { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds } } };
}

/** The Service, and the two ways to it. */
function serviceOf(c: Case, isNodePort: boolean): { readonly web: TestService; readonly target: Target } {
	const number = c.nodePort();
	const web = isNodePort ? nodePortService(c, number) : c.service();
	return { web, target: isNodePort ? c.target(hostNamed("node-1"), number) : web.at() };
}

async function holds(c: Case, isNodePort: boolean): Promise<void> {
	const { web, target } = serviceOf(c, isNodePort);
	await c.apply(web.object({ spec: clientIp() }), web.slices(["a1", "b1", "a2"]));
	for (const from of LOCAL) {
		const first = await c.sticky(from, target, BACKENDS);
		// Through changes that leave it there.
		await c.apply(web.slices(["a1", "b1", "a2", "b2"]));
		expect(await c.sticky(from, target, BACKENDS)).toBe(first);
		await c.apply(web.slices(["a1", "b1", "a2"]));
		expect(await c.sticky(from, target, BACKENDS)).toBe(first);
	}
}

async function switched(c: Case, isNodePort: boolean): Promise<void> {
	const { web, target } = serviceOf(c, isNodePort);
	await c.apply(web.object(), web.slices(["a1", "b1", "a2"]));
	await c.reach(LOCAL, target, BACKENDS);
	await c.apply(web.object({ spec: clientIp() }));
	const before = await c.sticky("a1", target, BACKENDS);
	await c.sticky("node-1", target, BACKENDS);
	await c.apply(web.object());
	await c.reach(LOCAL, target, BACKENDS);
	// What was known is forgotten: some time it begins with another one.
	for (let turn = 0; turn < 30; turn += 1) {
		await c.apply(web.object({ spec: clientIp() }));
		if ((await c.sticky("a1", target, BACKENDS)) !== before) return;
		await c.apply(web.object());
	}
	throw new Error("Cannot see that affinity is forgotten when it is switched off: 30 times the same backend");
}

/** One connection: where it arrives. */
async function once(c: Case, target: Target): Promise<string> {
	const way = c.protocol === "TCP" ? "tcp" : "connected";
	return (await c.client("a1").ask(`storm ${way} 1 ${target.ip} ${target.port}`)).replace(/=1$/, "");
}

/** Milliseconds. */
const SHORT = 1000;

/** Uses it in shorter intervals for longer than the timeout. False: the machine was too slow to say. */
async function staysWhileUsed(c: Case, target: Target, timeout: number): Promise<boolean> {
	const end = performance.now() + 1.5 * timeout;
	let used = performance.now();
	const first = await once(c, target);
	while (performance.now() < end) {
		await until("the next use", () => performance.now() - used >= timeout / 8);
		const next = performance.now();
		const now = await once(c, target);
		if (performance.now() - used >= timeout) return false;
		expect(now).toBe(first);
		used = next;
	}
	return true;
}

export async function timesOut(c: Case, isNodePort: boolean): Promise<void> {
	const { web, target } = serviceOf(c, isNodePort);
	await c.apply(web.object({ spec: clientIp(SHORT / 1000) }), web.slices(["a1", "b1", "a2"]));
	const first = await once(c, target);
	const moved = async () => {
		const used = performance.now();
		await until("the timeout", () => performance.now() - used > SHORT + 10);
		return (await once(c, target)) !== first;
	};
	await until("another backend after the timeout", moved, 60_000);
	await c.apply(web.object({ spec: clientIp(2) }));
	await until("uses in shorter intervals than the timeout", () => staysWhileUsed(c, target, 2000), 30_000);
}

async function byLoadBalancer(c: Case, policy: "Cluster" | "Local"): Promise<void> {
	const { ingress } = c.freshIps();
	const spec = { externalTrafficPolicy: policy };
	const web = c.service("web", {
		type: "LoadBalancer",
		ports: [c.port(80, { nodePort: c.nodePort() })],
		spec,
		ingress: [{ ip: ingress.v4 }, { ip: ingress.v6 }],
	});
	const target = c.target(ingress, 80);
	await c.apply(web.object(), web.slices(["a1", "b1", "a2"]));
	await c.reach(LOCAL, target, BACKENDS);
	await c.apply(web.object({ spec: { ...spec, ...clientIp() } }));
	for (const from of LOCAL) {
		const first = await c.sticky(from, target, BACKENDS);
		// A client is one client to all addresses of the Service.
		expect(await c.sticky(from, web.at(), BACKENDS)).toBe(first);
	}
	await c.apply(web.object());
	await c.reach(LOCAL, target, BACKENDS);
}

async function granular(c: Case): Promise<void> {
	const web = c.service("web", { spec: clientIp() });
	await c.apply(web.object(), web.slices(["a1", "b1", "a2"]));
	for (const from of EVERYWHERE) await c.sticky(from, web.at(), BACKENDS);
}

export async function movesOff(c: Case): Promise<void> {
	const web = c.service("web", { spec: clientIp() });
	await c.apply(web.object(), web.slices(["b1", "a2"]));
	const first = await c.sticky("a1", web.at(), ["b1", "a2"]);
	const other = first === "b1" ? "a2" : "b1";
	await c.apply(
		web.slices([{ host: first === "b1" ? "b1" : "a2", ready: false, serving: true, terminating: true }, other]),
	);
	expect(await c.sticky("a1", web.at(), ["b1", "a2"])).toBe(other);
	await c.apply(web.slices(["b1", "a2"]));
	expect(await c.sticky("a1", web.at(), ["b1", "a2"])).toBe(other);
}

async function survivesRestart(c: Case): Promise<void> {
	const web = c.service("web", { spec: clientIp() });
	await c.apply(web.object(), web.slices(["a1", "b1", "a2"]));
	const before = await Promise.all(LOCAL.map((from) => c.sticky(from, web.at(), BACKENDS)));
	const agent = c.world.agent("node-1");
	await c.together(() => agent.stop());
	expect(await Promise.all(LOCAL.map((from) => c.sticky(from, web.at(), BACKENDS)))).toEqual(before);
	await c.together(() => agent.start().then(c.world.settled));
	expect(await Promise.all(LOCAL.map((from) => c.sticky(from, web.at(), BACKENDS)))).toEqual(before);
}

/** Where connections of that many new processes on the host arrive. */
async function arrivalsOfProcesses(c: Case, target: Target, count: number): Promise<ReadonlySet<string>> {
	const way = c.protocol === "TCP" ? "tcp" : "connected";
	const seen = new Set<string>();
	for (let process = 0; process < count; process += 1) {
		await using client = c.world.client("node-1");
		seen.add(await client.ask(`storm ${way} 1 ${target.ip} ${target.port}`));
	}
	return seen;
}

async function identities(c: Case): Promise<void> {
	const identity = (of: string) => ({ "balancing.elf.io/client-identity": of });
	const web = c.service("web", { spec: clientIp(), annotations: identity("netns") });
	await c.apply(web.object(), web.slices(["a1", "b1", "a2"]));
	// As kube-proxy sees them: all of a network namespace are one.
	expect((await arrivalsOfProcesses(c, web.at(), 20)).size).toBe(1);
	await c.apply(web.object({ annotations: identity("process") }));
	// Twenty take the same of three backends once in 10^9 times.
	expect((await arrivalsOfProcesses(c, web.at(), 20)).size).toBeGreaterThan(1);
	await c.sticky("a1", web.at(), BACKENDS);
}

const SHORTER = { note: "the original's timeout is 125 s; here 1 s and 2 s" };

export const AFFINITY_ROWS: readonly Row[] = [
	row(["A1", "session affinity of a cluster IP", "service.go:2229"], (c) => holds(c, false)),
	row(["A2", "session affinity of a node port", "service.go:2266"], (c) => holds(c, true)),
	row(["A3", "switched on and off, cluster IP", "service.go:2251"], (c) => switched(c, false)),
	row(["A4", "switched on and off, node port", "service.go:2288"], (c) => switched(c, true)),
	row(["A5", "affinity ends at its timeout, cluster IP", "service.go:2235"], (c) => timesOut(c, false), SHORTER),
	row(["A6", "affinity ends at its timeout, node port", "service.go:2272"], (c) => timesOut(c, true), SHORTER),
	row(["A7a", "session affinity of a load balancer, Cluster", "loadbalancer.go:565-595"], (c) =>
		byLoadBalancer(c, "Cluster"),
	),
	row(["A7b", "session affinity of a load balancer, Local", "loadbalancer.go:565-595"], (c) =>
		byLoadBalancer(c, "Local"),
	),
	row(["A8", "session affinity from pods, nodes and endpoints", "networking.go:413, :431"], granular),
	row(["A9", "affinity moves off a backend that is not usable, at once", "own"], movesOff),
	row(["A10", "affinity survives a restart of the agent", "own"], survivesRestart, { alone: true }),
	row(["A11", "who is one client: balancing.elf.io/client-identity", "own"], identities),
];

// Rows Q1 to Q8: what we demand of policies besides.

import type { Case, Target, TestService } from "./case.ts";
import { type HostName, hostNamed } from "./network.ts";
import type { Fields } from "./objects.ts";
import { EVERYWHERE, LOCAL, OUTSIDE } from "./places.ts";
import { toPorts } from "./policies.ts";
import { addresses, localPods, ofAddress, ofService, pods } from "./policy_specs.ts";
import { type Row, row } from "./row.ts";

/** A Service that leads to a3. */
async function plainService(c: Case, spec: Fields = {}): Promise<TestService> {
	const web = c.service("web", { spec });
	await c.apply(web.object(), web.slices(["a3"]));
	return web;
}

/** The pod that a redirect leads to asks at the same address: it gets the Service, as a node-local DNS cache must. */
async function pastItself(c: Case): Promise<void> {
	const web = await plainService(c);
	const { external } = c.freshIps();
	const backend = localPods(c);
	await c.apply(
		c.pod("b1"),
		c.redirect("service", { frontend: ofService(c, web), backend }),
		c.redirect("address", { frontend: ofAddress(c, external), backend }),
	);
	await c.soon(() => c.reach(LOCAL, web.at(), ["b1"]));
	await c.soon(() => c.reach(["b1"], web.at(), ["a3"]));
	await c.soon(() => c.reach(LOCAL, c.target(external, 80), ["b1"]));
	await c.soon(() => c.untouched(["b1"], c.target(external, 80)));
	// A pod that is none any more is a client like any other.
	await c.apply(c.pod("b1", { labels: { app: "another" } }), c.pod("a1"));
	await c.soon(() => c.reach(["node-1", "b1"], web.at(), ["a1"]));
	await c.soon(() => c.reach(["a1"], web.at(), ["a3"]));
}

/** What a client had by the Service's affinity says nothing of the redirect, and the other way round. */
async function besideAffinity(c: Case): Promise<void> {
	const spec = { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds: 10_800 } } };
	const web = await plainService(c, spec);
	await c.apply(c.pod("b1"));
	const policy = c.redirect("local", { frontend: ofService(c, web), backend: localPods(c) });
	for (let turn = 0; turn < 2; turn += 1) {
		await c.reach(LOCAL, web.at(), ["a3"]);
		await c.apply(policy);
		await c.soon(() => c.reach(LOCAL, web.at(), ["b1"]));
		c.drop(policy);
		await c.soon(() => c.reach(LOCAL, web.at(), ["a3"]));
	}
}

/** node-1 with one label more or less; cases share it. */
function labelNode({ hub }: Case["world"], label: string, isThere: boolean): void {
	const node = hub.get("Node", undefined, "node-1");
	if (node === undefined) throw new Error("Cannot find the Node of node-1");
	const labels = { ...node.metadata.labels };
	if (isThere) labels[label] = "on";
	else delete labels[label];
	const changed = { ...node, metadata: { ...node.metadata, labels } };
	hub.put("Node", changed);
}

async function nodeLabels(c: Case): Promise<void> {
	const web = await plainService(c);
	const label = `${web.namespace}-label`;
	const config = {
		nodeLabelSelector: { matchExpressions: [{ key: label, operator: "Exists" }] },
		enableOutCluster: false,
	};
	await c.apply(c.balancing("b", { frontend: ofService(c, web), backend: addresses(c, ["b1"]) }, { config }));
	await c.reach([...EVERYWHERE, ...OUTSIDE], web.at(), ["a3"]);
	for (const isThere of [true, false]) {
		labelNode(c.world, label, isThere);
		await c.soon(() => c.reach(LOCAL, web.at(), [isThere ? "b1" : "a3"]));
		await c.reach([...OUTSIDE, "node-2", "a2"], web.at(), ["a3"]);
	}
}

/** Frontends of all ports, and each backend port by the Service's name of it, or its number. */
async function allPorts(c: Case): Promise<void> {
	const web = c.service("web", { ports: [c.port(80), c.port(8081)] });
	await c.apply(web.object(), web.slices(["a3"]), c.pod("b1"), c.pod("b2"));
	const serviceMatcher = { namespace: web.namespace, serviceName: web.name };
	const ports = toPorts(c.protocol, [
		{ name: "p80", port: 9090 },
		{ name: "other", port: 8081 },
	]);
	const serviceEndpoint = { endpointSelector: { matchLabels: c.labels }, toPorts: ports };
	await c.apply(c.balancing("all", { frontend: { serviceMatcher }, backend: { serviceEndpoint } }));
	const at = (port: number) => (["b1", "b2"] as const).map((host) => ({ host, port }));
	await c.soon(() => c.reach(LOCAL, web.at(80), at(9090)));
	await c.soon(() => c.reach(LOCAL, web.at(8081), at(8081)));
}

/** Of eight connections one goes to the lighter one, none to the one without weight. */
async function weights(c: Case): Promise<void> {
	const { external } = c.freshIps();
	const [heavy, light, none] = (["b1", "a2", "b2"] as const).map((host) => c.family.pick(hostNamed(host)));
	const annotations = { "balancing.elf.io/weight": `${heavy}=7,${light}=1,${none}=0` };
	const spec = { frontend: ofAddress(c, external), backend: addresses(c, ["b1", "a2", "b2"]) };
	await c.apply(c.balancing("w", spec, { annotations }));
	const target = c.target(external, 80);
	await c.soon(() => c.reach(["a1"], target, ["b1", "a2"]));
	const count = await arrivals(c, target, "a2", 800);
	// 100 are expected, the deviation is 9.4: one in two million is further off than 50.
	if (Math.abs(count - 100) > 50) throw new Error(`${count} of 800 connections went to a weight of 1 in 8`);
}

async function arrivals(c: Case, { ip, port }: Target, host: HostName, count: number): Promise<number> {
	const way = c.protocol === "TCP" ? "tcp" : "connected";
	const answer = await c.client("a1").ask(`storm ${way} ${count} ${ip} ${port}`);
	const found = answer.split(" ").find((word) => word.startsWith(`0>${c.family.pick(hostNamed(host))}|`));
	return Number(found?.split("=")[1] ?? 0);
}

/** One of two stops to answer probes, then both, then one is back. */
async function probed(c: Case): Promise<void> {
	const { external } = c.freshIps();
	const number = c.nodePort();
	const annotations = {
		"balancing.elf.io/health-check": `tcp interval=1s timeout=500ms fails=2 passes=1 port=${number}`,
	};
	const spec = { frontend: ofAddress(c, external), backend: addresses(c, ["b2", "a3"]) };
	const target = c.target(external, 80);
	await using open = new AsyncDisposableStack();
	const first = open.use(await c.world.network.serve("b2", number));
	await c.apply(c.balancing("h", spec, { annotations }));
	await c.soon(() => c.reach(["a1"], target, ["b2"]));
	first[Symbol.dispose]();
	// Nobody is well: all are used, rather than none.
	await c.soon(() => c.reach(["a1"], target, ["b2", "a3"]));
	open.use(await c.world.network.serve("a3", number));
	await c.soon(() => c.reach(["a1"], target, ["a3"]));
}

async function hostPortMissing(c: Case): Promise<void> {
	const web = await plainService(c);
	const number = c.nodePort();
	using _two = await c.world.network.serve("node-2", number);
	using _three = await c.world.network.serve("node-3", number);
	const policy = c.balancing("h", { frontend: ofService(c, web), backend: pods(c, "hostPort", number) });
	await c.apply(c.pod("a2", { hostPorts: [number + 1] }), c.pod("a3", { hostPorts: [number] }), policy);
	await c.soon(() => c.reach([...LOCAL, ...OUTSIDE], web.at(), [{ host: "node-3", port: number }]));
	await c.apply(c.pod("a2", { hostPorts: [number] }));
	const both = (["node-2", "node-3"] as const).map((host) => ({ host, port: number }));
	await c.soon(() => c.reach([...LOCAL, ...OUTSIDE], web.at(), both));
}

/** Labels, readiness and policies change while clients connect all the time: each of them arrives somewhere it may. */
async function rolled(c: Case): Promise<void> {
	const web = c.service("web");
	await c.apply(web.object(), web.slices(["a3"]), c.pod("b1"), c.pod("a1"));
	await c.apply(c.redirect("local", { frontend: ofService(c, web), backend: localPods(c) }));
	await c.soon(() => c.reach(["node-1"], web.at(), ["a1", "b1"]));
	await using steady = c.world.client("node-1");
	const way = c.protocol === "TCP" ? "tcp" : "connected";
	const storm = steady.ask(`storm ${way} 1000000 ${web.at().ip} 80`);
	storm.catch(() => {});
	// One after the other, as a rolling update does it.
	for (const [host, other] of [
		["a1", "b1"],
		["b1", "a1"],
	] as const) {
		await c.apply(c.pod(host, { terminating: true }));
		await c.soon(() => c.reach(["node-1"], web.at(), [other]));
		c.drop(c.pod(host));
		await c.apply(c.pod(host));
		await c.soon(() => c.reach(["node-1"], web.at(), ["a1", "b1"]));
	}
	const stopped = steady.ask("stop");
	const seen = (await storm).split(" ").map((word) => word.slice(0, word.lastIndexOf("=")));
	await stopped;
	const may = (["a1", "b1"] as const).map((host) => `0>${c.family.pick(hostNamed(host))}|8080`);
	const astray = seen.filter((each) => !may.includes(each));
	if (astray.length > 0) throw new Error(`Some connections went elsewhere: ${astray.join(", ")}`);
}

export const OWN_POLICY_ROWS: readonly Row[] = [
	row(["Q1", "a redirect's own backend goes past it, to the Service", "own"], pastItself),
	row(["Q2", "a redirect and session affinity do not meddle with each other", "own"], besideAffinity),
	row(["Q3", "a policy follows the labels of its nodes", "own"], nodeLabels),
	row(["Q4", "serviceMatcher without toPorts: all ports, by name or number", "own"], allPorts),
	row(["Q5", "weights of addresses", "own"], weights),
	row(["Q6", "backends that fail their probes get nothing; if all fail, all are used", "own"], probed),
	row(["Q7", "only pods that have the hostPort", "own"], hostPortMissing),
	row(["Q8", "a rolling update of the local pods, under connections", "own"], rolled),
];

// Rows: what users of elf-io/balancing expect of the two policies.

import { expect } from "bun:test";
import { outcomes } from "../support/client.ts";
import { until } from "../support/wait.ts";
import type { Case, Target, TestService } from "./case.ts";
import { externalIps, type HostName, hostNamed, type NodeName } from "./network.ts";
import type { Fields } from "./objects.ts";
import { LOCAL, OUTSIDE } from "./places.ts";
import { toPorts } from "./policies.ts";
import { addresses, localPods, ofAddress, ofService, pods } from "./policy_specs.ts";
import { notApplicable, type Row, row } from "./row.ts";
import { SOURCE } from "./rows_acceptance_services.ts";
import { nodeObject } from "./world.ts";

/** A Service that leads to a3, applied: who arrives elsewhere was led there by a policy. */
async function plainService(c: Case): Promise<TestService> {
	const web = c.service();
	await c.apply(web.object(), web.slices(["a3"]));
	return web;
}

async function ownPort(c: Case): Promise<void> {
	const web = await plainService(c);
	await c.apply(c.pod("b1"), c.redirect("local", { frontend: ofService(c, web), backend: localPods(c, 8081) }));
	await c.soon(() => c.reach(LOCAL, web.at(), [{ host: "b1", port: 8081 }]));
}

async function onePortOfTwo(c: Case): Promise<void> {
	const web = c.service("web", { ports: [c.port(80), c.port(81)] });
	await c.apply(web.object(), web.slices(["a3"]), c.pod("b1"));
	await c.apply(c.redirect("local", { frontend: ofService(c, web, 81), backend: localPods(c) }));
	await c.soon(() => c.reach(LOCAL, web.at(81), ["b1"]));
	await c.reach(LOCAL, web.at(80), ["a3"]);
}

/** One Pod comes and goes, and each time clients are where they belong. */
async function fallsBack(c: Case): Promise<void> {
	const web = await plainService(c);
	await c.apply(c.redirect("local", { frontend: ofService(c, web), backend: localPods(c) }));
	for (let turn = 0; turn < 3; turn += 1) {
		await c.apply(c.pod("b1"));
		await c.soon(() => c.reach(LOCAL, web.at(), ["b1"]));
		c.drop(c.pod("b1"));
		await c.soon(() => c.reach(LOCAL, web.at(), ["a3"]));
	}
}

/** The Pod is deleted, replaced, not ready for a while: no connection fails meanwhile, and all arrive at it or at the Service's. */
async function upgraded(c: Case): Promise<void> {
	const web = await plainService(c);
	await c.apply(c.pod("b1"), c.redirect("local", { frontend: ofService(c, web), backend: localPods(c) }));
	await c.soon(() => c.reach(LOCAL, web.at(), ["b1"]));
	const way = c.protocol === "TCP" ? "tcp" : "connected";
	await using steady = c.world.client("a1");
	const storm = steady.ask(`storm ${way} 1000000 ${web.at().ip} 80`);
	// Where a demand is not met, the client ends in the midst of it.
	storm.catch(() => {});
	const leads = (host: HostName) => c.soon(() => c.reach(LOCAL, web.at(), [host]));
	for (const next of [{ ready: false }, {}]) {
		await c.apply(c.pod("b1", { terminating: true }));
		await leads("a3");
		c.drop(c.pod("b1"));
		await c.apply(c.pod("b1", next));
		await leads("ready" in next ? "a3" : "b1");
		await c.apply(c.pod("b1"));
		await leads("b1");
	}
	const stopped = steady.ask("stop");
	const seen = [...outcomes(await storm).keys()].sort();
	const says = (host: HostName) => `0>${c.family.pick(hostNamed(host))}|8080`;
	await stopped;
	expect(seen).toEqual([says("b1"), says("a3")].sort());
}

/** How many of that many new connections were redirected. */
async function redirected(c: Case, from: HostName, { ip, port }: Target, count: number): Promise<number> {
	const way = c.protocol === "TCP" ? "tcp" : "connected";
	const answer = await c.client(from).ask(`storm ${way} ${count} ${ip} ${port}`);
	return outcomes(answer).get(`0>${c.family.pick(hostNamed("b1"))}|8080`) ?? 0;
}

/** Of ten within one second: the first one that is redirected after one was not is the first of a new second. */
async function redirectedOfTen(c: Case, from: HostName, target: Target): Promise<number> {
	await until("the end of a budget", async () => (await redirected(c, from, target, 1)) === 0);
	await until("the next second", async () => (await redirected(c, from, target, 1)) === 1);
	return 1 + (await redirected(c, from, target, 9));
}

async function limited(c: Case): Promise<void> {
	const [web, other] = [await plainService(c), c.service("other")];
	const annotations = { "balancing.elf.io/redirect-qos-limit": "3" };
	const redirect = (name: string, service: TestService) =>
		c.redirect(name, { frontend: ofService(c, service), backend: localPods(c) }, { annotations });
	await c.apply(other.object(), other.slices(["a3"]), c.pod("b1"), redirect("web", web), redirect("other", other));
	// The redirects may come in the midst of a second.
	for (const target of [web.at(), other.at()]) await redirectedOfTen(c, "a1", target);
	// Each second, and each address for itself.
	for (const target of [web.at(), other.at(), web.at()]) expect(await redirectedOfTen(c, "a1", target)).toBe(3);
}

async function precedence(c: Case): Promise<void> {
	const web = await plainService(c);
	const frontend = ofService(c, web);
	const balancing = c.balancing("b", { frontend, backend: addresses(c, ["b2"]) });
	const redirect = c.redirect("r", { frontend, backend: localPods(c) });
	await c.apply(c.pod("b1"), balancing, redirect);
	await c.soon(() => c.reach(LOCAL, web.at(), ["b1"]));
	await c.soon(() => c.reach(OUTSIDE, web.at(), ["b2"]));
	c.drop(redirect);
	await c.soon(() => c.reach(LOCAL, web.at(), ["b2"]));
	c.drop(balancing);
	await c.soon(() => c.reach([...LOCAL, ...OUTSIDE], web.at(), ["a3"]));
}

async function shadows(c: Case): Promise<void> {
	const web = c.service("web", { ports: [c.port(80), c.port(81)] });
	await c.apply(web.object(), web.slices(["a3"]));
	await c.apply(c.balancing("vip", { frontend: ofAddress(c, web.vip), backend: addresses(c, ["b2"]) }));
	await c.soon(() => c.reach(LOCAL, web.at(80), ["b2"]));
	await c.reach(LOCAL, web.at(81), [{ host: "a3", port: 8081 }]);
	await c.refused(LOCAL, web.at(82));
}

async function scaled(c: Case): Promise<void> {
	const web = await plainService(c);
	await c.apply(c.balancing("pods", { frontend: ofService(c, web), backend: pods(c, "podEndpoint") }), c.pod("a1"));
	await c.soon(() => c.reach(LOCAL, web.at(), ["a1"]));
	await c.apply(c.pod("a2"), c.pod("a3"), c.pod("b2", { labels: { app: "another" } }));
	await c.soon(() => c.reach([...LOCAL, ...OUTSIDE], web.at(), ["a1", "a2", "a3"]));
	// Labels are renamed, one is not ready.
	await c.apply(c.pod("a1", { labels: { app: "another" } }), c.pod("b2"), c.pod("a2", { ready: false }));
	await c.soon(() => c.reach([...LOCAL, ...OUTSIDE], web.at(), ["a3", "b2"]));
	c.drop(c.pod("a3"), c.pod("b2"), c.pod("a2"));
	// A policy says where connections go, and nowhere else.
	await c.soon(() => c.refused([...LOCAL, ...OUTSIDE], web.at()));
	await c.apply(c.pod("a2"));
	await c.soon(() => c.reach([...LOCAL, ...OUTSIDE], web.at(), ["a2"]));
}

/** node-3 is another one meanwhile; then as before. */
async function withNode(c: Case, changed: Fields, body: () => Promise<void>): Promise<void> {
	const apply = (object: Fields) => c.together(async () => void c.world.hub.apply([object]));
	await apply(changed);
	try {
		await body();
	} finally {
		await apply(nodeObject("node-3"));
	}
}

/** node-3 with other annotations or addresses. */
function nodeThree(changes: { annotations?: Fields; addresses?: readonly string[] }): Fields {
	const { metadata, status, ...rest } = nodeObject("node-3");
	const { annotations = {}, addresses: given } = changes;
	return {
		...rest,
		metadata: { ...(metadata as Fields), annotations },
		status: given === undefined ? status : { addresses: given.map((address) => ({ type: "InternalIP", address })) },
	};
}

async function proxyFollows(c: Case): Promise<void> {
	const web = await plainService(c);
	const number = c.nodePort();
	using _one = await c.world.network.serve("node-1", number);
	using _two = await c.world.network.serve("node-2", number);
	await c.apply(c.pod("a3"), c.balancing("p", { frontend: ofService(c, web), backend: pods(c, "nodeProxy", number) }));
	for (const proxy of ["node-1", "node-2"] as const) {
		const { v4, v6 } = hostNamed(proxy);
		const annotations = { "balancing.elf.io/nodeProxyIpv4": v4, "balancing.elf.io/nodeProxyIpv6": v6 };
		await withNode(c, nodeThree({ annotations }), () =>
			c.soon(() => c.reach([...LOCAL, ...OUTSIDE], web.at(), [{ host: proxy, port: number }])),
		);
	}
}

async function nodeFollows(c: Case): Promise<void> {
	const web = await plainService(c);
	const number = c.nodePort();
	using _one = await c.world.network.serve("node-1", number);
	using _three = await c.world.network.serve("node-3", number);
	const policy = c.balancing("h", { frontend: ofService(c, web), backend: pods(c, "hostPort", number) });
	await c.apply(c.pod("a3", { hostPorts: [number] }), policy);
	await c.soon(() => c.reach([...LOCAL, ...OUTSIDE], web.at(), [{ host: "node-3", port: number }]));
	const { v4, v6 } = externalIps(hostNamed("node-1"));
	await withNode(c, nodeThree({ addresses: [v4, v6] }), () =>
		c.soon(() => c.reach([...LOCAL, ...OUTSIDE], web.at(), [{ host: { v4, v6 }, port: number }])),
	);
}

async function recreated(c: Case): Promise<void> {
	const web = await plainService(c);
	const policies = [
		c.redirect("r", { frontend: ofService(c, web), backend: localPods(c) }),
		c.balancing("b", { frontend: ofService(c, web), backend: pods(c, "podEndpoint") }),
	];
	await c.apply(c.pod("b1"));
	for (const policy of [...policies, ...policies]) {
		await c.apply(policy);
		await c.soon(() => c.reach(LOCAL, web.at(), ["b1"]));
		c.drop(policy);
		await c.soon(() => c.reach(LOCAL, web.at(), ["a3"]));
	}
}

async function anyOrder(c: Case): Promise<void> {
	const orders = ["policy service pods", "service policy pods", "pods service policy", "policy pods service"];
	for (const [index, order] of orders.entries()) {
		const web = c.service(`web${index}`);
		const objects: Readonly<Record<string, readonly Fields[]>> = {
			policy: [c.balancing(`b${index}`, { frontend: ofService(c, web), backend: pods(c, "podEndpoint") })],
			service: [web.object(), ...web.slices(["a3"])],
			pods: [c.pod("b1"), c.pod("b2")],
		};
		c.drop(...(index === 0 ? [] : [c.pod("b1"), c.pod("b2")]));
		for (const step of order.split(" ")) await c.apply(objects[step] ?? []);
		await c.soon(() => c.reach([...LOCAL, ...OUTSIDE], web.at(), ["b1", "b2"]));
	}
}

/** Whichever comes first. */
async function olderWins(c: Case): Promise<void> {
	const web = await plainService(c);
	const policy = (host: HostName, created: string) =>
		c.balancing(host, { frontend: ofService(c, web), backend: addresses(c, [host]) }, { created });
	const [older, younger] = [policy("b1", "2026-01-01T00:00:00Z"), policy("b2", "2026-01-02T00:00:00Z")];
	await c.apply(younger);
	await c.soon(() => c.reach([...LOCAL, ...OUTSIDE], web.at(), ["b2"]));
	await c.apply(older);
	await c.soon(() => c.reach([...LOCAL, ...OUTSIDE], web.at(), ["b1"]));
	c.drop(older);
	await c.soon(() => c.reach([...LOCAL, ...OUTSIDE], web.at(), ["b2"]));
}

/** Most of the other rows' policies have none; this one says so. */
async function withoutAnnotations(c: Case): Promise<void> {
	const web = await plainService(c);
	const policy = c.balancing("b", { frontend: ofService(c, web), backend: addresses(c, ["b1"]) });
	expect(policy).not.toHaveProperty("metadata.annotations");
	await c.apply(policy);
	await c.soon(() => c.reach([...LOCAL, ...OUTSIDE], web.at(), ["b1"]));
}

async function changed(c: Case): Promise<void> {
	const [web, other] = [await plainService(c), c.service("other")];
	await c.apply(other.object(), other.slices(["a3"]), c.pod("b1"), c.pod("b2", { labels: { app: "second" } }));
	const spec = (service: TestService, backend: Fields) =>
		c.balancing("b", { frontend: ofService(c, service), backend });
	await c.apply(spec(web, pods(c, "podEndpoint")));
	await c.soon(() => c.reach(LOCAL, web.at(), ["b1"]));
	await c.apply(spec(web, pods(c, "podEndpoint", 8081)));
	await c.soon(() => c.reach(LOCAL, web.at(), [{ host: "b1", port: 8081 }]));
	const endpointSelector = { matchExpressions: [{ key: "app", operator: "In", values: ["second"] }] };
	const serviceEndpoint = { endpointSelector, toPorts: toPorts(c.protocol, [{ name: "p", port: 8080 }]) };
	await c.apply(spec(web, { serviceEndpoint }));
	await c.soon(() => c.reach(LOCAL, web.at(), ["b2"]));
	await c.apply(spec(other, addresses(c, ["b1"])));
	await c.soon(() => c.reach(LOCAL, other.at(), ["b1"]));
	await c.soon(() => c.reach(LOCAL, web.at(), ["a3"]));
}

async function onOtherNodes(c: Case): Promise<void> {
	const web = await plainService(c);
	const config = { nodeLabelSelector: { matchLabels: { "kubernetes.io/hostname": "node-2" } } };
	await c.apply(c.balancing("b", { frontend: ofService(c, web), backend: addresses(c, ["b1"]) }, { config }));
	await c.soon(() => c.reach(["node-2", "a2", ...OUTSIDE], web.at(), ["b1"]));
	await c.reach(LOCAL, web.at(), ["a3"]);
}

async function notOutside(c: Case): Promise<void> {
	const web = await plainService(c);
	const policy = (enableOutCluster: boolean) =>
		c.balancing("b", { frontend: ofService(c, web), backend: addresses(c, ["b1"]) }, { config: { enableOutCluster } });
	await c.apply(policy(false));
	await c.soon(() => c.reach(LOCAL, web.at(), ["b1"]));
	await c.reach(OUTSIDE, web.at(), ["a3"]);
	await c.apply(policy(true));
	await c.soon(() => c.reach([...LOCAL, ...OUTSIDE], web.at(), ["b1"]));
}

/** The original's agents crashed at this. */
async function nodesComeAndGo(c: Case): Promise<void> {
	const web = await plainService(c);
	await c.apply(c.balancing("b", { frontend: ofService(c, web), backend: pods(c, "hostPort", 9) }));
	await c.soon(() => c.refused([...LOCAL, ...OUTSIDE], web.at()));
	const { metadata, ...rest } = nodeThree({});
	const name = `${web.namespace}-node`;
	const extra = { ...rest, metadata: { ...(metadata as Fields), name }, status: { addresses: [] } };
	await c.apply(extra);
	await c.apply({ ...extra, metadata: { name, annotations: { "balancing.elf.io/nodeProxyIpv4": "192.0.2.1" } } });
	c.world.hub.delete("Node", undefined, name);
	const other = c.service("other");
	await c.apply(other.object(), other.slices(["a2"]));
	await c.reach([...LOCAL, ...OUTSIDE], other.at(), ["a2"]);
	await c.refused([...LOCAL, ...OUTSIDE], web.at());
}

function annotationsOf(c: Case, node: NodeName): Readonly<Record<string, string>> {
	return c.world.hub.get("Node", undefined, node)?.metadata.annotations ?? {};
}

/** node-2 has the proxy addresses that an administrator gave it; node-3 has no agent. */
async function annotated(c: Case): Promise<void> {
	const proxy = `balancing.elf.io/nodeProxy${c.family.name === "IPv4" ? "Ipv4" : "Ipv6"}`;
	const ids = () => (["node-1", "node-2"] as const).map((node) => annotationsOf(c, node)["balancing.elf.io/nodeId"]);
	await until("ids of both nodes", async () => ids().every((id) => id !== undefined));
	const before = ids();
	expect(new Set(before).size).toBe(2);
	for (const id of before) expect(Number(id)).toBeWithin(1, 2 ** 32);
	expect(annotationsOf(c, "node-1")[proxy]).toBe(c.family.pick(hostNamed("node-1")));
	expect(annotationsOf(c, "node-2")[proxy]).toBe(c.family.pick(externalIps(hostNamed("node-2"))));
	expect(annotationsOf(c, "node-3")["balancing.elf.io/nodeId"]).toBeUndefined();
	const agent = c.world.agent("node-1");
	await c.together(() => agent.stop());
	await c.together(() => agent.start().then(c.world.settled));
	expect(ids()).toEqual(before);
}

export const ACCEPTANCE_POLICY_ROWS: readonly Row[] = [
	row(["A-11", "a redirect goes to the policy's own port", SOURCE], ownPort),
	row(["A-12", "a redirect of one of two ports leaves the other alone", SOURCE], onePortOfTwo),
	row(["A-13", "without a local pod a redirect is as if it were not there", SOURCE], fallsBack),
	row(["A-14", "the local pod is upgraded: both ways by itself, and no connection fails", SOURCE], upgraded),
	row(["A-15", "a redirect's limit: so many a second for each address, the rest to the Service", SOURCE], limited),
	row(["A-16", "redirect, then balancing policy, then Service", SOURCE], precedence),
	row(["A-17", "a balancing policy at a cluster IP's address wins, at its own port alone", SOURCE], shadows),
	row(["A-18", "balancing follows pods: scaled, relabelled, not ready, none", SOURCE], scaled),
	row(["A-19", "balancing follows a node's proxy address", SOURCE], proxyFollows, { alone: true }),
	row(["A-20", "balancing to host ports follows a node's address", SOURCE], nodeFollows, { alone: true }),
	row(["A-21", "a policy is deleted, and made again under its name", SOURCE], recreated),
	row(["A-22", "policy, Service and pods in any order", SOURCE], anyOrder),
	row(["A-23", "of two policies with one frontend the older has it", SOURCE], olderWins, {
		note: "the webhook refuses the second one; agents decide the same without it",
	}),
	row(["A-24", "a policy without any annotation", SOURCE], withoutAnnotations, {
		note: "the webhook gives it an id; nothing depends on that",
	}),
	row(["A-25", "a policy is changed: port, selector, backends, frontend", SOURCE], changed, {
		note: "the original refuses changes; here they take effect",
	}),
	row(["A-26", "a policy for other nodes does not hold here", SOURCE], onOtherNodes),
	row(["A-27", "enableOutCluster false: not on a machine outside", SOURCE], notOutside),
	row(["A-34", "nodes come, change and go under a policy without pods", SOURCE], nodesComeAndGo),
	row(["A-36", "an agent gives its Node an id and proxy addresses, and takes none away", SOURCE], annotated, {
		families: ["IPv4", "IPv6"],
		protocols: ["TCP"],
		alone: true,
	}),
	notApplicable(
		["A-37", "an API server that is reached past its cluster IP (--api-server)", SOURCE],
		"tried by test/hub/kubernetes_credentials.test.ts and test/kernel/own_way.test.ts",
	),
	notApplicable(
		["A-35", "events name the pod of every kind of client", SOURCE],
		"tried by test/kernel/clients.test.ts",
	),
];

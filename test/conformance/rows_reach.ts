// Rows N1 to N6: how endpoints on other nodes are reached, and what an agent is told to do otherwise.

import type { Case } from "./case.ts";
import { externalIps, hostNamed } from "./network.ts";
import { LOCAL, REMOTE } from "./places.ts";
import { type Row, row } from "./row.ts";

const reachBy = (mode: string) => ({ "balancing.elf.io/reach": mode });

async function byNodes(c: Case): Promise<void> {
	const number = c.nodePort();
	const web = c.service("web", {
		type: "NodePort",
		ports: [c.port(80, { nodePort: number })],
		annotations: reachBy("node-port"),
	});
	using _two = await c.world.network.serve("node-2", number);
	using _three = await c.world.network.serve("node-3", number);
	// Those of this node, and those on the host's network, are reached as ever.
	await c.apply(web.object(), web.slices(["b1", "a2", "b2"]));
	await c.reach(LOCAL, web.at(), ["b1", { host: "node-2", port: number }]);
	await c.apply(web.slices(["a3", "node-2"]));
	await c.reach(LOCAL, web.at(), [{ host: "node-3", port: number }, "node-2"]);
	await c.apply(web.slices([{ host: "a2", ready: false }, "a3"]));
	await c.reach(LOCAL, web.at(), [{ host: "node-3", port: number }]);
	await c.apply(web.object({ annotations: reachBy("pod") }));
	await c.reach(LOCAL, web.at(), ["a3"]);
}

async function byNodeProxies(c: Case): Promise<void> {
	const number = c.nodePort();
	const web = c.service("web", {
		type: "NodePort",
		ports: [c.port(80, { nodePort: number })],
		annotations: reachBy("node-proxy"),
	});
	using _ = await c.world.network.serve("node-2", number);
	await c.apply(web.object(), web.slices(["b1", "b2"]));
	await c.reach(LOCAL, web.at(), ["b1", { host: externalIps(hostNamed("node-2")), port: number }]);
	// node-3 has no such address.
	await c.apply(web.slices(["a3"]));
	await c.refused(LOCAL, web.at());
}

async function byLoadBalancer(c: Case): Promise<void> {
	const number = c.nodePort();
	const balancer = hostNamed("a3");
	const web = c.service("web", {
		type: "LoadBalancer",
		ports: [c.port(number, { nodePort: c.nodePort() })],
		annotations: reachBy("load-balancer"),
		ingress: [{ ip: balancer.v4 }, { ip: balancer.v6 }],
	});
	using _ = await c.world.network.serve("a3", number);
	await c.apply(web.object(), web.slices(["b1", "b2"]));
	await c.reach(LOCAL, web.at(number), ["b1", { host: "a3", port: number }]);
	await c.reach(LOCAL, c.target(balancer, number), [{ host: "a3", port: number }]);
}

/** The row with another agent on node-1, one with these flags; then the usual one again, whatever came of it. */
async function withAgent(c: Case, flags: readonly string[], body: () => Promise<void>): Promise<void> {
	const agent = c.world.agent("node-1");
	const restart = (more: readonly string[]) =>
		c.together(async () => {
			await agent.stop();
			await agent.start(more);
		});
	await restart(flags);
	try {
		await body();
	} finally {
		await restart([]);
	}
}

async function outside(c: Case): Promise<void> {
	const number = c.nodePort();
	const open = c.service("open", { type: "NodePort", ports: [c.port(80, { nodePort: number })] });
	const inner = c.service("inner");
	using _two = await c.world.network.serve("node-2", number);
	using _three = await c.world.network.serve("node-3", number);
	await c.apply(open.object(), open.slices(["a2", "b2", "a3"]), inner.object(), inner.slices(["b2"]));
	await c.reach(LOCAL, open.at(), ["a2", "b2", "a3"]);
	await withAgent(c, ["--node-name=virtual-machine"], async () => {
		await c.reach(LOCAL, open.at(), [
			{ host: "node-2", port: number },
			{ host: "node-3", port: number },
		]);
		await c.apply(open.slices([{ host: "a2", ready: false }, "a3"]));
		await c.reach(LOCAL, open.at(), [{ host: "node-3", port: number }]);
		// There is no other way to it.
		await c.reach(LOCAL, inner.at(), ["b2"]);
		// It is no node: its own addresses have no node ports.
		await c.closed(["node-1"], c.target(c.family.loopback, number));
	});
	await c.reach(LOCAL, open.at(), ["a3"]);
}

async function refusesExternalIps(c: Case): Promise<void> {
	const { external } = c.freshIps();
	const web = c.service("web", { spec: { externalIPs: [external.v4, external.v6] } });
	await c.apply(web.object(), web.slices(["b1", "b2"]));
	await c.reach(LOCAL, c.target(external, 80), ["b1", "b2"]);
	await withAgent(c, ["--external-ips=refuse"], async () => {
		await c.untouched(LOCAL, c.target(external, 80));
		await c.reach(REMOTE, c.target(external, 80), ["b1", "b2"]);
		await c.reach(LOCAL, web.at(), ["b1", "b2"]);
	});
	await c.reach(LOCAL, c.target(external, 80), ["b1", "b2"]);
}

async function withoutNode(c: Case): Promise<void> {
	const web = c.service("web", { annotations: reachBy("node-port") });
	await c.apply(
		web.object(),
		web.slices([
			{ host: "b2", nodeless: true },
			{ host: "a3", nodeless: true },
		]),
	);
	await c.reach(LOCAL, web.at(), ["b2", "a3"]);
	// They are nobody's own.
	await c.apply(web.object({ spec: { internalTrafficPolicy: "Local" } }));
	await c.refused(LOCAL, web.at());
}

export const REACH_ROWS: readonly Row[] = [
	row(["N1", "reaches endpoints of other nodes by node ports", "own"], byNodes),
	row(["N2", "reaches endpoints of other nodes by their node's proxy", "own"], byNodeProxies),
	row(["N3", "reaches endpoints of other nodes by the load balancer", "own"], byLoadBalancer),
	row(["N4", "outside the cluster: node ports where a Service has them", "own"], outside, { alone: true }),
	row(["N5", "reaches endpoints without a node as they are, as default/kubernetes", "own"], withoutNode),
	row(["N6", "--external-ips refuse: external IPs are left alone (CVE-2020-8554)", "own"], refusesExternalIps, {
		alone: true,
	}),
];

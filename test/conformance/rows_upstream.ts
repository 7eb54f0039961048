// Rows B-1 to R-6: what the tests of elf-io/balancing do, from pods, nodes and a machine outside the cluster.

import type { Arrival, Case, Target, TestService } from "./case.ts";
import { externalIps, type HostName, hostNamed } from "./network.ts";
import { LOCAL, OUTSIDE } from "./places.ts";
import { addresses, localPods, ofAddress, ofService, pods } from "./policy_specs.ts";
import { type Row, row } from "./row.ts";

const SOURCE = "elf-io/balancing e2e";

async function direct(c: Case, from: readonly HostName[], host: HostName): Promise<void> {
	await c.reach(from, c.target(hostNamed(host), 8080), [host]);
}

/** A Service that leads to b2, so that whoever arrives elsewhere was led there by a policy. */
async function plainService(c: Case): Promise<TestService> {
	const web = c.service();
	await c.apply(web.object(), web.slices(["b2"]));
	return web;
}

async function byExternalIp(c: Case): Promise<void> {
	const { external } = c.freshIps();
	const web = c.service("web", { spec: { externalIPs: [external.v4, external.v6] } });
	await c.apply(web.object(), web.slices(["a1", "a2"]));
	await c.reach(LOCAL, c.target(external, 80), ["a1", "a2"]);
}

async function byNodePort(c: Case): Promise<void> {
	const number = c.nodePort();
	const web = c.service("web", { type: "NodePort", ports: [c.port(80, { nodePort: number })] });
	await c.apply(web.object(), web.slices(["a1", "a2"]));
	for (const node of ["node-1", "node-2"] as const)
		await c.reach(LOCAL, c.target(hostNamed(node), number), ["a1", "a2"]);
}

async function local(c: Case): Promise<void> {
	const web = c.service("web", {
		type: "NodePort",
		ports: [c.port(80, { nodePort: c.nodePort() })],
		spec: { internalTrafficPolicy: "Local", externalTrafficPolicy: "Local" },
	});
	await c.apply(web.object(), web.slices(["b1", "a2"]));
	await c.reach(LOCAL, web.at(), ["b1"]);
}

async function sticky(c: Case): Promise<void> {
	const spec = { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } };
	const web = c.service("web", { spec });
	await c.apply(web.object(), web.slices(["a1", "a2"]));
	for (const from of LOCAL) await c.sticky(from, web.at(), ["a1", "a2"]);
}

async function addressToAddress(c: Case, from: readonly HostName[]): Promise<void> {
	const { external } = c.freshIps();
	const target = c.target(external, 80);
	await c.untouched(from, target);
	await c.apply(c.balancing("vip", { frontend: ofAddress(c, external), backend: addresses(c, ["out-1"]) }));
	await c.soon(() => c.reach(from, target, ["out-1"]));
}

async function serviceToPods(c: Case): Promise<void> {
	const web = await plainService(c);
	await c.reach(LOCAL, web.at(), ["b2"]);
	const policy = c.balancing("pods", { frontend: ofService(c, web), backend: pods(c, "podEndpoint") });
	await c.apply(c.pod("a1"), c.pod("a3"), policy);
	await c.soon(() => c.reach(LOCAL, web.at(), ["a1", "a3"]));
}

/** What the network does with a host port is not ours: here the node itself serves it. */
async function serviceToHostPorts(c: Case, from: readonly HostName[]): Promise<void> {
	const web = await plainService(c);
	const number = c.nodePort();
	using _ = await c.world.network.serve("node-3", number);
	const policy = c.balancing("ports", { frontend: ofService(c, web), backend: pods(c, "hostPort", number) });
	await c.apply(c.pod("a3", { hostPorts: [number] }), policy);
	await c.soon(() => c.reach(from, web.at(), [{ host: "node-3", port: number }]));
}

async function serviceToNodeProxies(c: Case, from: readonly HostName[]): Promise<void> {
	const web = await plainService(c);
	const number = c.nodePort();
	using _ = await c.world.network.serve("node-2", number);
	const policy = c.balancing("proxies", { frontend: ofService(c, web), backend: pods(c, "nodeProxy", number) });
	await c.apply(c.pod("a2"), policy);
	await c.soon(() => c.reach(from, web.at(), [{ host: externalIps(hostNamed("node-2")), port: number }]));
}

/** A client on each node finds the Pod of its own node. */
async function redirected(c: Case, target: Target): Promise<void> {
	await c.soon(() => c.reach(LOCAL, target, ["b1"]));
	await c.soon(() => c.reach(["node-2", "a2"], target, ["b2"]));
}

async function serviceToLocalPods(c: Case): Promise<void> {
	const web = c.service();
	await c.apply(web.object(), web.slices(["a3"]), c.pod("b1"), c.pod("b2"));
	await c.reach(LOCAL, web.at(), ["a3"]);
	await c.apply(c.redirect("local", { frontend: ofService(c, web), backend: localPods(c) }));
	await redirected(c, web.at());
	// There is no Pod of an outside machine's own.
	await c.reach(OUTSIDE, web.at(), ["a3"]);
}

async function addressToLocalPods(c: Case): Promise<void> {
	const { external } = c.freshIps();
	const policy = c.redirect("local", { frontend: ofAddress(c, external), backend: localPods(c) });
	await c.apply(c.pod("b1"), c.pod("b2"), policy);
	await redirected(c, c.target(external, 80));
	await c.untouched(OUTSIDE, c.target(external, 80));
}

async function onSelectedNode(c: Case): Promise<void> {
	const web = c.service();
	const config = {
		nodeLabelSelector: { matchLabels: { "kubernetes.io/hostname": "node-1" } },
		enableOutCluster: false,
	};
	const policy = c.redirect("local", { frontend: ofService(c, web), backend: localPods(c) }, { config });
	await c.apply(web.object(), web.slices(["a3"]), c.pod("b1"), c.pod("b2"), policy);
	await c.soon(() => c.reach(LOCAL, web.at(), ["b1"]));
	await c.reach(["node-2", "a2", ...OUTSIDE], web.at(), ["a3"]);
}

/** One row of the original stands for TCP, the next for UDP. */
function both(ids: string, title: string, run: (c: Case) => Promise<void>, note = ""): Row {
	return row([ids, title, SOURCE], run, { note });
}

const HOST_PORT = "the node itself serves the port, as there is no CNI";
const ENDPOINTS: readonly Arrival[] = ["a1", "a2"];

export const UPSTREAM_ROWS: readonly Row[] = [
	both("B-1", "the cluster answers the machine outside", (c) => direct(c, OUTSIDE, "a1")),
	both("B-2", "the machine outside answers itself", (c) => direct(c, OUTSIDE, "out-1")),
	both("B-3/4", "a pod's own address is left alone", async (c) => {
		for (const host of ["b1", "b2"] as const) await direct(c, LOCAL, host);
	}),
	both("B-5/6", "a selected pod's own address is left alone", async (c) => {
		await c.apply(c.pod("b1"), c.pod("b2"));
		for (const host of ["b1", "b2"] as const) await direct(c, LOCAL, host);
	}),
	both("S-1/2/3", "a cluster IP beside an external IP, two ports", async (c) => {
		const { external } = c.freshIps();
		const web = c.service("web", {
			ports: [c.port(80), c.port(8080)],
			spec: { externalIPs: [external.v4, external.v6] },
		});
		await c.apply(web.object(), web.slices(["a1", "a2"]));
		await c.reach(LOCAL, web.at(), ENDPOINTS);
		await c.reach(LOCAL, web.at(8080), [
			{ host: "a1", port: 8081 },
			{ host: "a2", port: 8081 },
		]);
	}),
	both("S-4/5/6", "an external IP", byExternalIp),
	both("S-7/8/9/10/11/12", "node ports of both nodes", byNodePort),
	both("S-13/14", "both traffic policies Local: the endpoint of the client's node", local),
	both("S-15/16", "session affinity", sticky),
	both("P-1/2", "an address balanced to a machine outside, from the cluster", (c) => addressToAddress(c, LOCAL)),
	both("P-3/4", "an address balanced to a machine outside, from there", (c) => addressToAddress(c, OUTSIDE)),
	both("P-5/6", "a Service balanced to selected pods", serviceToPods),
	both("P-7/8", "a Service balanced to host ports", (c) => serviceToHostPorts(c, LOCAL), HOST_PORT),
	both("P-9/10", "a Service balanced to host ports, from outside", (c) => serviceToHostPorts(c, OUTSIDE), HOST_PORT),
	both("P-11/12", "a Service balanced to node proxies", (c) => serviceToNodeProxies(c, LOCAL), HOST_PORT),
	both(
		"P-13/14",
		"a Service balanced to node proxies, from outside",
		(c) => serviceToNodeProxies(c, OUTSIDE),
		HOST_PORT,
	),
	both("R-1/2", "a Service redirected to the node's own pod", serviceToLocalPods),
	both("R-3/4", "an address redirected to the node's own pod", addressToLocalPods),
	both("R-5/6", "a redirect on selected nodes only", onSelectedNode),
];

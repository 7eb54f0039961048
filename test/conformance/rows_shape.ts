// Rows S1 to S9, S17 to S32: what a Service is to its clients, and what its changes do.

import { expect } from "bun:test";
import { parseAnswer } from "../support/server.ts";
import { until } from "../support/wait.ts";
import type { Case, TestService } from "./case.ts";
import { type HostName, hostNamed } from "./network.ts";
import { EVERYWHERE, LOCAL } from "./places.ts";
import { notApplicable, type Row, row } from "./row.ts";
import type { World } from "./world.ts";

async function basicEndpoint(c: Case): Promise<void> {
	const web = c.service();
	await c.apply(web.object());
	await c.refused(EVERYWHERE, web.at());
	await c.apply(web.slices(["b1"]));
	await c.reach(EVERYWHERE, web.at(), ["b1"]);
	await c.apply(web.slices(["b1", "b2"]));
	await c.reach(EVERYWHERE, web.at(), ["b1", "b2"]);
	await c.apply(web.slices(["b2"]));
	await c.reach(EVERYWHERE, web.at(), ["b2"]);
	await c.apply(web.slices([]));
	await c.refused(EVERYWHERE, web.at());
}

async function multiport(c: Case): Promise<void> {
	const web = c.service("web", { ports: [c.port(80), c.port(81)] });
	const [first, second] = [
		[{ name: "p80", port: 8080, protocol: c.protocol }],
		[{ name: "p81", port: 8081, protocol: c.protocol }],
	] as const;
	// Each pod has one of the ports, as in the original.
	await c.apply(web.object(), web.slices(["b1"], { ports: first }));
	await c.apply(web.slices(["b2"], { ports: second, suffix: "2" }));
	await c.reach(LOCAL, web.at(80), ["b1"]);
	await c.reach(LOCAL, web.at(81), [{ host: "b2", port: 8081 }]);
	await c.apply(web.slices([], { ports: first }));
	await c.refused(LOCAL, web.at(80));
	await c.reach(LOCAL, web.at(81), [{ host: "b2", port: 8081 }]);
}

async function portsComeAndGo(c: Case): Promise<void> {
	const ports = [c.port(80), c.port(81)];
	const web = c.service("web", { ports });
	await c.apply(web.object({ ports: ports.slice(0, 1) }), web.slices(["b1"]));
	await c.reach(LOCAL, web.at(80), ["b1"]);
	await c.refused(LOCAL, web.at(81));
	await c.apply(web.object());
	await c.reach(LOCAL, web.at(81), [{ host: "b1", port: 8081 }]);
	await c.apply(web.object({ ports: ports.slice(1) }));
	await c.refused(LOCAL, web.at(80));
	await c.reach(LOCAL, web.at(81), [{ host: "b1", port: 8081 }]);
	// A port gets another name, and with it the slices' port of that name.
	await c.apply(web.object({ ports: [c.port(81, { name: "p80" })] }));
	await c.reach(LOCAL, web.at(81), ["b1"]);
}

/** What the server says about one connection from there. */
async function answerTo(c: Case, from: HostName, service: TestService) {
	const client = c.client(from);
	const { ip, port } = service.at();
	await client.each(`socket a ${c.family.domain} ${c.protocol.toLowerCase()}`, `connect a ${ip} ${port}`);
	if (c.protocol === "UDP") await client.ask("send a hello");
	const answer = parseAnswer(await client.ask("recv a"));
	await client.ask("close a");
	return answer;
}

async function sourceIsKept(c: Case): Promise<void> {
	const web = c.service();
	await c.apply(web.object(), web.slices(["b1", "a2"]));
	for (const from of LOCAL) {
		const { client } = await answerTo(c, from, web);
		expect(client.split(" ")[0]).toBe(c.family.pick(hostNamed(from)));
	}
}

async function hairpin(c: Case): Promise<void> {
	const web = c.service();
	await c.apply(web.object(), web.slices(["a1"]));
	await c.reach(["a1"], web.at(), ["a1"]);
	await c.apply(web.slices(["a1", "b2"]));
	await c.reach(["a1"], web.at(), ["a1", "b2"]);
}

async function upAndDown(c: Case): Promise<void> {
	const [one, two, three] = [c.service("one"), c.service("two"), c.service("three")];
	await c.apply(one.object(), one.slices(["b1"]), two.object(), two.slices(["a2"]));
	await c.reach(LOCAL, one.at(), ["b1"]);
	await c.reach(LOCAL, two.at(), ["a2"]);
	await c.remove(one);
	await c.untouched(LOCAL, one.at());
	await c.reach(LOCAL, two.at(), ["a2"]);
	await c.apply(three.object(), three.slices(["b2"]));
	await c.reach(LOCAL, three.at(), ["b2"]);
	await c.reach(LOCAL, two.at(), ["a2"]);
}

async function recreated(c: Case): Promise<void> {
	const web = c.service();
	await c.apply(web.object(), web.slices(["b1"]));
	await c.reach(LOCAL, web.at(), ["b1"]);
	await c.remove(web);
	await c.untouched(LOCAL, web.at());
	const again = c.service();
	await c.apply(again.object(), again.slices(["b1"]));
	await c.reach(LOCAL, again.at(), ["b1"]);
	await c.untouched(LOCAL, web.at());
	// And once more under the address that it had first.
	await c.remove(again);
	await c.apply(web.object(), web.slices(["b2"]));
	await c.reach(LOCAL, web.at(), ["b2"]);
}

async function agentRestarts(c: Case): Promise<void> {
	const [web, other, late] = [c.service(), c.service("other"), c.service("late")];
	await c.apply(web.object(), web.slices(["b1", "b2"]), other.object());
	const agent = c.world.agent("node-1");
	await c.together(() => agent.stop());
	await c.reach(LOCAL, web.at(), ["b1", "b2"]);
	await c.refused(LOCAL, other.at());
	c.world.hub.apply([late.object(), ...late.slices(["b1"]), ...web.slices(["b2"])]);
	await c.together(() => agent.start().then(c.world.settled));
	await c.reach(LOCAL, web.at(), ["b2"]);
	await c.refused(LOCAL, other.at());
	await c.reach(LOCAL, late.at(), ["b1"]);
	// Killed, not stopped: nobody has time to do anything.
	await c.together(async () => void (await agent.process.stop("SIGKILL")));
	await c.reach(LOCAL, web.at(), ["b2"]);
	await c.together(() => agent.start().then(c.world.settled));
	await c.reach(LOCAL, late.at(), ["b1"]);
}

/** Milliseconds: agents that have lost a server come back one by one, not all at once. */
const BACK = 60_000;

async function follows(world: World): Promise<void> {
	const isSettled = () =>
		world.settled().then(
			() => true,
			() => false,
		);
	await until("the agents follow again", isSettled, BACK);
}

async function serverRestarts(c: Case): Promise<void> {
	const { hub } = c.world;
	const [web, late] = [c.service(), c.service("late")];
	await c.apply(web.object(), web.slices(["b1", "b2"]));
	await c.together(() => hub.kill());
	await c.reach(EVERYWHERE, web.at(), ["b1", "b2"]);
	hub.apply([late.object(), ...late.slices(["a2"])]);
	await c.together(async () => {
		await hub.restart();
		await follows(c.world);
	});
	await c.reach(EVERYWHERE, web.at(), ["b1", "b2"]);
	await c.reach(EVERYWHERE, late.at(), ["a2"]);
}

/** Both protocols on one port of the address `at` gives; one goes, the other stays. */
async function bothProtocols(c: Case, more: { ingress: boolean }): Promise<void> {
	const ips = c.freshIps();
	const both = [c.port(80, { name: "tcp", protocol: "TCP" }), c.port(80, { name: "udp", protocol: "UDP" })];
	const options = more.ingress
		? ({ type: "LoadBalancer", ingress: [{ ip: ips.ingress.v4 }, { ip: ips.ingress.v6 }] } as const)
		: {};
	const web = c.service("web", { ports: both, ...options });
	const port = { name: c.protocol.toLowerCase(), port: 8080, protocol: c.protocol };
	const target = more.ingress ? c.target(ips.ingress, 80) : web.at();
	const [own, other] = c.protocol === "TCP" ? both : [both[1], both[0]];
	if (own === undefined || other === undefined) throw new Error("Cannot tell the ports apart");
	const slicesOfBoth = web.slices(["b1", "a2"], {
		ports: [
			{ name: "tcp", port: 8080, protocol: "TCP" },
			{ name: "udp", port: 8080, protocol: "UDP" },
		],
	});
	await c.apply(web.object(), slicesOfBoth);
	await c.reach(LOCAL, target, ["b1", "a2"]);
	await c.apply(web.object({ ports: [own] }), web.slices(["b1", "a2"], { ports: [port] }));
	await c.reach(LOCAL, target, ["b1", "a2"]);
	await c.apply(web.object({ ports: [other] }), slicesOfBoth);
	// It fails: on a cluster IP refused, elsewhere it goes where the network takes it.
	if (more.ingress) await c.untouched(LOCAL, target);
	else await c.refused(LOCAL, target);
	await c.apply(web.object());
	await c.reach(LOCAL, target, ["b1", "a2"]);
}

async function sidecarPorts(c: Case, named: boolean): Promise<void> {
	const ports = [c.port(80), c.port(81, { targetPort: named ? "sidecar" : 9090 })];
	const web = c.service("web", { ports });
	const served = [
		{ name: "p80", port: 8080, protocol: c.protocol },
		{ name: "p81", port: 9090, protocol: c.protocol },
	];
	await c.apply(web.object(), web.slices(["b1"], { ports: served }));
	await c.reach(LOCAL, web.at(80), ["b1"]);
	await c.reach(LOCAL, web.at(81), [{ host: "b1", port: 9090 }]);
}

async function portsFromSlices(c: Case): Promise<void> {
	const web = c.service("web", { ports: [c.port(80, { targetPort: "serve" })] });
	const at = (port: number) => ({ ports: [{ name: "p80", port, protocol: c.protocol }] });
	await c.apply(web.object(), web.slices(["b1"], at(8080)), web.slices(["b2"], { ...at(9090), suffix: "2" }));
	await c.reach(LOCAL, web.at(), ["b1", { host: "b2", port: 9090 }]);
	await c.apply(web.slices(["b1"], at(8081)));
	await c.reach(LOCAL, web.at(), [
		{ host: "b1", port: 8081 },
		{ host: "b2", port: 9090 },
	]);
}

async function besideSctp(c: Case): Promise<void> {
	const web = c.service("web", { ports: [c.port(80), c.port(80, { name: "sctp", protocol: "SCTP" })] });
	await c.apply(web.object(), web.slices(["b1"]));
	await c.reach(LOCAL, web.at(), ["b1"]);
	// SCTP alone, and back: the address is a known one meanwhile, and nobody's in TCP and UDP.
	await c.apply(web.object({ ports: [c.port(80, { name: "sctp", protocol: "SCTP" })] }));
	await c.refused(LOCAL, web.at());
	await c.apply(web.object());
	await c.reach(LOCAL, web.at(), ["b1"]);
}

async function severalSlices(c: Case): Promise<void> {
	const web = c.service("web", { ports: [c.port(80), c.port(81)] });
	const [first, second] = [
		{ name: "p80", port: 8080, protocol: c.protocol },
		{ name: "p81", port: 9090, protocol: c.protocol },
	];
	if (first === undefined || second === undefined) throw new Error("Cannot tell the ports apart");
	await c.apply(
		web.object(),
		// a1 is in two slices, as while the controller moves it; b2 has one port in each.
		web.slices(["a1", "b1"], { ports: [first, second] }),
		web.slices(["a1", "b2"], { ports: [first], suffix: "2" }),
		web.slices(["b2"], { ports: [second], suffix: "3" }),
		{
			apiVersion: "discovery.k8s.io/v1",
			kind: "EndpointSlice",
			metadata: { namespace: web.namespace, name: "web-names", labels: { "kubernetes.io/service-name": "web" } },
			addressType: "FQDN",
			endpoints: [{ addresses: ["web.example.com"], conditions: { ready: true } }],
			ports: [first],
		},
	);
	await c.reach(LOCAL, web.at(80), ["a1", "b1", "b2"]);
	await c.reach(
		LOCAL,
		web.at(81),
		(["a1", "b1", "b2"] as const).map((host) => ({ host, port: 9090 })),
	);
}

async function allBackends(c: Case): Promise<void> {
	const web = c.service();
	const hosts = ["a1", "b1", "a2", "b2", "a3"] as const;
	await c.apply(web.object(), web.slices(hosts));
	// a1 and a2 are endpoints themselves.
	await c.reach(EVERYWHERE, web.at(), hosts);
	await c.reach(["b1"], web.at(), hosts);
}

async function endpointsChange(c: Case): Promise<void> {
	const web = c.service();
	await c.apply(web.object(), web.slices(["b1", "a2", "b2"]));
	await c.reach(LOCAL, web.at(), ["b1", "a2", "b2"]);
	await c.apply(web.slices(["b1", "b2"]));
	await c.reach(LOCAL, web.at(), ["b1", "b2"]);
	await c.apply(web.slices(["a2", "a3"]));
	await c.reach(LOCAL, web.at(), ["a2", "a3"]);
}

async function largeRequests(c: Case): Promise<void> {
	const web = c.service();
	await c.apply(web.object(), web.slices(["b2"]));
	// A datagram of more than one packet; a stream of some.
	const size = c.protocol === "UDP" ? 1900 : 20_000;
	const text = "0123456789".repeat(size / 10);
	for (const from of LOCAL) {
		const client = c.client(from);
		const { ip, port } = web.at();
		await client.each(`socket a ${c.family.domain} ${c.protocol.toLowerCase()}`, `connect a ${ip} ${port}`);
		if (c.protocol === "TCP") await client.ask("recv a");
		await client.ask(`send a ${text}`);
		let got = c.protocol === "UDP" ? parseAnswer(await client.ask("recv a")).text : "";
		while (got.length < size) got += await client.ask("recv a");
		expect(got).toBe(text);
		await client.ask("close a");
	}
}

async function hostNetwork(c: Case): Promise<void> {
	const web = c.service();
	await c.apply(web.object(), web.slices(["node-1", "node-2"]));
	await c.reach(EVERYWHERE, web.at(), ["node-1", "node-2"]);
}

async function sameSelector(c: Case): Promise<void> {
	const [one, two] = [c.service("one"), c.service("two")];
	await c.apply(one.object(), one.slices(["b1", "b2"]), two.object(), two.slices(["b1", "b2"]));
	await c.reach(LOCAL, one.at(), ["b1", "b2"]);
	await c.reach(LOCAL, two.at(), ["b1", "b2"]);
	await c.apply(two.slices(["b2"]));
	await c.reach(LOCAL, one.at(), ["b1", "b2"]);
	await c.reach(LOCAL, two.at(), ["b2"]);
	await c.remove(one);
	await c.reach(LOCAL, two.at(), ["b2"]);
}

async function dualStack(c: Case): Promise<void> {
	const ips = c.freshIps();
	const own = c.family.pick(ips.cluster);
	const [name, other] = c.family.name === "IPv6" ? ["IPv6", "IPv4"] : ["IPv4", "IPv6"];
	const spec = { clusterIP: own, clusterIPs: [own], ipFamilies: [name], ipFamilyPolicy: "SingleStack" };
	const single = c.service("single", { vip: ips.cluster, spec });
	await c.apply(single.object(), single.slices(["b1", "b2"]));
	await c.reach(LOCAL, single.at(), ["b1", "b2"]);
	// This family as the second one: secondary addresses are as good as first ones.
	const dual = c.service("dual");
	const { v4, v6 } = dual.vip;
	const clusterIPs = c.family.name === "IPv6" ? [v4, v6] : [v6, v4];
	const order = { clusterIP: clusterIPs[0], clusterIPs, ipFamilies: [other, name] };
	await c.apply(dual.object({ spec: order }), dual.slices(["b1", "b2"]));
	await c.reach(LOCAL, dual.at(), ["b1", "b2"]);
	await c.apply(dual.object({ spec: order }), dual.slices(["node-1", "node-2"]));
	await c.reach(LOCAL, dual.at(), ["node-1", "node-2"]);
}

async function otherCidr(c: Case): Promise<void> {
	const web = c.service("web", { vip: c.freshIps().otherCluster });
	await c.apply(web.object(), web.slices(["b1", "b2"]));
	await c.reach(LOCAL, web.at(), ["b1", "b2"]);
}

async function programmedSoon(c: Case): Promise<void> {
	const services = Array.from({ length: 20 }, (_, number) => c.service(`web-${number}`));
	for (const web of services) {
		c.world.hub.apply([web.object(), ...web.slices(["b1"])]);
		const { ip, port } = web.at();
		await until(`${ip} port ${port} answers`, async () => {
			const answer = await c.client("a1").ask(`storm quiet 1 ${ip} ${port}`);
			return c.protocol === "UDP"
				? answer.startsWith("0>")
				: (await c.client("a1").ask(`storm tcp 1 ${ip} ${port}`)).startsWith("0>");
		});
	}
}

export const SHAPE_ROWS: readonly Row[] = [
	row(["S1", "serves a basic endpoint from pods", "service.go:733"], basicEndpoint),
	row(["S2", "serves multiport endpoints from pods", "service.go:803"], multiport),
	row(["S3", "is updated after adding, renaming or deleting ports", "service.go:906"], portsComeAndGo),
	row(["S4", "preserves the source address", "service.go:1020"], sourceIsKept),
	row(["S5", "lets pods hairpin back to themselves", "service.go:1095"], hairpin),
	row(["S6", "goes up and down without harm to others", "service.go:1125"], upAndDown),
	row(["S7", "works after it has been recreated", "service.go:1171"], recreated),
	row(["S8", "works across a restart of the proxy", "service.go:1207"], agentRestarts, {
		alone: true,
		note: "stopped, and killed",
	}),
	row(["S9", "works across a restart of the API server", "service.go:1240"], serverRestarts, { alone: true }),
	row(["S17", "serves both protocols on one port, each for itself", "service.go:3579"], (c) =>
		bothProtocols(c, { ingress: false }),
	),
	row(["S18", "the same by the address of a load balancer", "service.go:3701"], (c) =>
		bothProtocols(c, { ingress: true }),
	),
	row(["S19a", "serves ports of sidecars (restartable init containers)", "service.go:4044"], (c) =>
		sidecarPorts(c, false),
	),
	row(["S19b", "serves named ports of sidecars", "service.go:4080"], (c) => sidecarPorts(c, true)),
	row(["S20", "serves named target ports that differ from endpoint to endpoint", "service.go:4116"], portsFromSlices),
	row(["S21", "takes a Service with SCTP", "service.go:3776"], besideSctp, {
		note: "SCTP itself is not translated; the other protocols of that Service are unharmed",
	}),
	row(
		["S22", "merges all slices and their ports, but those of names (FQDN)", "endpointslice.go:458, :570"],
		severalSlices,
	),
	row(["S23", "from pod, node and endpoint to all backends", "networking.go:147-248"], allBackends),
	row(["S24a", "never uses a removed endpoint again", "networking.go:325, :341"], endpointsChange),
	row(["S25", "carries large requests", "networking.go:448, :458"], largeRequests),
	row(["S26a", "reaches endpoints on the host's network by the cluster IP", "networking.go:471"], hostNetwork),
	row(["S27", "keeps Services with the same selector apart", "networking.go:280"], sameSelector),
	row(["S28", "serves the first and the second family alike", "dual_stack.go:439-628"], dualStack),
	row(["S29", "serves addresses of a second Service CIDR", "service_cidrs.go:69"], otherCidr),
	notApplicable(
		["S30", "host ports of one number on several addresses", "hostport.go:63"],
		"host ports are the container runtime's, not a Service's",
	),
	row(["S31", "twenty new Services answer, each within ten seconds", "service_latency.go:60"], programmedSoon, {
		families: ["IPv4"],
		note: "the original wants a median of 20 s",
	}),
	notApplicable(
		["S32", "CLOSE_WAIT time-out, nfacct, recreation of iptables rules", "kube_proxy.go"],
		"about kube-proxy's own means: there is no conntrack and no iptables here",
	),
];

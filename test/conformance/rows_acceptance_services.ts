// Rows: what users of elf-io/balancing expect of Services.

import { expect } from "bun:test";
import { outcomes } from "../support/client.ts";
import type { Case, Target, TestService } from "./case.ts";
import { EVERYWHERE, LOCAL, OUTSIDE } from "./places.ts";
import type { Labels } from "./policies.ts";
import { addresses, localPods, ofAddress, ofService } from "./policy_specs.ts";
import { type Row, row } from "./row.ts";
import { movesOff, timesOut } from "./rows_affinity.ts";

export const SOURCE = "elf-io/balancing docs";

/** Of 600 to three each gets 200; the deviation of that is 12, and one in ten million is off by 65. */
async function uniform(c: Case): Promise<void> {
	const web = c.service();
	await c.apply(web.object(), web.slices(["a1", "b1", "a2"]));
	const way = c.protocol === "TCP" ? "tcp" : "connected";
	const answer = await c.client("a1").ask(`storm ${way} 600 ${web.at().ip} 80`);
	const counts = [...outcomes(answer).values()];
	expect(counts).toHaveLength(3);
	for (const count of counts) expect(Math.abs(count - 200)).toBeLessThan(65);
}

interface Doors {
	readonly ports: readonly Target[];
	/** The Service's node port at the same addresses. */
	readonly nodePorts: readonly Target[];
}

async function balancerAndExternal(c: Case, annotations: Labels = {}): Promise<Doors> {
	const { ingress, external } = c.freshIps();
	const number = c.nodePort();
	const web = c.service("web", {
		type: "LoadBalancer",
		annotations,
		ports: [c.port(80, { nodePort: number })],
		spec: { externalIPs: [external.v4, external.v6] },
		ingress: [{ ip: ingress.v4 }, { ip: ingress.v6 }],
	});
	await c.apply(web.object(), web.slices(["a1", "a2"]));
	const at = (port: number) => [c.target(ingress, port), c.target(external, port)];
	return { ports: at(80), nodePorts: at(number) };
}

async function withoutLocal(c: Case): Promise<void> {
	const web = c.service("web", { spec: { internalTrafficPolicy: "Local" } });
	await c.apply(web.object(), web.slices(["a2"]));
	await c.refused(LOCAL, web.at());
	await c.reach(["node-2", "a2"], web.at(), ["a2"]);
}

async function externalLocal(c: Case): Promise<void> {
	const web = c.service("web", {
		type: "NodePort",
		ports: [c.port(80, { nodePort: c.nodePort() })],
		spec: { externalTrafficPolicy: "Local" },
	});
	await c.apply(web.object(), web.slices(["b1", "a2"]));
	await c.reach(LOCAL, web.at(), ["b1", "a2"]);
}

async function namedTarget(c: Case): Promise<void> {
	const web = c.service("web", { ports: [c.port(80, { targetPort: "http" })] });
	await c.apply(web.object(), web.slices(["b1", "a2"]));
	await c.reach(LOCAL, web.at(), ["b1", "a2"]);
}

/** A policy's addresses, and a Service's, each with what clients are led to. */
async function fronts(c: Case): Promise<readonly Target[]> {
	const { external, otherCluster } = c.freshIps();
	const web = c.service();
	const taken = c.service("taken");
	await c.apply(web.object(), web.slices(["b2"]), taken.object(), taken.slices(["b2"]), c.pod("b1"), c.pod("b2"));
	await c.apply(
		c.redirect("service", { frontend: ofService(c, taken), backend: localPods(c) }),
		c.redirect("address", { frontend: ofAddress(c, external), backend: localPods(c) }),
		c.balancing("address", { frontend: ofAddress(c, otherCluster), backend: addresses(c, ["b1", "b2"]) }),
	);
	const targets = [web.at(), taken.at(), c.target(external, 80), c.target(otherCluster, 80)];
	await c.soon(() => c.reach(["a1"], targets[1] ?? web.at(), ["b1"]));
	await c.soon(() => c.reach(["a1"], targets[2] ?? web.at(), ["b1"]));
	await c.soon(() => c.reach(["a1"], targets[3] ?? web.at(), ["b1", "b2"]));
	return targets;
}

/** Several datagrams of one socket: one backend, and answers from the address that was asked. */
async function onePeer(c: Case): Promise<void> {
	const client = c.client("a1");
	for (const { ip, port } of await fronts(c)) {
		await client.ask(`socket a ${c.family.domain} udp`);
		const servers = new Set<string>();
		for (let turn = 0; turn < 12; turn += 1) {
			await client.ask(`sendto a ${ip} ${port} hello`);
			const [from, fromPort, ...server] = (await client.ask("recvfrom a")).split(" ");
			expect([from, fromPort]).toEqual([ip, String(port)]);
			servers.add(server.slice(0, 2).join(" "));
		}
		expect(servers.size).toBe(1);
		await client.ask("close a");
	}
}

async function peerName(c: Case): Promise<void> {
	const client = c.client("a1");
	for (const { ip, port } of await fronts(c)) {
		await client.each(`socket a ${c.family.domain} ${c.protocol.toLowerCase()}`, `connect a ${ip} ${port}`);
		expect(await client.ask("peer a")).toBe(`${ip} ${port}`);
		await client.ask("close a");
	}
}

/** What went while the agent did not look is gone when it is back; what stayed was served meanwhile. */
async function restart(c: Case): Promise<void> {
	const { external } = c.freshIps();
	const [stays, goes]: readonly TestService[] = [c.service("stays"), c.service("goes")];
	if (stays === undefined || goes === undefined) return;
	const policy = c.balancing("goes", { frontend: ofAddress(c, external), backend: addresses(c, ["b2"]) });
	await c.apply(stays.object(), stays.slices(["a2"]), goes.object(), goes.slices(["a2"]), policy);
	await c.soon(() => c.reach(LOCAL, c.target(external, 80), ["b2"]));
	const agent = c.world.agent("node-1");
	await c.together(() => agent.stop());
	c.world.hub.delete("Service", goes.namespace, goes.name);
	c.drop(policy);
	await c.reach(LOCAL, stays.at(), ["a2"]);
	await c.reach(LOCAL, c.target(external, 80), ["b2"]);
	await c.together(() => agent.start().then(c.world.settled));
	await c.reach(LOCAL, stays.at(), ["a2"]);
	await c.untouched(LOCAL, goes.at());
	await c.soon(() => c.untouched(LOCAL, c.target(external, 80)));
}

async function outside(c: Case): Promise<void> {
	// Without a word auto would go by the node ports of this Service.
	const { ports } = await balancerAndExternal(c, { "balancing.elf.io/reach": "pod" });
	for (const target of ports) await c.reach(OUTSIDE, target, ["a1", "a2"]);
	const web = c.service("plain");
	await c.apply(web.object(), web.slices(["a1", "a2"]));
	await c.reach(OUTSIDE, web.at(), ["a1", "a2"]);
}

export const ACCEPTANCE_SERVICE_ROWS: readonly Row[] = [
	row(["A-1", "new connections are spread evenly", SOURCE], uniform),
	row(["A-2", "a load balancer's address", SOURCE], async (c) => {
		for (const target of (await balancerAndExternal(c)).ports) await c.reach(LOCAL, target, ["a1", "a2"]);
	}),
	row(["A-3", "node ports are not served at load balancers' and external addresses", SOURCE], async (c) => {
		for (const target of (await balancerAndExternal(c)).nodePorts) await c.untouched(LOCAL, target);
	}),
	row(["A-4", "clients on the host itself fare as pods do", SOURCE], async (c) => {
		const web = c.service();
		await c.apply(web.object(), web.slices(["a3"]), c.pod("b1"));
		await c.reach(["node-1", "a1"], web.at(), ["a3"]);
		await c.apply(c.redirect("local", { frontend: ofService(c, web), backend: localPods(c) }));
		await c.soon(() => c.reach(["node-1", "a1"], web.at(), ["b1"]));
	}),
	row(["A-5", "affinity holds while it is used, and ends at its timeout", SOURCE], (c) => timesOut(c, false)),
	row(["A-6", "affinity moves off a backend that is gone", SOURCE], movesOff),
	row(["A-7", "internalTrafficPolicy Local without an endpoint here is refused", SOURCE], withoutLocal),
	row(["A-8", "externalTrafficPolicy Local does not concern a cluster IP", SOURCE], externalLocal),
	row(["A-9", "an endpoint that is not ready gets nothing", SOURCE], async (c) => {
		const web = c.service();
		await c.apply(web.object(), web.slices(["a1", { host: "a2", ready: false }]));
		await c.reach(EVERYWHERE, web.at(), ["a1"]);
	}),
	row(["A-10", "a target port by name", SOURCE], namedTarget),
	row(["A-28/31", "unconnected UDP: one backend a socket, answers from the address that was asked", SOURCE], onePeer, {
		protocols: ["UDP"],
	}),
	row(["A-29", "getpeername() shows the address that the client used", SOURCE], peerName),
	row(
		["A-30", "an IPv6 socket to a v4-mapped address", SOURCE],
		async (c) => {
			await fronts(c);
		},
		{ families: ["v4-mapped"] },
	),
	row(["A-32", "a restart of the agent: nothing stops, what went meanwhile goes", SOURCE], restart, { alone: true }),
	row(["A-33", "a machine outside: cluster IPs, load balancers' and external addresses", SOURCE], outside),
];

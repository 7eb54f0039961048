// The UDP rows (conntrack.go and loadbalancer.go, by line), and sockets whose backend goes while they are connected.

import { expect } from "bun:test";
import { parseAnswer } from "../support/server.ts";
import type { Case, Target, TestService } from "./case.ts";
import { type HostName, hostNamed } from "./network.ts";
import { notApplicable, type Row, row } from "./row.ts";
import { nodePortService } from "./rows_ports.ts";

const ANY = { inet: "0.0.0.0", inet6: "::" } as const;

/** One datagram from that source port, from a new connected socket as `nc -u -p` does it: who answers. */
async function answerFrom(c: Case, from: HostName, by: { source: number; target: Target }): Promise<string> {
	const { source, target } = by;
	const client = c.client(from);
	const { domain } = c.family;
	await client.each(
		`socket a ${domain} udp`,
		`bind a ${ANY[domain]} ${source}`,
		`connect a ${target.ip} ${target.port}`,
	);
	await client.ask("send a hello");
	const { server } = parseAnswer(await client.ask("recv a"));
	await client.ask("close a");
	return server;
}

interface Cycle {
	readonly from: HostName;
	readonly target: Target;
	/** One backend, then the other one. */
	readonly pods: readonly [HostName, HostName];
}

/** The same source port goes to the new backend as soon as the old one is gone. */
async function cycles(c: Case, web: TestService, { from, target, pods }: Cycle): Promise<void> {
	const source = c.nodePort();
	const [old, next] = pods;
	const says = (host: HostName) => `${c.family.pick(hostNamed(host))} 8080`;
	await c.apply(web.slices([old]));
	expect(await answerFrom(c, from, { source, target })).toBe(says(old));
	await c.apply(web.slices([old, next]));
	await c.apply(web.slices([next]));
	for (let turn = 0; turn < 10; turn += 1) expect(await answerFrom(c, from, { source, target })).toBe(says(next));
}

async function byNodePort(c: Case): Promise<void> {
	const number = c.nodePort();
	const web = nodePortService(c, number);
	await c.apply(web.object());
	await cycles(c, web, { from: "a1", target: c.target(hostNamed("node-2"), number), pods: ["a2", "b2"] });
	await cycles(c, web, { from: "a1", target: c.target(hostNamed("node-1"), number), pods: ["a2", "b1"] });
}

async function byClusterIp(c: Case, from: HostName): Promise<void> {
	const web = c.service();
	await c.apply(web.object());
	await cycles(c, web, { from, target: web.at(), pods: ["a2", "b2"] });
}

async function byLocalClusterIp(c: Case): Promise<void> {
	const web = c.service("web", { spec: { internalTrafficPolicy: "Local" } });
	await c.apply(web.object());
	await cycles(c, web, { from: "a1", target: web.at(), pods: ["a1", "b1"] });
}

async function initiallyUnready(c: Case): Promise<void> {
	const web = c.service();
	await c.apply(web.object(), web.slices([{ host: "b2", ready: false }]));
	await c.refused(["a1", "node-1"], web.at());
	await cycles(c, web, { from: "a1", target: web.at(), pods: ["b2", "a2"] });
}

async function targetPortChanges(c: Case): Promise<void> {
	const web = c.service();
	const source = c.nodePort();
	const ip = c.family.pick(hostNamed("b2"));
	for (const port of [8080, 9090, 8081]) {
		await c.apply(web.object(), web.slices(["b2"], { ports: [{ name: "p80", port, protocol: "UDP" }] }));
		expect(await answerFrom(c, "a1", { source, target: web.at() })).toBe(`${ip} ${port}`);
	}
}

async function byLoadBalancer(c: Case, pods: readonly [HostName, HostName]): Promise<void> {
	const { ingress } = c.freshIps();
	const web = c.service("web", {
		type: "LoadBalancer",
		ports: [c.port(80, { nodePort: c.nodePort() })],
		ingress: [{ ip: ingress.v4 }, { ip: ingress.v6 }],
	});
	await c.apply(web.object());
	await cycles(c, web, { from: "a1", target: c.target(ingress, 80), pods });
}

/** A connected socket that has heard its backend: `name` is the client's name for it. */
async function open(c: Case, from: HostName, { name, target }: { name: string; target: Target }): Promise<void> {
	const client = c.client(from);
	await client.each(
		`socket ${name} ${c.family.domain} ${c.protocol.toLowerCase()}`,
		`connect ${name} ${target.ip} ${target.port}`,
	);
	if (c.protocol === "UDP") await client.ask(`send ${name} hello`);
	await client.ask(`recv ${name}`);
}

async function isAlive(c: Case, from: HostName, name: string): Promise<void> {
	await c.client(from).ask(`send ${name} hello`);
	expect(await c.client(from).ask(`recv ${name}`)).toContain("hello");
}

/** ECONNABORTED: the kernel closed it (sock_diag's SOCK_DESTROY). */
async function isClosed(c: Case, from: HostName, name: string): Promise<void> {
	expect(await c.client(from).run(`recv ${name}`)).toBe("ECONNABORTED");
}

const FROM = ["node-1", "a1"] as const;

async function closesSockets(c: Case): Promise<void> {
	const annotations: Readonly<Record<string, string>> =
		c.protocol === "TCP" ? { "balancing.elf.io/close-on-remove": "all" } : {};
	const [web, other] = [c.service("web", { annotations }), c.service("other", { annotations })];
	await c.apply(web.object(), web.slices(["b1"]), other.object(), other.slices(["b2"]));
	const direct = c.target(hostNamed("b1"), 8080);
	for (const from of FROM) {
		await open(c, from, { name: "a", target: web.at() });
		await open(c, from, { name: "b", target: other.at() });
		await open(c, from, { name: "d", target: direct });
	}
	await c.apply(web.slices(["b2"]));
	for (const from of FROM) {
		await isClosed(c, from, "a");
		await isAlive(c, from, "b");
		await isAlive(c, from, "d");
		// The program makes itself a new one, and is served.
		await c.client(from).ask("close a");
		await open(c, from, { name: "a", target: web.at() });
		await isAlive(c, from, "a");
	}
	// The Service itself goes.
	await c.remove(web);
	for (const from of FROM) {
		await isClosed(c, from, "a");
		await isAlive(c, from, "b");
		await isAlive(c, from, "d");
	}
}

async function leavesSockets(c: Case): Promise<void> {
	const annotations: Readonly<Record<string, string>> =
		c.protocol === "UDP" ? { "balancing.elf.io/close-on-remove": "none" } : {};
	const web = c.service("web", { annotations });
	await c.apply(web.object(), web.slices(["b1"]));
	for (const from of FROM) await open(c, from, { name: "a", target: web.at() });
	await c.apply(web.slices(["b2"]));
	await c.apply(web.slices(["b2", "a2"]));
	for (const from of FROM) await isAlive(c, from, "a");
}

async function keepsTerminating(c: Case): Promise<void> {
	const annotations = { "balancing.elf.io/close-on-remove": "all" };
	const web = c.service("web", { annotations });
	await c.apply(web.object(), web.slices(["b1"]));
	for (const from of FROM) await open(c, from, { name: "a", target: web.at() });
	await c.apply(web.slices([{ host: "b1", ready: false, serving: true, terminating: true }, "b2"]));
	await c.apply(web.slices([{ host: "b1", ready: false, serving: false, terminating: true }, "b2"]));
	for (const from of FROM) await isAlive(c, from, "a");
	await c.apply(web.slices(["b2"]));
	for (const from of FROM) await isClosed(c, from, "a");
}

const UDP = { protocols: ["UDP"] } as const;

export const UDP_ROWS: readonly Row[] = [
	row(["U140", "UDP goes on to the new pod: node port", "conntrack.go:140"], byNodePort, UDP),
	row(["U218", "UDP goes on to the new pod: cluster IP", "conntrack.go:218"], (c) => byClusterIp(c, "a1"), UDP),
	row(["U297", "UDP goes on to the new pod: internalTrafficPolicy Local", "conntrack.go:297"], byLocalClusterIp, UDP),
	row(
		["U391", "UDP goes on to the new pod: client on the host", "conntrack.go:391"],
		(c) => byClusterIp(c, "node-1"),
		UDP,
	),
	row(["U481", "UDP reaches a pod that was not ready at first", "conntrack.go:481"], initiallyUnready, UDP),
	notApplicable(
		["U552", "no reset by packets that conntrack calls invalid", "conntrack.go:552"],
		"nothing here is tracked or translated packet by packet",
	),
	row(["U673", "UDP follows a target port that changes", "conntrack.go:673"], targetPortChanges, UDP),
	row(
		["U707", "UDP of a load balancer, pods on different nodes", "loadbalancer.go:707"],
		(c) => byLoadBalancer(c, ["b1", "b2"]),
		UDP,
	),
	row(
		["U841", "UDP of a load balancer, pods on one node", "loadbalancer.go:841"],
		(c) => byLoadBalancer(c, ["a2", "b2"]),
		UDP,
	),
	row(["C1", "closes the sockets of a backend that is gone, and no others", "own"], closesSockets, {
		note: "TCP by balancing.elf.io/close-on-remove: all",
	}),
	row(["C2", "leaves sockets open: TCP, and UDP by close-on-remove: none", "own"], leavesSockets),
	row(["C3", "leaves the sockets of a terminating backend open", "own"], keepsTerminating),
];

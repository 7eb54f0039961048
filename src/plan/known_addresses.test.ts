// What addresses are known for where they have no frontend.

import { describe, expect, test } from "bun:test";
import { selfOf } from "../../test/support/plans.ts";
import { cluster, hubsOf, ip, linesOf, type Objects, service } from "../../test/support/snapshots.ts";
import type { Service } from "../model/cluster.ts";
import { createPlanner, planFresh } from "./plan.ts";
import type { Self } from "./plan_types.ts";

const SELF = selfOf("here");
const OPEN = service("demo/web", { ports: ["http 80 30080"] });
const DUAL = service("demo/web", { ips: ["10.96.0.1", "fd00::1"], ports: ["http 80 30080"] });
const NODES = ["here 192.168.0.1 2001:db8::1", "there 192.168.0.2 198.51.100.2 2001:db8::2"];
const withAddresses = (...texts: readonly string[]): Self => ({ ...SELF, addresses: texts.map(ip) });

const CLUSTER_IP = "10.96.0.1 cluster IP: other ports are refused";
const own = (address: string, at = "0.0.0.1") => `${address} this node: node ports at ${at}`;
const remote = (address: string, at = "0.0.0.1") => `${address} remote node: node ports at ${at}`;
const host = (address: string, at = "0.0.0.1") =>
	`${address} this node, for the host's own clients: node ports at ${at}`;
const LOOPBACK = [host("0.0.0.0"), host("127.0.0.1")];

function known(hubs: readonly Objects[], self = SELF): readonly string[] {
	return linesOf(planFresh(hubsOf(...hubs.map(cluster)), self), "ADDRESS");
}

describe("cluster IPs", () => {
	test("are known, ingress and external IPs are not", () => {
		const web = service("demo/web", {
			ips: ["10.96.0.1", "fd00::1"],
			ingress: ["203.0.113.1"],
			externalIps: ["203.0.113.2"],
		});
		expect(known([{ services: [web] }])).toEqual([CLUSTER_IP, "fd00::1 cluster IP: other ports are refused"]);
	});

	test.each([
		["another proxy's", { otherProxy: true }],
		["of type ExternalName", { type: "ExternalName" }],
		["that stand for node ports", { ips: ["0.0.0.1"] }],
	] as const)("%s are not", (_, fields) => {
		expect(known([{ services: [service("demo/web", fields)] }])).toEqual([]);
	});

	test.each([
		["a node's", { nodes: ["there 10.96.0.1"] }, []],
		["the host's own", {}, ["10.96.0.1"]],
	])("%s address is no cluster IP, even if it has no node ports: its other ports are real", (_, objects, addresses) => {
		expect(known([{ ...objects, services: [service("demo/web")] }], withAddresses(...addresses))).toEqual([]);
	});

	test("of a Service with SCTP ports alone, which are not ours, are known as well", () => {
		expect(known([{ services: [service("demo/web", { ports: [] })] }])).toEqual([CLUSTER_IP]);
	});

	test("loopback is none", () => {
		expect(known([{ services: [service("demo/web", { ips: ["127.0.0.1"] })] }])).toEqual([]);
	});

	test("what several Services have goes with the last of them", () => {
		const planner = createPlanner();
		const of = (...services: readonly Service[]) => linesOf(planner(hubsOf(cluster({ services })), SELF), "ADDRESS");
		const other = service("demo/other", { ports: ["alt 81"] });
		expect(of(OPEN, other)).toEqual([CLUSTER_IP]);
		expect(of(other)).toEqual([CLUSTER_IP]);
		expect(of({ ...other, otherProxy: true })).toEqual([]);
		expect(of(other)).toEqual([CLUSTER_IP]);
		expect(of()).toEqual([]);
	});
});

describe("nodes", () => {
	test("have node ports in the families of the Services that have some", () => {
		expect(known([{ services: [OPEN], nodes: NODES }])).toEqual([
			LOOPBACK[0] ?? "",
			CLUSTER_IP,
			LOOPBACK[1] ?? "",
			own("192.168.0.1"),
			remote("192.168.0.2"),
			remote("198.51.100.2"),
		]);
		expect(known([{ services: [DUAL], nodes: NODES }])).toEqual([
			LOOPBACK[0] ?? "",
			CLUSTER_IP,
			LOOPBACK[1] ?? "",
			own("192.168.0.1"),
			remote("192.168.0.2"),
			remote("198.51.100.2"),
			own("2001:db8::1", "100::1"),
			remote("2001:db8::2", "100::1"),
			host("::", "100::1"),
			host("::1", "100::1"),
			"fd00::1 cluster IP: other ports are refused",
		]);
	});

	test("are nothing special without node ports", () => {
		expect(known([{ services: [service("demo/web")], nodes: NODES }])).toEqual([CLUSTER_IP]);
	});

	test("without our own among them this host is outside: its own addresses lead nowhere", () => {
		expect(known([{ services: [OPEN], nodes: NODES.slice(1) }], withAddresses("192.168.0.9"))).toEqual([
			CLUSTER_IP,
			remote("192.168.0.2"),
			remote("198.51.100.2"),
		]);
	});

	test("all addresses of this host are this node's, even one that another node claims", () => {
		const self = withAddresses("10.244.0.1", "198.51.100.2", "192.168.0.1");
		expect(known([{ services: [OPEN], nodes: NODES }], self)).toEqual([
			LOOPBACK[0] ?? "",
			own("10.244.0.1"),
			CLUSTER_IP,
			LOOPBACK[1] ?? "",
			own("192.168.0.1"),
			remote("192.168.0.2"),
			own("198.51.100.2"),
		]);
	});

	test("of several hubs the first one that has node ports there wins, and this host is in the first that it is a node of", () => {
		const other = service("demo/web", { ips: ["10.97.0.1"], ports: ["http 80 30080"] });
		const east: Objects = { services: [OPEN], nodes: ["there 192.168.0.1 192.168.0.2"] };
		const west: Objects = { services: [other], nodes: ["here 192.168.0.1", "far 192.168.0.3"] };
		const addresses = known([east, west], withAddresses("10.244.0.1"));
		expect(addresses.filter((line) => !line.includes("cluster IP"))).toEqual([
			host("0.0.0.0", "0.0.0.2"),
			own("10.244.0.1", "0.0.0.2"),
			host("127.0.0.1", "0.0.0.2"),
			remote("192.168.0.1"),
			remote("192.168.0.2"),
			remote("192.168.0.3", "0.0.0.2"),
		]);
		const closed = { ...east, services: [service("demo/web")] };
		expect(known([closed, west]).filter((line) => line.startsWith("192."))).toEqual([
			own("192.168.0.1", "0.0.0.2"),
			remote("192.168.0.3", "0.0.0.2"),
		]);
	});
});

describe("createPlanner()", () => {
	const open = cluster({ services: [OPEN], nodes: NODES });

	test("gives the identical addresses if nothing of them changed", () => {
		const planner = createPlanner();
		const before = planner(hubsOf(open), SELF);
		const services = new Map(open.services).set("demo/b", service("demo/b", { ports: ["b 81"] }));
		const after = planner(hubsOf({ ...open, services }), { ...SELF, addresses: [] });
		expect(after).not.toBe(before);
		expect(after.addresses).toBe(before.addresses);
	});

	test("follows nodes, this host's addresses and the last node port, and leaves the chunks alone", () => {
		const planner = createPlanner();
		const of = (objects: Objects, self = SELF) => planner(hubsOf({ ...open, nodes: cluster(objects).nodes }), self);
		const first = of({ nodes: NODES });
		const moved = of({ nodes: ["here 192.168.0.7"] });
		expect(moved.chunks).toBe(first.chunks);
		expect(linesOf(moved, "ADDRESS").filter((line) => line.startsWith("192."))).toEqual([own("192.168.0.7")]);
		const more = of({ nodes: ["here 192.168.0.7"] }, withAddresses("192.168.0.8"));
		expect(linesOf(more, "ADDRESS").filter((line) => line.startsWith("192."))).toEqual([
			own("192.168.0.7"),
			own("192.168.0.8"),
		]);
		const closed = planner(hubsOf({ ...open, services: new Map() }), SELF);
		expect([...closed.addresses]).toEqual([]);
	});
});

// How endpoints on other nodes are reached: as pods, through their nodes, or through the load balancer.

import { describe, expect, test } from "bun:test";
import { selfOf } from "../../test/support/plans.ts";
import { cluster, hubsOf, linesOf, type Objects, service, slice } from "../../test/support/snapshots.ts";
import type { Reach, Service } from "../model/cluster.ts";
import { createPlanner, planFresh } from "./plan.ts";

const NODES = [
	"here 192.168.0.1",
	"a 192.168.0.2 198.51.100.2 proxy=203.0.113.2",
	"b 192.168.0.3 proxy=203.0.113.3,203.0.113.33",
];
const OUTSIDE = NODES.slice(1);
const OPEN = service("demo/web", { ports: ["http 80 30080"], ingress: ["198.51.100.100"] });
const PODS = ["10.0.0.1 ready here", "10.0.0.2 ready a", "10.0.0.3 ready b"];

interface World extends Omit<Objects, "pods"> {
	readonly pods?: readonly string[];
	readonly reach?: Reach;
}

function planned({ pods = PODS, reach = "auto", services = [OPEN], nodes = OUTSIDE }: World) {
	const slices = services.map(({ key }) => slice(key, pods));
	return planFresh(hubsOf(cluster({ services, nodes, slices })), { ...selfOf("here"), reach });
}

/** Of the cluster IP. */
function backends(world: World): string {
	return (
		linesOf(planned(world), "FRONTEND")
			.find((line) => line.startsWith("10.96"))
			?.split(" -> ")[1] ?? ""
	);
}

const problems = (world: World) => linesOf(planned(world), "PROBLEM");

describe("modes", () => {
	test.each<[Reach, string]>([
		["pod", "10.0.0.1:8080 10.0.0.2:8080 10.0.0.3:8080"],
		["node-port", "10.0.0.1:8080 192.168.0.2:30080 192.168.0.3:30080"],
		["node-proxy", "10.0.0.1:8080 203.0.113.2:30080 203.0.113.33:30080 203.0.113.3:30080"],
		["load-balancer", "10.0.0.1:8080 198.51.100.100:80"],
	])("%s, whether this host is a node or not", (reach, expected) => {
		expect(backends({ reach })).toBe(expected);
		expect(backends({ reach, nodes: NODES })).toBe(expected);
		expect(problems({ reach })).toEqual([]);
	});

	test("the Service's goes before the agent's", () => {
		expect(backends({ reach: "node-proxy", services: [{ ...OPEN, reach: "load-balancer" }] })).toBe(
			"10.0.0.1:8080 198.51.100.100:80",
		);
		expect(backends({ reach: "load-balancer", services: [{ ...OPEN, reach: "pod" }] })).toBe(
			"10.0.0.1:8080 10.0.0.2:8080 10.0.0.3:8080",
		);
	});

	test("endpoints on this node, of no node, and in a node's own network are reached as they are", () => {
		const pods = ["10.0.0.1 ready here", "10.0.0.9", "192.168.0.3 ready b", "10.0.0.2 ready a"];
		expect(backends({ reach: "node-port", pods })).toBe(
			"10.0.0.1:8080 10.0.0.9:8080 192.168.0.2:30080 192.168.0.3:8080",
		);
	});

	test("a node that several endpoints are on stands once, in the best of their states", () => {
		const pods = ["10.0.0.2 ready a", "10.0.0.3 ready a", "10.0.0.4 draining a", "10.0.0.5 draining b"];
		expect(backends({ reach: "node-port", pods })).toBe("192.168.0.2:30080 | terminating 192.168.0.3:30080");
		expect(backends({ reach: "load-balancer", pods })).toBe("198.51.100.100:80");
		expect(backends({ reach: "load-balancer", pods: ["10.0.0.4 stopping a"] })).toBe(
			"refused | terminating 198.51.100.100:80",
		);
		expect(backends({ reach: "load-balancer", pods: [] })).toBe("refused");
	});

	test("internal traffic policy Local needs none", () => {
		const services = [{ ...OPEN, internalTrafficPolicy: "Local" as const }];
		expect(backends({ reach: "load-balancer", services })).toBe("10.0.0.1:8080");
		expect(
			problems({ reach: "node-proxy", nodes: [], services: [service("demo/web", { internalTrafficPolicy: "Local" })] }),
		).toEqual([]);
	});

	test("ingress addresses are frontends unless connections are sent there", () => {
		const ofIngress = (reach: Reach) =>
			linesOf(planned({ reach }), "FRONTEND").filter((line) => line.includes("ServiceLoadbalancer"));
		expect(ofIngress("node-port")).toEqual([
			"198.51.100.100:80/TCP demo/web:http ServiceLoadbalancer -> 10.0.0.1:8080 192.168.0.2:30080 192.168.0.3:30080",
		]);
		expect(ofIngress("load-balancer")).toEqual([]);
	});

	test("each family has ways of its own", () => {
		const web = service("demo/web", { ips: ["10.96.0.1", "fd00::1"], ports: ["http 80 30080"] });
		const slices = [slice("demo/web", ["10.0.0.2 ready a"]), slice("demo/web", ["fd01::2 ready a"])];
		const nodes = ["a 192.168.0.2 2001:db8::2 proxy=2001:db8::99"];
		const of = (reach: Reach) => {
			const plan = planFresh(hubsOf(cluster({ services: [web], slices, nodes })), { ...selfOf("here"), reach });
			return linesOf(plan, "FRONTEND").flatMap((line) => (line.includes("ClusterIP") ? line.split(" -> ")[1] : []));
		};
		expect(of("node-port")).toEqual(["192.168.0.2:30080", "[2001:db8::2]:30080"]);
		expect(of("auto")).toEqual(["192.168.0.2:30080", "[2001:db8::99]:30080"]);
		expect(of("node-proxy")).toEqual(["refused", "[2001:db8::99]:30080"]);
	});
});

describe("auto", () => {
	const closed = service("demo/web", { ingress: ["198.51.100.100"] });
	test.each<[string, World, string]>([
		["this host is a node", { nodes: NODES }, "10.0.0.1:8080 10.0.0.2:8080 10.0.0.3:8080"],
		["there are no nodes", { nodes: [] }, "10.0.0.1:8080 10.0.0.2:8080 10.0.0.3:8080"],
		["all have proxies", {}, "10.0.0.1:8080 203.0.113.2:30080 203.0.113.33:30080 203.0.113.3:30080"],
		[
			"one has no proxy",
			{ nodes: ["a 192.168.0.2", ...NODES.slice(2)] },
			"10.0.0.1:8080 192.168.0.2:30080 192.168.0.3:30080",
		],
		[
			"one without ready endpoints has no proxy",
			{ nodes: ["a 192.168.0.2", ...NODES.slice(2)], pods: ["10.0.0.2 stopping a", "10.0.0.3 ready b"] },
			"203.0.113.33:30080 203.0.113.3:30080",
		],
		["one is unknown", { nodes: NODES.slice(2) }, "10.0.0.1:8080 198.51.100.100:80"],
		["no node port", { services: [closed] }, "10.0.0.1:8080 198.51.100.100:80"],
		["nothing is offered", { services: [service("demo/web")] }, "10.0.0.1:8080 10.0.0.2:8080 10.0.0.3:8080"],
	])("%s", (_, world, expected) => {
		expect(backends(world)).toBe(expected);
		expect(problems(world)).toEqual([]);
	});
});

describe("endpoints that cannot be reached are left out, with a Problem", () => {
	const web = service("demo/web");
	test.each<[string, World, string, string]>([
		[
			"no node port",
			{ reach: "node-port", services: [web] },
			"10.0.0.1:8080",
			"2 endpoints cannot be reached by node-port: port http has no nodePort: make it a Service of type NodePort, or choose another reach",
		],
		[
			"no Node",
			{ reach: "node-port", nodes: NODES.slice(2) },
			"10.0.0.1:8080 192.168.0.3:30080",
			"One endpoint cannot be reached by node-port: there is no Node a: let the hub have Nodes, or choose another reach",
		],
		[
			"no address",
			{ reach: "node-port", nodes: ["a 2001:db8::2", ...NODES.slice(2)] },
			"10.0.0.1:8080 192.168.0.3:30080",
			"One endpoint cannot be reached by node-port: Node a has no IPv4 address: give it one, or choose another reach",
		],
		[
			"no proxy",
			{ reach: "node-proxy", nodes: ["a 192.168.0.2", ...NODES.slice(2)] },
			"10.0.0.1:8080 203.0.113.33:30080 203.0.113.3:30080",
			"One endpoint cannot be reached by node-proxy: Node a has no annotation balancing.elf.io/nodeProxyIpv4: set it, or choose another reach",
		],
		[
			"no ingress",
			{ reach: "load-balancer", services: [web], pods: PODS.slice(1) },
			"refused",
			"2 endpoints cannot be reached by load-balancer: status.loadBalancer has no IPv4 ingress: make it a Service of type LoadBalancer, or choose another reach",
		],
	])("%s", (_, world, expected, message) => {
		expect(backends(world)).toBe(expected);
		expect(problems(world)).toEqual([`Service demo/web Unreachable: ${message}`]);
		const reach = world.reach ?? "auto";
		const services = (world.services ?? [OPEN]).map((each): Service => ({ ...each, reach }));
		expect(problems({ ...world, reach: "pod", services })).toEqual([
			`Service demo/web metadata.annotations["balancing.elf.io/reach"] Unreachable: ${message}`,
		]);
	});

	test("an endpoint that only ends its flows is nobody's problem", () => {
		expect(
			problems({ reach: "node-port", nodes: NODES.slice(2), pods: ["10.0.0.2 stopping a", "10.0.0.3 ready b"] }),
		).toEqual([]);
	});

	test("one Problem for all ports and families", () => {
		const dual = service("demo/web", { ips: ["10.96.0.1", "fd00::1"], ports: ["http 80", "alt 81", "dns 53/UDP"] });
		const ports = ["http 8080", "alt 8081", "dns 53/UDP"];
		const slices = [slice("demo/web", PODS, ports), slice("demo/web", ["fd01::2 ready a"], ports)];
		const plan = planFresh(hubsOf(cluster({ services: [dual], slices })), { ...selfOf("here"), reach: "node-port" });
		expect(linesOf(plan, "PROBLEM")).toEqual([
			"Service demo/web Unreachable: 3 endpoints cannot be reached by node-port: port http has no nodePort: make it a Service of type NodePort, or choose another reach",
		]);
	});
});

describe("merged Services", () => {
	const global = { global: true } as const;
	test("are reached in each cluster by what it offers there", () => {
		const inside = cluster({
			services: [service("demo/web", global)],
			slices: [slice("demo/web", ["10.0.0.2 stopping there"])],
			nodes: ["here 192.168.0.1"],
		});
		const outside = cluster({
			services: [service("demo/web", { ...global, ips: ["10.97.0.1"], ports: ["http 80 31000"] })],
			slices: [slice("demo/web", ["10.1.0.1 ready far"])],
			nodes: ["far 203.0.113.7"],
		});
		const plan = planFresh(hubsOf(inside, outside), selfOf("here"));
		expect(linesOf(plan, "FRONTEND").filter((line) => line.includes("ClusterIP"))).toEqual([
			"10.96.0.1:80/TCP demo/web:http ServiceClusterIP -> 203.0.113.7:31000 | terminating 10.0.0.2:8080",
			"10.97.0.1:80/TCP demo/web:http ServiceClusterIP -> 203.0.113.7:31000 | terminating 10.0.0.2:8080",
		]);
	});

	test("what is out of reach is the Problem of the hub where it is", () => {
		const east = cluster({
			services: [service("demo/web", { ...global, reach: "node-port" })],
			slices: [slice("demo/web", PODS)],
		});
		const west = cluster({ services: [service("demo/web", { ...global, ips: ["10.97.0.1"] })] });
		expect(linesOf(planFresh(hubsOf(east, west), selfOf("here")), "PROBLEM")).toEqual([
			'Service demo/web metadata.annotations["balancing.elf.io/reach"] Unreachable: 2 endpoints cannot be reached by node-port: port http has no nodePort: make it a Service of type NodePort, or choose another reach (east)',
		]);
	});
});

describe("createPlanner()", () => {
	const base = cluster({
		services: [OPEN, service("demo/pods", { ips: ["10.96.0.2"], reach: "pod" })],
		slices: [slice("demo/web", PODS), slice("demo/pods", PODS)],
		nodes: OUTSIDE,
	});
	const at = (nodes: readonly string[]) => hubsOf({ ...base, nodes: cluster({ nodes }).nodes });

	test("another address of a node concerns those that are reached through it, and only them", () => {
		const planner = createPlanner();
		const before = planner(at(OUTSIDE), selfOf("here"));
		const after = planner(at(["a 192.168.0.9", ...OUTSIDE.slice(1)]), selfOf("here"));
		expect(linesOf(after, "FRONTEND")).toContain(
			"10.96.0.1:80/TCP demo/web:http ServiceClusterIP -> 10.0.0.1:8080 192.168.0.3:30080 192.168.0.9:30080",
		);
		expect(after.chunks.get("demo/pods")).toBe(before.chunks.get("demo/pods"));
	});

	test("a host that becomes a node reaches pods", () => {
		const planner = createPlanner();
		planner(at(OUTSIDE), selfOf("here"));
		expect(linesOf(planner(at(NODES), selfOf("here")), "FRONTEND")).toContain(
			"10.96.0.1:80/TCP demo/web:http ServiceClusterIP -> 10.0.0.1:8080 10.0.0.2:8080 10.0.0.3:8080",
		);
		expect(linesOf(planner(at([]), selfOf("here")), "FRONTEND")).toContain(
			"10.96.0.1:80/TCP demo/web:http ServiceClusterIP -> 10.0.0.1:8080 10.0.0.2:8080 10.0.0.3:8080",
		);
	});

	test("plans anew for another reach of the agent, and without external IPs", () => {
		const planner = createPlanner();
		const of = (self: Parameters<typeof planner>[1]) => linesOf(planner(at(OUTSIDE), self), "FRONTEND").at(-1);
		expect(of({ ...selfOf("here"), reach: "load-balancer" })).toStartWith("10.96.0.2");
		expect(of({ ...selfOf("here"), reach: "pod" })).toStartWith("198.51.100.100");
	});
});

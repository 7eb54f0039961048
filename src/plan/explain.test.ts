// Connections that are explained, case by case: what a person reads.

import { describe, expect, test } from "bun:test";
import { type Asked, told } from "../../test/support/explained.ts";
import { cluster, hubsOf, ip, type Objects, port, service, slice } from "../../test/support/snapshots.ts";
import type { Self } from "./plan_types.ts";

const one = (objects: Objects) => hubsOf(cluster(objects));
const last = (...args: Parameters<typeof told>) => told(...args).at(-1);

const NODES = ["here 192.168.0.1 zone=north", "a 192.168.0.2 zone=south", "b 192.168.0.3 zone=south proxy=203.0.113.3"];
const OUTSIDE = NODES.slice(1);
const PODS = ["10.0.0.1 ready here", "10.0.0.2 ready a"];
const WEB = service("demo/web");
const OPEN = service("demo/web", {
	ports: ["http 80 30080"],
	ingress: ["198.51.100.1"],
	externalIps: ["198.51.100.2"],
});
const LOCAL = service("demo/web", { ports: ["http 80 30080"], externalPolicy: "Local" });

describe("a cluster IP", () => {
	test("leads to the ready endpoints; who terminates keeps what it has", () => {
		const slices = [slice("demo/web", ["10.0.0.1 ready here", "10.0.0.2 draining a", "10.0.0.3 unready b"])];
		expect(told(one({ services: [WEB], slices }), "10.96.0.1:80")).toEqual([
			"10.96.0.1:80/TCP is a cluster IP of Service demo/web, port http 80/TCP",
			"  10.0.0.1:8080/TCP on node here: new connections (ready)",
			"  10.0.0.2:8080/TCP on node a: only UDP flows that it has (terminating, and still serving)",
			"  10.0.0.3:8080/TCP on node b: not used (not ready)",
			"would connect to 10.0.0.1:8080/TCP, because Service demo/web has 1 endpoint for new connections",
		]);
	});

	test("leads to draining endpoints if no other is left", () => {
		const slices = [slice("demo/web", ["10.0.0.1 unready", "10.0.0.2 draining"])];
		const [, step, ...rest] = told(one({ services: [WEB], slices }), "10.96.0.1:80");
		expect(step).toBe("No endpoint is ready: those that drain and still serve are used (KEP-1669)");
		expect(rest.at(-1)).toStartWith("would connect to 10.0.0.2:8080/TCP, ");
	});

	test("without endpoints is refused", () => {
		expect(told(one({ services: [WEB] }), "10.96.0.1:80")).toEqual([
			"10.96.0.1:80/TCP is a cluster IP of Service demo/web, port http 80/TCP",
			"No endpoint is ready, and none is draining",
			"would be refused with ECONNREFUSED, because Service demo/web has no endpoint for this port",
		]);
	});

	test("is refused at a port that it does not have, whatever the protocol", () => {
		const hubs = one({ services: [WEB], slices: [slice("demo/web", PODS)] });
		for (const target of ["10.96.0.1:81/TCP", "10.96.0.1:80/UDP"])
			expect(told(hubs, target)).toEqual([
				"Service demo/web has 10.96.0.1, but only with 80/TCP",
				`would be refused with ECONNREFUSED, because nobody has ${target}, and 10.96.0.1 is a cluster IP of Service demo/web`,
			]);
	});

	test("with internalTrafficPolicy Local leads to endpoints on this node, and to nobody else", () => {
		const local = service("demo/web", { internalTrafficPolicy: "Local" });
		const at = (...pods: readonly string[]) => one({ services: [local], slices: [slice("demo/web", pods)] });
		expect(told(at(...PODS), "10.96.0.1:80").slice(1)).toEqual([
			"internalTrafficPolicy Local: only endpoints on this node (here)",
			"  10.0.0.1:8080/TCP on node here: new connections (ready)",
			"  10.0.0.2:8080/TCP on node a: not used (not on this node (internalTrafficPolicy Local))",
			"would connect to 10.0.0.1:8080/TCP, because Service demo/web has 1 endpoint for new connections",
		]);
		expect(last(at("10.0.0.2 ready a"), "10.96.0.1:80")).toBe(
			"would be refused with ECONNREFUSED, because none of the 1 endpoints of Service demo/web takes new connections (not on this node (internalTrafficPolicy Local))",
		);
	});

	test("says what a client with session affinity gets", () => {
		const sticky = service("demo/web", { affinity: { seconds: 300, client: "netns" } });
		const lines = told(one({ services: [sticky], slices: [slice("demo/web", PODS)] }), "10.96.0.1:80");
		expect(lines[1]).toBe("sessionAffinity ClientIP: a client (netns) goes on to the backend it had in the last 300 s");
		expect(lines.at(-1)).toStartWith(
			"would connect to 10.0.0.1:8080/TCP or 10.0.0.2:8080/TCP, the same one for a client, ",
		);
	});
});

describe("hints", () => {
	const at = (...pods: readonly string[]) => one({ services: [WEB], slices: [slice("demo/web", pods)], nodes: NODES });

	test("for our zone are followed", () => {
		expect(told(at("10.0.0.1 ready a zones=north", "10.0.0.2 ready b zones=south"), "10.96.0.1:80").slice(1)).toEqual([
			"All ready endpoints have hints for zones, and some are for north: only these are used",
			"  10.0.0.1:8080/TCP on node a: new connections (ready)",
			"  10.0.0.2:8080/TCP on node b: only UDP flows that it has (its hints are for other zones)",
			"would connect to 10.0.0.1:8080/TCP, because Service demo/web has 1 endpoint for new connections",
		]);
	});

	test.each([
		["that one ready endpoint lacks", ["10.0.0.1 ready a zones=north", "10.0.0.2 ready b"]],
		["for other zones alone", ["10.0.0.1 ready a zones=south", "10.0.0.2 ready b zones=south"]],
	])("%s are not", (_, pods) => {
		expect(last(at(...pods), "10.96.0.1:80")).toStartWith("would connect to 10.0.0.1:8080/TCP or 10.0.0.2:8080/TCP, ");
	});

	test("for nodes go before those for zones", () => {
		const pods = ["10.0.0.1 ready a zones=north nodes=a", "10.0.0.2 ready b zones=south nodes=here"];
		expect(last(at(...pods), "10.96.0.1:80")).toStartWith("would connect to 10.0.0.2:8080/TCP, ");
	});
});

describe("a node port", () => {
	const slices = [slice("demo/web", PODS)];

	test("on another node leads to endpoints, too", () => {
		expect(told(one({ services: [OPEN], slices, nodes: NODES }), "192.168.0.2:30080")).toEqual([
			"192.168.0.2 is an address of node a",
			"30080/TCP is a node port of Service demo/web, port http 80/TCP",
			"  10.0.0.1:8080/TCP on node here: new connections (ready)",
			"  10.0.0.2:8080/TCP on node a: new connections (ready)",
			"would connect to 10.0.0.1:8080/TCP or 10.0.0.2:8080/TCP, because Service demo/web has 2 endpoints for new connections",
		]);
	});

	test.each<[string, string, Asked, string]>([
		[
			"that no Service has is the node's own",
			"192.168.0.2:30081",
			{},
			"would connect to 192.168.0.2:30081/TCP as it is, because no Service has node port 30081/TCP",
		],
		[
			"on loopback is for the host's clients",
			"127.0.0.1:30080",
			{ from: "host" },
			"would connect to 10.0.0.1:8080/TCP or ",
		],
		[
			"on loopback is not for a pod's",
			"127.0.0.1:30080",
			{},
			"would connect to 127.0.0.1:30080/TCP as it is, because loopback in a pod's network namespace is the pod's own",
		],
		[
			"on an interface of this host is this node's",
			"10.9.9.9:30080",
			{ self: { addresses: [ip("10.9.9.9")] } },
			"would connect to 10.0.0.1:8080/TCP or ",
		],
		[
			"is of no use outside of a cluster",
			"127.0.0.1:30080",
			{ from: "host", self: { nodeName: "vm" } },
			"would connect to 127.0.0.1:30080/TCP as it is, because nobody has 127.0.0.1:30080/TCP, and no node port is served there",
		],
	])("%s", (_, target, asked, line) => {
		expect(last(one({ services: [OPEN], slices, nodes: NODES }), target, asked)).toStartWith(line);
	});

	test("with externalTrafficPolicy Local is left to another node, and leads anywhere from this one", () => {
		const hubs = one({ services: [LOCAL], slices: [slice("demo/web", ["10.0.0.2 ready a"])], nodes: NODES });
		const nodePort = "30080/TCP is a node port of Service demo/web, port http 80/TCP";
		expect(told(hubs, "192.168.0.2:30080")).toEqual([
			"192.168.0.2 is an address of node a",
			nodePort,
			"would connect to 192.168.0.2:30080/TCP as it is, because with externalTrafficPolicy Local another node decides by itself",
		]);
		expect(told(hubs, "192.168.0.1:30080").slice(0, 3)).toEqual([
			"192.168.0.1 is an address of this node",
			nodePort,
			"externalTrafficPolicy Local does not matter: this client is inside, and endpoints on any node serve it",
		]);
		expect(last(hubs, "192.168.0.1:30080")).toStartWith("would connect to 10.0.0.2:8080/TCP, ");
	});
});

describe("an external address", () => {
	const hubs = one({ services: [OPEN], slices: [slice("demo/web", PODS)], nodes: NODES });

	test.each([
		["198.51.100.1:80", "198.51.100.1:80/TCP is a load balancer's address of Service demo/web, port http 80/TCP"],
		["198.51.100.2:80", "198.51.100.2:80/TCP is an external IP of Service demo/web, port http 80/TCP"],
	])("%s leads to the endpoints", (target, step) => {
		expect(told(hubs, target)[0]).toBe(step);
		expect(last(hubs, target)).toStartWith("would connect to 10.0.0.1:8080/TCP or 10.0.0.2:8080/TCP, ");
	});

	test("has its other ports for itself", () => {
		expect(last(hubs, "198.51.100.1:81")).toStartWith("would connect to 198.51.100.1:81/TCP as it is, ");
	});

	test("of spec.externalIPs is nobody's where the agent refuses them", () => {
		const [step, line] = told(hubs, "198.51.100.2:80", { self: { refusesExternalIps: true } });
		expect(step).toBe(
			"Service demo/web has 198.51.100.2, but this agent takes no external IPs (--external-ips refuse)",
		);
		expect(line).toStartWith("would connect to 198.51.100.2:80/TCP as it is, ");
	});
});

describe("an endpoint on another node, from outside its cluster,", () => {
	const slices = [slice("demo/web", ["10.0.0.2 ready a", "10.0.0.3 ready b"])];
	const at = (reach: Self["reach"]) =>
		told(one({ services: [OPEN], slices, nodes: OUTSIDE }), "10.96.0.1:80", { self: { reach } });

	test("is reached by what all nodes have", () => {
		expect(at("auto").slice(1)).toEqual([
			"Endpoints on other nodes are reached by node-port",
			"  10.0.0.2:8080/TCP on node a: new connections, through 192.168.0.2:30080/TCP (ready)",
			"  10.0.0.3:8080/TCP on node b: new connections, through 192.168.0.3:30080/TCP (ready)",
			"would connect to 192.168.0.2:30080/TCP or 192.168.0.3:30080/TCP, because Service demo/web has 2 endpoints for new connections",
		]);
	});

	test("is not used if there is no such way", () => {
		expect(at("node-proxy").slice(1, 3)).toEqual([
			"Endpoints on other nodes are reached by node-proxy",
			"  10.0.0.2:8080/TCP on node a: not used (ready; node-proxy cannot reach it: its node a has no IPv4 proxy address)",
		]);
	});

	test("leaves the ingress address to itself if that is the way", () => {
		expect(at("load-balancer").at(-1)).toStartWith("would connect to 198.51.100.1:80/TCP, ");
		const hubs = one({ services: [OPEN], slices, nodes: OUTSIDE });
		const [step, line] = told(hubs, "198.51.100.1:80", { self: { reach: "load-balancer" } });
		expect(step).toBe(
			"Service demo/web has 198.51.100.1, but its endpoints are reached through it: the load balancer decides",
		);
		expect(line).toStartWith("would connect to 198.51.100.1:80/TCP as it is, ");
	});
});

describe("several that want one address", () => {
	test("in one hub: the older one has it", () => {
		const services = [
			service("demo/new", { created: "2026-01-01T00:00:00Z" }),
			service("demo/old", { created: "2025-01-01T00:00:00Z" }),
		];
		expect(told(one({ services }), "10.96.0.1:80").slice(0, 2)).toEqual([
			"10.96.0.1:80/TCP is a cluster IP of Service demo/old, port http 80/TCP",
			"Service demo/new wants it as well: Service demo/old is older, or the first by name",
		]);
	});

	test("in several hubs: the earlier hub's has it, and a global one leads to the first hub with endpoints", () => {
		const all = service("demo/web", { global: true });
		const west = { services: [all], slices: [slice("demo/web", ["10.1.0.1 ready x"])] };
		const hubs = hubsOf(cluster({ services: [service("demo/other"), all] }), cluster(west));
		expect(told(hubs, "10.96.0.1:80").slice(0, 3)).toEqual([
			"10.96.0.1:80/TCP is a cluster IP of Service demo/other of hub east, port http 80/TCP",
			"Service demo/web of hub east wants it as well: Service demo/other is older, or the first by name",
			"Service demo/web of hub west wants it as well: Service demo/other is in hub east, which goes before",
		]);
		const merged = hubsOf(cluster({ services: [all] }), cluster(west));
		expect(told(merged, "10.96.0.1:80")).toEqual([
			"10.96.0.1:80/TCP is a cluster IP of Service demo/web of hub east, port http 80/TCP",
			"New connections go to hub west: the first one with ready endpoints",
			"  10.1.0.1:8080/TCP on node x: new connections (ready)",
			"would connect to 10.1.0.1:8080/TCP, because Service demo/web has 1 endpoint for new connections",
		]);
	});
});

test.each([
	["otherProxy", { otherProxy: true }, "its label service.kubernetes.io/service-proxy-name gives it to another proxy"],
	["ExternalName", { type: "ExternalName" as const }, "its type is ExternalName"],
])("a Service that is left alone is named: %s", (_, fields, why) => {
	expect(told(one({ services: [service("demo/web", fields)] }), "10.96.0.1:80")).toEqual([
		`Service demo/web has 10.96.0.1, but ${why}`,
		"would connect to 10.96.0.1:80/TCP as it is, because nobody has 10.96.0.1:80/TCP, and 10.96.0.1 is no cluster IP and no node's address with node ports",
	]);
});

test("what could not be read is shown where nobody has the address", () => {
	const problem = { object: "Service demo/bad", field: "spec", reason: "InvalidObject", message: "No" } as const;
	const hub = { ...cluster({}), problems: Array.from({ length: 7 }, () => problem) };
	expect(told(hubsOf(hub), "10.96.0.1:80")).toEqual([
		...Array.from({ length: 5 }, () => "PROBLEM Service demo/bad spec InvalidObject: No"),
		"2 more problems of Services and policies: balancing plan lists them",
		"would connect to 10.96.0.1:80/TCP as it is, because nobody has 10.96.0.1:80/TCP, and 10.96.0.1 is no cluster IP and no node's address with node ports",
	]);
});

test("the agent's own check is refused, whoever wants its address", () => {
	const services = [service("demo/web", { ips: ["192.0.0.8"], ports: [`dns ${port(5810)}/UDP`] })];
	expect(told(one({ services }), "192.0.0.8:5810/udp")).toEqual([
		"would be refused with ECONNREFUSED, because 192.0.0.8:5810/UDP is where the agent proves that its programs work",
	]);
});

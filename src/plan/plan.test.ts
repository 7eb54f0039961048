// What a Service and its slices become, case by case.

import { describe, expect, test } from "bun:test";
import { l4, selfOf } from "../../test/support/plans.ts";
import { l4Parts } from "../model/address.ts";
import { type Cluster, EMPTY_CLUSTER, type Endpoint, type EndpointSlice, type Service } from "../model/cluster.ts";
import { listEndpoints } from "../model/endpoint_list.ts";
import { CANARY, CANARY_IPV4, CANARY_IPV6, CANARY_OBJECT } from "./canary.ts";
import { MAX_BACKENDS } from "./draft.ts";
import { createPlanner as createHubsPlanner, planFresh as planHubs } from "./plan.ts";
import type { Plan, Self } from "./plan_types.ts";
import { renderPlan } from "./render.ts";

const SELF = selfOf("here");

function ip(text: string) {
	return l4Parts(l4(text.includes(":") ? `[${text}]:1` : `${text}:1`)).ip;
}

function port(number: number) {
	return l4Parts(l4(`10.0.0.1:${number}`)).port;
}

function service(key: string, fields: Partial<Service> = {}): Service {
	return {
		key,
		type: "ClusterIP",
		clusterIps: [ip("10.96.0.1")],
		ports: [{ name: "http", port: port(80), protocol: "TCP" }],
		internalTrafficPolicy: "Cluster",
		otherProxy: false,
		peerAddress: "frontend",
		global: false,
		created: "",
		...fields,
	};
}

/** `10.0.0.1 ready`, `10.0.0.2 draining there`: address, state, node. */
function endpoint(text: string): Endpoint {
	const [address = "", state = "ready", nodeName = ""] = text.split(" ");
	return {
		ip: ip(address),
		ready: state === "ready" || state === "published",
		serving: state === "ready" || state === "draining" || state === "serving",
		terminating: state === "draining" || state === "stopping" || state === "published",
		nodeName,
	};
}

function slice(key: string, endpoints: readonly string[], fields: Partial<EndpointSlice> = {}): EndpointSlice {
	return {
		key: `${key}-abc`,
		service: key,
		addressType: endpoints[0]?.includes(":") ? "IPv6" : "IPv4",
		endpoints: listEndpoints(endpoints.map(endpoint)),
		ports: [{ name: "http", port: port(8080), protocol: "TCP" }],
		...fields,
	};
}

function cluster(services: readonly Service[], slices: readonly EndpointSlice[] = []): Cluster {
	const keys = [...new Set(slices.map((item) => item.service))];
	return {
		...EMPTY_CLUSTER,
		services: new Map(services.map((item) => [item.key, item])),
		slices: new Map(keys.map((key) => [key, slices.filter((item) => item.service === key)])),
	};
}

/** Of one hub alone. */
function planFresh(only: Cluster, self: Self): Plan {
	return planHubs([{ name: "hub", cluster: only }], self);
}

function createPlanner(): typeof planFresh {
	const planner = createHubsPlanner();
	return (only, self) => planner([{ name: "hub", cluster: only }], self);
}

/** Without the canary and the cluster IPs. */
function text(plan: Plan): readonly string[] {
	return renderPlan(plan)
		.split("\n")
		.filter((line) => line !== "" && !line.includes("balancing/canary") && !line.startsWith("ADDRESS "));
}

describe("endpoints", () => {
	test.each([
		["no slice", [], "refused"],
		["ready ones, sorted", ["10.0.0.9", "10.0.0.10"], "10.0.0.10:8080 10.0.0.9:8080"],
		["not the unready", ["10.0.0.1", "10.0.0.2 unready"], "10.0.0.1:8080"],
		["nobody who is unready", ["10.0.0.2 unready"], "refused"],
		["ready before draining", ["10.0.0.1", "10.0.0.2 draining"], "10.0.0.1:8080 | terminating 10.0.0.2:8080"],
		["draining if none is ready", ["10.0.0.1 unready", "10.0.0.2 draining"], "10.0.0.2:8080"],
		["stopping keeps flows only", ["10.0.0.1 stopping"], "refused | terminating 10.0.0.1:8080"],
		[
			"draining before stopping",
			["10.0.0.1 stopping", "10.0.0.2 draining"],
			"10.0.0.2:8080 | terminating 10.0.0.1:8080",
		],
		["serving but not ready keeps flows only", ["10.0.0.1 serving"], "refused | terminating 10.0.0.1:8080"],
		[
			"published though it terminates",
			["10.0.0.1 published", "10.0.0.2 draining"],
			"10.0.0.1:8080 | terminating 10.0.0.2:8080",
		],
	])("%s", (_, endpoints, expected) => {
		const slices = endpoints.length === 0 ? [] : [slice("demo/web", endpoints)];
		expect(text(planFresh(cluster([service("demo/web")], slices), SELF))).toEqual([
			`FRONTEND 10.96.0.1:80/TCP demo/web:http ServiceClusterIP -> ${expected}`,
		]);
	});

	test.each([
		["10.0.0.1 unready", "10.0.0.1 ready", "10.0.0.1:8080"],
		["10.0.0.1 draining", "10.0.0.1 ready", "10.0.0.1:8080"],
		["10.0.0.1 stopping", "10.0.0.1 draining", "10.0.0.1:8080"],
		["10.0.0.1 unready", "10.0.0.1 stopping", "refused | terminating 10.0.0.1:8080"],
	])("one endpoint in two slices, %s and %s: the better state counts, in either order", (a, b, expected) => {
		for (const order of [
			[a, b],
			[b, a],
		]) {
			const slices = order.map((item) => slice("demo/web", [item]));
			const [line] = text(planFresh(cluster([service("demo/web")], slices), SELF));
			expect(line).toEndWith(`-> ${expected}`);
		}
	});

	test("a slice counts for the port with its name and protocol, with its own number", () => {
		const ports: Service["ports"] = [
			{ name: "dns", port: port(53), protocol: "UDP" },
			{ name: "dns-tcp", port: port(53), protocol: "TCP" },
			{ name: "metrics", port: port(9153), protocol: "TCP" },
		];
		const first = slice("demo/dns", ["10.0.0.1"], {
			ports: [
				{ name: "dns", port: port(5353), protocol: "UDP" },
				{ name: "dns-tcp", port: port(5354), protocol: "TCP" },
				{ name: "metrics", port: port(1), protocol: "UDP" },
			],
		});
		// A named targetPort has another number in other pods.
		const second = slice("demo/dns", ["10.0.0.2"], { ports: [{ name: "dns", port: port(53), protocol: "UDP" }] });
		expect(text(planFresh(cluster([service("demo/dns", { ports })], [first, second]), SELF))).toEqual([
			"FRONTEND 10.96.0.1:53/TCP demo/dns:dns-tcp ServiceClusterIP -> 10.0.0.1:5354",
			"FRONTEND 10.96.0.1:53/UDP demo/dns:dns ServiceClusterIP -> 10.0.0.1:5353 10.0.0.2:53",
			"FRONTEND 10.96.0.1:9153/TCP demo/dns:metrics ServiceClusterIP -> refused",
		]);
	});

	test("each cluster IP leads to endpoints of its family", () => {
		const dual = service("demo/web", { clusterIps: [ip("10.96.0.1"), ip("fd00::1")] });
		const slices = [slice("demo/web", ["10.0.0.1"]), slice("demo/web", ["fd01::1"])];
		expect(text(planFresh(cluster([dual], slices), SELF))).toEqual([
			"FRONTEND 10.96.0.1:80/TCP demo/web:http ServiceClusterIP -> 10.0.0.1:8080",
			"FRONTEND [fd00::1]:80/TCP demo/web:http ServiceClusterIP -> [fd01::1]:8080",
		]);
	});

	test.each([
		["here", "10.0.0.1:8080"],
		["there", "10.0.0.2:8080"],
		["elsewhere", "refused"],
		["", "refused"],
	])("internalTrafficPolicy Local on node %p", (nodeName, expected) => {
		const local = service("demo/web", { internalTrafficPolicy: "Local" });
		const slices = [slice("demo/web", ["10.0.0.1 ready here", "10.0.0.2 ready there", "10.0.0.3 ready"])];
		const [line] = text(planFresh(cluster([local], slices), selfOf(nodeName)));
		expect(line).toEndWith(`-> ${expected}`);
	});
});

describe("services", () => {
	test.each([
		["of type ExternalName", { type: "ExternalName" }],
		["without cluster IPs", { clusterIps: [] }],
		["of another proxy", { otherProxy: true }],
		["without ports", { ports: [] }],
	] as const)("one %s has no frontend", (_, fields) => {
		const plan = planFresh(cluster([service("demo/web", fields)], [slice("demo/web", ["10.0.0.1"])]), SELF);
		expect([...plan.chunks.keys()]).toEqual([CANARY_OBJECT]);
		expect(plan.problems).toEqual([]);
	});

	test.each(["NodePort", "LoadBalancer"] as const)("the cluster IP of a %s works as any other", (type) => {
		expect(text(planFresh(cluster([service("demo/web", { type })]), SELF))).toHaveLength(1);
	});

	test("an unnamed port is called by its number", () => {
		const ports = [{ name: "", port: port(80), protocol: "TCP" as const }];
		expect(text(planFresh(cluster([service("demo/web", { ports })]), SELF))).toEqual([
			"FRONTEND 10.96.0.1:80/TCP demo/web:80 ServiceClusterIP -> refused",
		]);
	});

	test("peer-address backend concerns TCP only", () => {
		const ports: Service["ports"] = [
			{ name: "dns", port: port(53), protocol: "UDP" },
			{ name: "http", port: port(80), protocol: "TCP" },
		];
		expect(text(planFresh(cluster([service("demo/web", { ports, peerAddress: "backend" })]), SELF))).toEqual([
			"FRONTEND 10.96.0.1:53/UDP demo/web:dns ServiceClusterIP -> refused",
			"FRONTEND 10.96.0.1:80/TCP demo/web:http ServiceClusterIP peer-address=backend -> refused",
		]);
	});

	test("a port that stands twice is a Problem, and the first one is used", () => {
		const ports: Service["ports"] = [
			{ name: "http", port: port(80), protocol: "TCP" },
			{ name: "again", port: port(80), protocol: "TCP" },
		];
		expect(text(planFresh(cluster([service("demo/web", { ports })]), SELF))).toEqual([
			"FRONTEND 10.96.0.1:80/TCP demo/web:http ServiceClusterIP -> refused",
			"PROBLEM Service demo/web spec.ports[1] InvalidObject: 80/TCP stands here twice: the first one is used",
		]);
	});

	test("more backends than a frontend holds: the rest is left out, terminating ones first", () => {
		const many = Array.from({ length: MAX_BACKENDS + 2 }, (_, n) => `10.${1 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`);
		const endpoints = many.map((address, index) => `${address} ${index < 3 ? "draining" : "ready"}`);
		const plan = planFresh(cluster([service("demo/web")], [slice("demo/web", endpoints)]), SELF);
		const [frontend] = plan.chunks.get("demo/web")?.frontends ?? [];
		expect(frontend?.active).toHaveLength(MAX_BACKENDS - 1);
		expect(frontend?.terminating).toEqual([l4("10.1.0.0:8080")]);
		expect(text(plan)[1]).toBe(
			"PROBLEM Service demo/web TooLarge: Frontend 10.96.0.1:80/TCP has 65537 backends, and 65535 fit: the last ones by address are left out",
		);
	});
});

describe("conflicts", () => {
	const old = "2020-01-01T00:00:00Z";
	const young = "2021-01-01T00:00:00Z";

	test.each([
		["the older", [young, old], "demo/b"],
		["by time, not by text", [young, "2020-12-31T23:00:00-05:00"], "demo/a"],
		["who has an age at all", ["", old], "demo/b"],
		["who has a readable age", ["yesterday", old], "demo/b"],
		["the first by name, if they are of one age", [old, old], "demo/a"],
		["the first by name, if none has an age", ["", ""], "demo/a"],
	] as const)("wins: %s", (_, [a, b], winner) => {
		const loser = winner === "demo/a" ? "demo/b" : "demo/a";
		const both = [service("demo/a", { created: a }), service("demo/b", { created: b })];
		for (const services of [both, [...both].reverse()])
			expect(text(planFresh(cluster(services), SELF))).toEqual([
				`FRONTEND 10.96.0.1:80/TCP ${winner}:http ServiceClusterIP -> refused`,
				`PROBLEM Service ${loser} spec.clusterIPs FrontendConflict: 10.96.0.1:80/TCP belongs to Service ${winner} (older, or first by name): give the Service another address or port`,
			]);
	});

	test("the loser keeps its other frontends, and gets the address when the winner goes", () => {
		const planner = createPlanner();
		const a = service("demo/a");
		const b = service("demo/b", { clusterIps: [ip("10.96.0.1"), ip("10.96.0.2")] });
		expect(text(planner(cluster([a, b]), SELF)).slice(0, 2)).toEqual([
			"FRONTEND 10.96.0.1:80/TCP demo/a:http ServiceClusterIP -> refused",
			"FRONTEND 10.96.0.2:80/TCP demo/b:http ServiceClusterIP -> refused",
		]);
		expect(text(planner(cluster([b]), SELF))).toEqual([
			"FRONTEND 10.96.0.1:80/TCP demo/b:http ServiceClusterIP -> refused",
			"FRONTEND 10.96.0.2:80/TCP demo/b:http ServiceClusterIP -> refused",
		]);
	});
});

describe("the canary", () => {
	test("is in every plan", () => {
		const plan = planFresh(cluster([]), SELF);
		expect(renderPlan(plan)).toBe(
			"FRONTEND 192.0.0.8:5810/UDP balancing/canary Canary -> refused\nFRONTEND [100::ba1a]:5810/UDP balancing/canary Canary -> refused\n",
		);
		expect(plan.chunks.get(CANARY_OBJECT)).toBe(CANARY);
	});

	test.each([CANARY_IPV4, CANARY_IPV6])("keeps %s, however old the Service that claims it", (address) => {
		const parts = l4Parts(address);
		const ports = [{ name: "x", port: parts.port, protocol: parts.protocol }];
		const thief = service("demo/thief", { clusterIps: [parts.ip], ports, created: "1970-01-01T00:00:00Z" });
		const plan = planFresh(cluster([thief]), SELF);
		expect(plan.chunks.get("demo/thief")).toBeUndefined();
		expect(text(plan)).toEqual([
			`PROBLEM Service demo/thief spec.clusterIPs FrontendConflict: ${address} is reserved for the agent's own check: give the Service another address or port`,
		]);
	});

	test("a Service that is called balancing/canary is a Service like others", () => {
		const plan = planFresh(cluster([service("balancing/canary")]), SELF);
		expect([...plan.chunks.keys()].sort()).toEqual(["balancing/canary", CANARY_OBJECT]);
	});
});

describe("createPlanner()", () => {
	const services = ["demo/a", "demo/b"].map((key, index) => service(key, { clusterIps: [ip(`10.96.0.${index + 1}`)] }));
	const snapshot = cluster(services, [slice("demo/a", ["10.0.0.1"]), slice("demo/b", ["10.0.0.2"])]);

	test("gives the identical plan if nothing changed", () => {
		const planner = createPlanner();
		const plan = planner(snapshot, SELF);
		expect(planner({ ...snapshot, services: new Map(snapshot.services) }, { ...SELF })).toBe(plan);
	});

	test("gives the identical chunk for what did not change", () => {
		const planner = createPlanner();
		const before = planner(snapshot, SELF);
		const slices = new Map(snapshot.slices).set("demo/b", [slice("demo/b", ["10.0.0.3"])]);
		const after = planner({ ...snapshot, slices }, SELF);
		expect(after.chunks.get("demo/a")).toBe(before.chunks.get("demo/a"));
		expect(after.chunks.get("demo/b")).not.toEqual(before.chunks.get("demo/b"));
	});

	test("plans anew for another node", () => {
		const planner = createPlanner();
		const local = cluster(
			[service("demo/a", { internalTrafficPolicy: "Local" })],
			[slice("demo/a", ["10.0.0.1 ready here", "10.0.0.2 ready there"])],
		);
		expect(text(planner(local, selfOf("here")))[0]).toEndWith("-> 10.0.0.1:8080");
		expect(text(planner(local, selfOf("there")))[0]).toEndWith("-> 10.0.0.2:8080");
	});

	test("carries the cluster's problems, sorted with its own", () => {
		const planner = createPlanner();
		planner(snapshot, SELF);
		const problems = ["b", "a"].map(
			(object) => ({ object, source: "x.yaml:1", reason: "InvalidYaml", message: "No" }) as const,
		);
		const plan = planner({ ...snapshot, problems }, SELF);
		expect(text(plan).slice(-2)).toEqual([
			"PROBLEM a InvalidYaml: No (x.yaml:1)",
			"PROBLEM b InvalidYaml: No (x.yaml:1)",
		]);
	});
});

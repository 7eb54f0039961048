// Several hubs in one plan: who has an address, whose problem it is, and what is merged.

import { describe, expect, test } from "bun:test";
import { l4, selfOf } from "../../test/support/plans.ts";
import { l4Parts } from "../model/address.ts";
import { type Cluster, EMPTY_CLUSTER, type EndpointSlice, type Service } from "../model/cluster.ts";
import { listEndpoints } from "../model/endpoint_list.ts";
import type { Problem } from "../model/problem.ts";
import { createPlanner, planFresh } from "./plan.ts";
import type { HubSnapshot, Plan } from "./plan_types.ts";
import { renderPlan } from "./render.ts";

const SELF = selfOf("here");
const ip = (text: string) => l4Parts(l4(`${text}:1`)).ip;
const port = (number: number) => l4Parts(l4(`10.0.0.1:${number}`)).port;

interface Spec {
	readonly key?: string;
	readonly ips: readonly string[];
	/** `10.0.0.1`, `10.0.0.2 draining`, `10.0.0.3 ready there`: address, state, node. */
	readonly pods?: readonly string[];
	readonly fields?: Partial<Service>;
	/** The port's name in the Service and in its slice. */
	readonly portName?: string;
}

function sliceOf(key: string, { pods = [], portName = "http" }: Spec): EndpointSlice {
	const endpoints = pods.map((pod) => {
		const [address = "", state = "ready", nodeName = ""] = pod.split(" ");
		const draining = state === "draining";
		return { ip: ip(address), ready: state === "ready", serving: state !== "unready", terminating: draining, nodeName };
	});
	const ports = [{ name: portName, port: port(8080), protocol: "TCP" as const }];
	return { key: `${key}-1`, service: key, addressType: "IPv4", endpoints: listEndpoints(endpoints), ports };
}

function clusterOf(...specs: readonly Spec[]): Cluster {
	const services = new Map<string, Service>();
	const slices = new Map<string, readonly EndpointSlice[]>();
	for (const spec of specs) {
		const { key = "demo/web", ips, fields, portName = "http" } = spec;
		services.set(key, {
			key,
			type: "ClusterIP",
			clusterIps: ips.map(ip),
			ports: [{ name: portName, port: port(80), protocol: "TCP" }],
			internalTrafficPolicy: "Cluster",
			otherProxy: false,
			peerAddress: "frontend",
			global: false,
			created: "",
			...fields,
		});
		slices.set(key, [sliceOf(key, spec)]);
	}
	return { ...EMPTY_CLUSTER, services, slices };
}

const hubs = (...clusters: readonly Cluster[]): readonly HubSnapshot[] =>
	clusters.map((cluster, index) => ({ name: ["east", "west", "north"][index] ?? "", cluster }));

/** Without the canary and the cluster IPs. */
function text(plan: Plan): readonly string[] {
	return renderPlan(plan)
		.split("\n")
		.filter((line) => line !== "" && !line.includes("balancing/canary") && !line.startsWith("ADDRESS "));
}

const planned = (...clusters: readonly Cluster[]) => text(planFresh(hubs(...clusters), SELF));
const GLOBAL = { fields: { global: true } };
const FRONTEND = (address: string, to: string, name = "demo/web:http") =>
	`FRONTEND ${address} ${name} ServiceClusterIP -> ${to}`;

describe("without the annotation", () => {
	test("Services of one name are two, each with the endpoints of its own hub", () => {
		const east = clusterOf({ ips: ["10.96.0.1"], pods: ["10.0.0.1"] });
		const west = clusterOf({ ips: ["10.97.0.1"], pods: ["10.1.0.1"] });
		expect(planned(east, west)).toEqual([
			FRONTEND("10.96.0.1:80/TCP", "10.0.0.1:8080"),
			FRONTEND("10.97.0.1:80/TCP", "10.1.0.1:8080"),
		]);
	});

	test("an address that two hubs claim is the earlier one's, even if that Service is younger", () => {
		const old = { created: "2020-01-01T00:00:00Z" };
		const east = clusterOf({ key: "demo/young", ips: ["10.96.0.1"], pods: ["10.0.0.1"] });
		const west = clusterOf({ ips: ["10.96.0.1", "10.96.0.2"], pods: ["10.1.0.1"], fields: old });
		expect(planned(east, west)).toEqual([
			FRONTEND("10.96.0.1:80/TCP", "10.0.0.1:8080", "demo/young:http"),
			FRONTEND("10.96.0.2:80/TCP", "10.1.0.1:8080"),
			"PROBLEM Service demo/web spec.clusterIPs FrontendConflict: 10.96.0.1:80/TCP belongs to Service demo/young of east, an earlier hub: put this hub before it, or give one of the two another address (west)",
		]);
		expect(planned(west, east)[0]).toBe(FRONTEND("10.96.0.1:80/TCP", "10.1.0.1:8080"));
	});

	test("one name and one address is a conflict as well", () => {
		const east = clusterOf({ ips: ["10.96.0.1"], pods: ["10.0.0.1"] });
		const west = clusterOf({ ips: ["10.96.0.1"], pods: ["10.1.0.1"] });
		expect(planned(east, west)).toEqual([
			FRONTEND("10.96.0.1:80/TCP", "10.0.0.1:8080"),
			"PROBLEM Service demo/web spec.clusterIPs FrontendConflict: 10.96.0.1:80/TCP belongs to Service demo/web of east, an earlier hub: put this hub before it, or give one of the two another address (west)",
		]);
	});

	test("within one hub the older Service wins, as ever", () => {
		const west = clusterOf({ key: "demo/a", ips: ["10.96.0.1"] }, { key: "demo/b", ips: ["10.96.0.1"] });
		expect(planned(clusterOf(), west)).toEqual([
			FRONTEND("10.96.0.1:80/TCP", "refused", "demo/a:http"),
			"PROBLEM Service demo/b spec.clusterIPs FrontendConflict: 10.96.0.1:80/TCP belongs to Service demo/a (older, or first by name): give the Service another address or port (west)",
		]);
	});

	test("the later hub's Service gets the address when the earlier one's goes, and gives it back", () => {
		const planner = createPlanner();
		const east = clusterOf({ ips: ["10.96.0.1"], pods: ["10.0.0.1"] });
		const west = clusterOf({ ips: ["10.96.0.1"], pods: ["10.1.0.1"] });
		const to = (...clusters: readonly Cluster[]) => text(planner(hubs(...clusters), SELF));
		expect(to(east, west)).toHaveLength(2);
		expect(to(clusterOf(), west)).toEqual([FRONTEND("10.96.0.1:80/TCP", "10.1.0.1:8080")]);
		expect(to(east, west)[0]).toBe(FRONTEND("10.96.0.1:80/TCP", "10.0.0.1:8080"));
	});

	test.each([true, false])("annotated on one only (%p is the first's), they are two", (first) => {
		const east = clusterOf({ ips: ["10.96.0.1"], fields: { global: first } });
		const west = clusterOf({ ips: ["10.97.0.1"], pods: ["10.1.0.1"], fields: { global: !first } });
		expect(planned(east, west)).toEqual([
			FRONTEND("10.96.0.1:80/TCP", "refused"),
			FRONTEND("10.97.0.1:80/TCP", "10.1.0.1:8080"),
		]);
	});
});

describe("problems", () => {
	const problem: Problem = { object: "Service demo/bad", reason: "InvalidObject", message: "No" };

	test("say which hub where there are several, and which file where that is known", () => {
		const east: Cluster = { ...clusterOf(), problems: [problem, { ...problem, source: "x.yaml:1" }] };
		const west: Cluster = { ...clusterOf(), problems: [problem] };
		expect(planned(east, west)).toEqual([
			"PROBLEM Service demo/bad InvalidObject: No (east)",
			"PROBLEM Service demo/bad InvalidObject: No (west)",
			"PROBLEM Service demo/bad InvalidObject: No (x.yaml:1)",
		]);
		expect(planned({ ...east, problems: [problem] })).toEqual(["PROBLEM Service demo/bad InvalidObject: No"]);
	});
});

describe("global Services", () => {
	const east = (...pods: readonly string[]) => clusterOf({ ips: ["10.96.0.1"], pods, ...GLOBAL });
	const west = (...pods: readonly string[]) => clusterOf({ ips: ["10.97.0.1"], pods, ...GLOBAL });
	const both = (to: string) => [FRONTEND("10.96.0.1:80/TCP", to), FRONTEND("10.97.0.1:80/TCP", to)];

	test.each([
		["the first one's, if there are any", ["10.0.0.1"], ["10.1.0.1"], "10.0.0.1:8080 | terminating 10.1.0.1:8080"],
		["the second one's, if the first has none", [], ["10.1.0.1"], "10.1.0.1:8080"],
		["the second one's, if the first has none ready", ["10.0.0.1 unready"], ["10.1.0.1"], "10.1.0.1:8080"],
		[
			"ready ones before draining ones of an earlier hub, which keep their flows",
			["10.0.0.1 draining"],
			["10.1.0.1"],
			"10.1.0.1:8080 | terminating 10.0.0.1:8080",
		],
		[
			"draining ones of the first before those of the second",
			["10.0.0.1 draining"],
			["10.1.0.1 draining"],
			"10.0.0.1:8080 | terminating 10.1.0.1:8080",
		],
		["draining ones of the second, if the first has none", [], ["10.1.0.1 draining"], "10.1.0.1:8080"],
		["nothing, if nobody has any", [], [], "refused"],
	])("are served from both addresses, by backends: %s", (_, first, second, to) => {
		expect(planned(east(...first), west(...second))).toEqual(both(to));
	});

	test("a backend that both have is active", () => {
		expect(planned(east("10.0.0.1", "10.0.0.2"), west("10.0.0.1", "10.1.0.1"))).toEqual(
			both("10.0.0.1:8080 10.0.0.2:8080 | terminating 10.1.0.1:8080"),
		);
	});

	test("of three, those that have the annotation are merged", () => {
		const north = clusterOf({ ips: ["10.98.0.1"], pods: ["10.2.0.1"] });
		expect(planned(east(), north, west("10.1.0.1"))).toEqual([
			...both("10.1.0.1:8080"),
			FRONTEND("10.98.0.1:80/TCP", "10.2.0.1:8080"),
		]);
	});

	test("with one address they are one frontend, without a conflict", () => {
		const same = (...pods: readonly string[]) => clusterOf({ ips: ["10.96.0.1"], pods, ...GLOBAL });
		expect(planned(same("10.0.0.1"), same("10.1.0.1"))).toEqual([
			FRONTEND("10.96.0.1:80/TCP", "10.0.0.1:8080 | terminating 10.1.0.1:8080"),
		]);
	});

	test("with one address and another name of the port they are in conflict: nobody knows which port is meant", () => {
		const named = (portName: string) => clusterOf({ ips: ["10.96.0.1"], portName, ...GLOBAL });
		expect(planned(named("http"), named("web"))).toEqual([
			FRONTEND("10.96.0.1:80/TCP", "refused"),
			"PROBLEM Service demo/web spec.clusterIPs FrontendConflict: 10.96.0.1:80/TCP belongs to Service demo/web of east, an earlier hub: put this hub before it, or give one of the two another address (west)",
		]);
	});

	test("endpoints are matched by the port's name", () => {
		const other = clusterOf({ ips: ["10.97.0.1"], pods: ["10.1.0.1"], portName: "web", ...GLOBAL });
		expect(planned(east(), other)).toEqual([
			FRONTEND("10.96.0.1:80/TCP", "refused"),
			FRONTEND("10.97.0.1:80/TCP", "10.1.0.1:8080", "demo/web:web"),
		]);
	});

	test("traffic policy Local is each one's own, and concerns the endpoints of all", () => {
		const local = { global: true, internalTrafficPolicy: "Local" as const };
		const first = clusterOf({ ips: ["10.96.0.1"], pods: ["10.0.0.1 ready there"], fields: local });
		expect(planned(first, west("10.1.0.1 ready here", "10.1.0.2 ready there"))).toEqual([
			FRONTEND("10.96.0.1:80/TCP", "10.1.0.1:8080"),
			FRONTEND("10.97.0.1:80/TCP", "10.0.0.1:8080 | terminating 10.1.0.1:8080 10.1.0.2:8080"),
		]);
	});

	test("come, fail over, come back and part again with a planner that remembers", () => {
		const planner = createPlanner();
		const to = (...clusters: readonly Cluster[]) => text(planner(hubs(...clusters), SELF));
		const [first, second] = [east("10.0.0.1"), west("10.1.0.1")];
		expect(to(first, clusterOf())).toEqual([FRONTEND("10.96.0.1:80/TCP", "10.0.0.1:8080")]);
		expect(to(first, second)).toEqual(both("10.0.0.1:8080 | terminating 10.1.0.1:8080"));
		const failed: Cluster = { ...first, slices: new Map() };
		expect(to(failed, second)).toEqual(both("10.1.0.1:8080"));
		expect(to(first, second)).toEqual(both("10.0.0.1:8080 | terminating 10.1.0.1:8080"));
		const parted = clusterOf({ ips: ["10.97.0.1"], pods: ["10.1.0.1"] });
		expect(to(first, parted)).toEqual([
			FRONTEND("10.96.0.1:80/TCP", "10.0.0.1:8080"),
			FRONTEND("10.97.0.1:80/TCP", "10.1.0.1:8080"),
		]);
	});
});

describe("createPlanner()", () => {
	test("gives the identical chunk for a Service of a hub in which another one has changed", () => {
		const planner = createPlanner();
		const west = clusterOf({ ips: ["10.97.0.1"] }, { key: "demo/other", ips: ["10.97.0.2"] });
		const before = planner(hubs(clusterOf({ ips: ["10.96.0.1"] }), west), SELF);
		const after = planner(hubs(clusterOf({ ips: ["10.96.0.9"] }), west), SELF);
		expect([...after.chunks.keys()].sort()).toEqual([...before.chunks.keys()].sort());
		const same = [...after.chunks].filter(([key, chunk]) => before.chunks.get(key) === chunk);
		expect(same.map(([, { object, hub }]) => `${object} ${hub}`)).toEqual([
			"canary undefined",
			"demo/web west",
			"demo/other west",
		]);
	});

	test("gives the identical plan if nothing changed", () => {
		const planner = createPlanner();
		const [first, second] = [clusterOf({ ips: ["10.96.0.1"] }), clusterOf({ ips: ["10.96.0.1"] })];
		expect(planner(hubs(first, second), SELF)).toBe(planner(hubs(first, second), SELF));
	});
});

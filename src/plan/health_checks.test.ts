// Health check node ports: which Services have one here, and what is counted.

import { describe, expect, test } from "bun:test";
import { createLayeredMap } from "../lib/layered_map.ts";
import { parseIp, parsePort } from "../model/address.ts";
import {
	type Cluster,
	EMPTY_CLUSTER,
	type Endpoint,
	type EndpointSlice,
	type Node,
	type Service,
} from "../model/cluster.ts";
import { listEndpoints } from "../model/endpoint_list.ts";
import { createHealthChecks } from "./health_checks.ts";

const ip = (text: string) => {
	const parsed = parseIp(text);
	if (parsed === undefined) throw new Error(text);
	return parsed;
};
const port = (number: number) => {
	const parsed = parsePort(number);
	if (parsed === undefined) throw new Error(String(number));
	return parsed;
};

function service(key: string, health: number | undefined, more: Partial<Service> = {}): Service {
	return {
		key,
		type: "LoadBalancer",
		clusterIps: [],
		ports: [],
		internalTrafficPolicy: "Cluster",
		otherProxy: false,
		peerAddress: "frontend",
		global: false,
		created: "2026-01-01T00:00:00Z",
		...(health === undefined
			? {}
			: {
					external: { externalIps: [], ingressIps: [], trafficPolicy: "Local", healthCheckNodePort: port(health) },
				}),
		...more,
	};
}

/** Endpoints as `IP@NODE`, with `!` behind it if it is not ready, `~` if it terminates and serves. */
function slice(key: string, endpoints: readonly string[]): EndpointSlice {
	return {
		key: `${key}-1`,
		service: key,
		addressType: endpoints[0]?.includes("::") ? "IPv6" : "IPv4",
		ports: [],
		endpoints: listEndpoints(endpoints.map(endpoint)),
	};
}

function endpoint(text: string): Endpoint {
	const [address = "", nodeName = ""] = text.replace(/[!~]$/, "").split("@");
	const terminating = text.endsWith("~");
	const ready = !terminating && !text.endsWith("!");
	return { ip: ip(address), ready, serving: ready || terminating, terminating, nodeName };
}

const node = (name: string): Node => ({ name, ips: [], zone: "", proxyIps: [] });

interface Objects {
	readonly services?: readonly Service[];
	readonly slices?: readonly EndpointSlice[];
	readonly nodes?: readonly string[];
}

function cluster({ services = [], slices = [], nodes = ["here"] }: Objects): Cluster {
	return {
		...EMPTY_CLUSTER,
		services: new Map(services.map((each) => [each.key, each])),
		slices: new Map(services.map(({ key }) => [key, slices.filter((each) => each.service === key)])),
		nodes: new Map(nodes.map((name) => [name, node(name)])),
		problems: [],
	};
}

const checksOf = (...clusters: readonly Cluster[]) =>
	Object.fromEntries(
		createHealthChecks()(
			clusters.map((each, rank) => ({ name: `hub ${rank}`, cluster: each })),
			"here",
		),
	);

test.each([
	["nothing", [], 0],
	["those on this node", [["10.0.0.1@here", "10.0.0.2@here", "10.0.0.3@there", "10.0.0.4@"]], 2],
	["ready ones only, not those that terminate", [["10.0.0.1@here", "10.0.0.2@here!", "10.0.0.3@here~"]], 1],
	["each address once", [["10.0.0.1@here"], ["10.0.0.1@here", "10.0.0.2@here"]], 2],
	["a pod of two families once", [["10.0.0.1@here", "10.0.0.2@here"], ["fd00::1@here"]], 2],
	["pods of IPv6", [["fd00::1@here", "fd00::2@here", "fd00::3@there"]], 2],
] as const)("createHealthChecks() counts %s", (_, endpoints, local) => {
	const slices = endpoints.map((each) => slice("demo/web", each));
	const checks = checksOf(cluster({ services: [service("demo/web", 30999)], slices }));
	expect(checks).toEqual({ 30999: { service: "demo/web", local, others: [] } });
});

describe("createHealthChecks() opens nothing for", () => {
	test.each([
		["a Service without such a port", { services: [service("demo/web", undefined)] }],
		["a Service of another proxy", { services: [service("demo/web", 30999, { otherProxy: true })] }],
		["a host that is no node of the cluster", { services: [service("demo/web", 30999)], nodes: ["there"] }],
	])("%s", (_, objects) => {
		expect(checksOf(cluster(objects))).toEqual({});
	});
});

test("createHealthChecks() gives a port to the first hub, then to the older Service, then by name", () => {
	const old = { created: "2025-01-01T00:00:00Z" };
	const [one, two] = [
		cluster({
			services: [service("demo/b", 1), service("demo/a", 1), service("demo/z", 2), service("demo/y", 2, old)],
		}),
		cluster({ services: [service("demo/c", 1, old), service("demo/d", 3)] }),
	];
	expect(checksOf(one, two)).toEqual({
		1: { service: "demo/a", local: 0, others: ["demo/b", "demo/c"] },
		2: { service: "demo/y", local: 0, others: ["demo/z"] },
		3: { service: "demo/d", local: 0, others: [] },
	});
});

test("createHealthChecks() follows a cluster that changes, and gives the identical map where nothing did", () => {
	const services = createLayeredMap<Service>();
	const slices = createLayeredMap<readonly EndpointSlice[]>();
	for (let number = 0; number < 2000; number += 1)
		services.set(`demo/s${number}`, service(`demo/s${number}`, undefined));
	const checks = createHealthChecks();
	const now = () => {
		const next = { services: services.snapshot(), slices: slices.snapshot(), nodes: new Map([["here", node("here")]]) };
		return [{ name: "hub", cluster: { ...EMPTY_CLUSTER, ...next } }];
	};
	expect(checks(now(), "here").size).toBe(0);
	services.set("demo/s7", service("demo/s7", 30999));
	expect([...checks(now(), "here")]).toEqual([[port(30999), { service: "demo/s7", local: 0, others: [] }]]);
	slices.set("demo/s7", [slice("demo/s7", ["10.0.0.1@here"])]);
	const before = now();
	const known = checks(before, "here");
	expect(known.get(port(30999))?.local).toBe(1);
	expect(checks(before, "here")).toBe(known);
	services.set("demo/s7", service("demo/s7", undefined));
	services.set("demo/s8", service("demo/s8", 31000));
	expect([...checks(now(), "here").keys()]).toEqual([port(31000)]);
	services.delete("demo/s8");
	expect([...checks(now(), "here").keys()]).toEqual([]);
});

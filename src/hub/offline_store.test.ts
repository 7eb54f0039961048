// The copy on disk: the same cluster back, or nothing.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Log } from "../lib/log.ts";
import { projectBalancingPolicy } from "../model/balancing_policy.ts";
import { type Cluster, EMPTY_CLUSTER } from "../model/cluster.ts";
import { projectEndpointSlice } from "../model/endpoint_slice.ts";
import { projectLocalRedirectPolicy } from "../model/local_redirect_policy.ts";
import { projectNode } from "../model/node.ts";
import { projectPod } from "../model/pod.ts";
import { policyKey } from "../model/policy.ts";
import { projectService } from "../model/service.ts";
import { STORE_FORMAT } from "./offline_format.ts";
import { createOfflineStore } from "./offline_store.ts";

/** With every field that a Service may have. */
const SERVICE = projectService({
	metadata: {
		name: "web",
		namespace: "demo",
		creationTimestamp: "2026-01-01T00:00:00Z",
		annotations: {
			"balancing.elf.io/close-on-remove": "all",
			"balancing.elf.io/reach": "node-port",
			"balancing.elf.io/health-check": "https:/healthz",
		},
	},
	spec: {
		type: "LoadBalancer",
		clusterIPs: ["10.96.0.1", "fd00::1"],
		externalIPs: ["192.0.2.1"],
		externalTrafficPolicy: "Local",
		healthCheckNodePort: 30999,
		sessionAffinity: "ClientIP",
		ports: [{ name: "http", port: 80, nodePort: 30080 }],
		selector: { app: "web" },
	},
	status: { loadBalancer: { ingress: [{ ip: "192.0.2.2" }] } },
}).value;
const SLICE = projectEndpointSlice({
	metadata: { name: "web-1", namespace: "demo", labels: { "kubernetes.io/service-name": "web" } },
	addressType: "IPv4",
	ports: [{ name: "http", port: 8080 }],
	endpoints: [
		{
			addresses: ["10.1.0.1"],
			nodeName: "n1",
			conditions: { ready: true },
			hints: { forZones: [{ name: "a" }], forNodes: [{ name: "n1" }] },
		},
		{ addresses: ["10.1.0.2"] },
	],
}).value;
const NODE = projectNode(
	{
		metadata: {
			name: "n1",
			labels: { "topology.kubernetes.io/zone": "a" },
			annotations: { "balancing.elf.io/nodeProxyIpv4": "192.0.2.9" },
		},
		status: { addresses: [{ type: "InternalIP", address: "10.0.0.1" }] },
	},
	"n1",
).value;
const POD = projectPod({
	metadata: {
		name: "web-0",
		namespace: "demo",
		uid: "u1",
		labels: { app: "web" },
		annotations: { "balancing.elf.io/weight": "3" },
	},
	spec: {
		nodeName: "n1",
		hostNetwork: false,
		containers: [{ ports: [{ name: "http", containerPort: 8080, hostPort: 80, hostIP: "192.0.2.3" }] }],
	},
	status: {
		podIPs: [{ ip: "10.1.0.1" }],
		conditions: [{ type: "Ready", status: "True" }],
		containerStatuses: [{ name: "web", containerID: "containerd://0a" }],
	},
}).value;
const TO_PORTS = [{ name: "http", port: "80", protocol: "TCP" }];
const CONFIG = { nodeLabelSelector: { matchLabels: { zone: "a" } } };
const POLICY_METADATA = {
	name: "p",
	creationTimestamp: "2026-01-01T00:00:00Z",
	generation: 2,
	annotations: {
		"balancing.elf.io/serviceId": "7",
		"balancing.elf.io/close-on-remove": "all",
	},
};
const REDIRECT = projectLocalRedirectPolicy({
	metadata: {
		...POLICY_METADATA,
		annotations: { ...POLICY_METADATA.annotations, "balancing.elf.io/redirect-qos-limit": "5" },
	},
	spec: {
		frontend: { serviceMatcher: { namespace: "demo", serviceName: "web", toPorts: TO_PORTS } },
		config: CONFIG,
		backend: { endpointSelector: { matchLabels: { app: "web" } }, toPorts: TO_PORTS },
	},
}).value;
const BALANCING = projectBalancingPolicy({
	metadata: {
		...POLICY_METADATA,
		annotations: { ...POLICY_METADATA.annotations, "balancing.elf.io/health-check": "tcp port=81" },
	},
	spec: {
		frontend: { addressMatcher: { ip: "192.0.2.1", toPorts: TO_PORTS } },
		config: CONFIG,
		backend: { addressEndpoint: { addresses: ["192.0.2.5"], toPorts: TO_PORTS } },
	},
}).value;
const ORIGIN = "https://a:6443, CA 0123";
const NOW = new Date("2026-11-20T12:00:00.000Z");

const OF = { origin: ORIGIN, now: NOW };

function cluster(): Cluster {
	if (SERVICE === undefined || SLICE === undefined || NODE === undefined || POD === undefined)
		throw new Error("Cannot project the test's own objects");
	if (REDIRECT === undefined || BALANCING === undefined) throw new Error("Cannot project the test's own objects");
	const problem = { object: "Service demo/other", reason: "InvalidObject", message: "not kept" } as const;
	return {
		...EMPTY_CLUSTER,
		services: new Map([["demo/web", SERVICE]]),
		slices: new Map([["demo/web", [SLICE]]]),
		nodes: new Map([["n1", NODE]]),
		pods: new Map([["demo/web-0", POD]]),
		policies: new Map([REDIRECT, BALANCING].map((policy) => [policyKey(policy), policy])),
		problems: [problem],
	};
}

let folder: string;
let file: string;
let warnings: string[];
let errors: string[];
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), `balancing-test-${process.pid}-store-`));
	file = join(folder, "hubs", "one.json");
	warnings = [];
	errors = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

function store() {
	const say = () => {};
	const warn: Log["warn"] = (fields, message) => {
		warnings.push(message);
		const err: unknown = Reflect.get(fields, "err");
		if (err instanceof Error) errors.push(err.message);
	};
	const log: Log = { debug: say, info: say, error: say, warn };
	return createOfflineStore(file, log);
}

test("read() gives back what write() was given, without the problems", async () => {
	const bytes = await store().write(cluster(), OF);
	expect(store().read(ORIGIN)).toEqual({ cluster: { ...cluster(), problems: [] }, savedAt: NOW, isNewest: true });
	expect(bytes).toBe(statSync(file).size);
	expect(warnings).toEqual([]);
});

test("a copy is the newest snapshot until it is outdated, and again when the next one is written", async () => {
	store().outdate();
	expect(store().read(ORIGIN)).toBeUndefined();
	await store().write(cluster(), OF);
	store().outdate();
	store().outdate();
	expect(store().read(ORIGIN)?.isNewest).toBe(false);
	await store().write(cluster(), OF);
	expect(store().read(ORIGIN)?.isNewest).toBe(true);
	expect(readdirSync(join(folder, "hubs"))).toEqual(["one.json"]);
	expect(warnings).toEqual([]);
});

test("read() of no copy is undefined, without a word", () => {
	expect(store().read(ORIGIN)).toBeUndefined();
	expect(warnings).toEqual([]);
});

test("the copy is its user's alone, and nothing else is left beside it", async () => {
	await store().write(cluster(), OF);
	await store().write(cluster(), OF);
	expect(statSync(file).mode & 0o777).toBe(0o600);
	expect(statSync(join(folder, "hubs")).mode & 0o777).toBe(0o700);
	expect(readdirSync(join(folder, "hubs"))).toEqual(["one.json"]);
});

describe("a copy that cannot be believed is ignored with a warning:", () => {
	const size = () => statSync(file).size;
	test.each<[string, () => void]>([
		["cut by one byte", () => truncateSync(file, size() - 1)],
		["cut in the middle", () => truncateSync(file, Math.floor(size() / 2))],
		["empty", () => truncateSync(file, 0)],
		["one byte changed", () => writeFileSync(file, readFileSync(file, "utf8").replace("10.1.0.1", "10.1.0.3"))],
		["another origin", () => writeFileSync(file, readFileSync(file, "utf8").replace("CA 0123", "CA 0124"))],
		["another time", () => writeFileSync(file, readFileSync(file, "utf8").replace("12:00", "13:00"))],
		[
			"another format",
			() => writeFileSync(file, readFileSync(file, "utf8").replace(`"format":${STORE_FORMAT}`, '"format":0')),
		],
		["something else", () => writeFileSync(file, "null\nnull\n")],
		["too large", () => truncateSync(file, 64 * 1024 * 1024 + 1)],
	])("%s", async (_, damage) => {
		await store().write(cluster(), OF);
		damage();
		expect(store().read(ORIGIN)).toBeUndefined();
		expect(warnings).toEqual(["The hub's copy on disk cannot be used"]);
	});
});

test("what is outdated while it is written stays so, and the newer one is believed again", async () => {
	const one = store();
	const writing = one.write(cluster(), OF);
	one.outdate();
	await writing;
	expect(store().read(ORIGIN)?.isNewest).toBe(false);
	await one.write(cluster(), OF);
	expect(store().read(ORIGIN)?.isNewest).toBe(true);
});

test("a copy in many pieces comes back whole, and others have their turn while it is written", async () => {
	const { services, slices } = cluster();
	const [service, list] = [services.get("demo/web"), slices.get("demo/web")];
	if (service === undefined || list === undefined) throw new Error("Cannot use the test's own objects");
	const keys = Array.from({ length: 5000 }, (_, index) => `demo/web-${index}`);
	const large: Cluster = {
		...EMPTY_CLUSTER,
		services: new Map(keys.map((key) => [key, { ...service, key }])),
		slices: new Map(keys.map((key) => [key, list])),
	};
	let turns = 0;
	const timer = setInterval(() => turns++, 0);
	await store().write(large, OF);
	clearInterval(timer);
	expect(turns).toBeGreaterThan(0);
	expect(store().read(ORIGIN)?.cluster).toEqual(large);
});

test("a hub that is too large is told once, and leaves nothing behind", async () => {
	const long = "x".repeat(1 << 20);
	const slices = new Map(Array.from({ length: 65 }, (_, index) => [`demo/${index}${long}`, []] as const));
	const one = store();
	await one.write({ ...EMPTY_CLUSTER, slices }, OF);
	await one.write({ ...EMPTY_CLUSTER, slices }, OF);
	expect(warnings).toEqual(["Cannot keep a copy of the hub on disk"]);
	expect(errors).toEqual(["the hub has more than the 67108864 bytes that are kept"]);
	expect(readdirSync(join(folder, "hubs"))).toEqual([]);
});

test("a copy of another cluster is ignored, and both are named", async () => {
	await store().write(cluster(), OF);
	expect(store().read("https://b:6443, CA 4567")).toBeUndefined();
	expect(warnings).toEqual(["The hub's copy on disk cannot be used"]);
	expect(errors).toEqual([
		"it is of another cluster, https://a:6443, CA 0123, and this one is https://b:6443, CA 4567",
	]);
	expect(store().read(ORIGIN)?.savedAt).toEqual(NOW);
});

test("write() that cannot write is told once, and the old copy stays", async () => {
	const one = store();
	await one.write(cluster(), OF);
	rmSync(join(folder, "hubs"), { recursive: true });
	writeFileSync(join(folder, "hubs"), "a file in the way");
	await one.write(cluster(), OF);
	await one.write(cluster(), OF);
	expect(warnings).toEqual(["Cannot keep a copy of the hub on disk"]);
});

test("the format is that of what is kept: whoever changes a projection gives it another number", () => {
	const shape = (value: unknown): unknown => {
		if (Array.isArray(value)) return value.slice(0, 1).map(shape);
		if (typeof value !== "object" || value === null) return typeof value;
		return Object.fromEntries(
			Object.entries(value)
				.sort()
				.map(([key, part]) => [key, shape(part)]),
		);
	};
	expect<unknown>({
		format: STORE_FORMAT,
		service: shape(SERVICE),
		slice: shape(SLICE),
		node: shape(NODE),
		pod: shape(POD),
		redirect: shape(REDIRECT),
		balancing: shape(BALANCING),
	}).toEqual({
		format: 7,
		service: {
			affinity: { client: "string", seconds: "number" },
			closeOnRemove: "string",
			clusterIps: ["string"],
			created: "string",
			external: {
				externalIps: ["string"],
				healthCheckNodePort: "number",
				ingressIps: ["string"],
				trafficPolicy: "string",
			},
			global: "boolean",
			healthCheck: {
				fails: "number",
				interval: "number",
				panic: "number",
				passes: "number",
				probe: { kind: "string", path: "string" },
				timeout: "number",
			},
			internalTrafficPolicy: "string",
			key: "string",
			otherProxy: "boolean",
			peerAddress: "string",
			ports: [{ name: "string", nodePort: "number", port: "number", protocol: "string" }],
			reach: "string",
			type: "string",
		},
		slice: {
			addressType: "string",
			endpoints: "string",
			key: "string",
			ports: [{ name: "string", port: "number", protocol: "string" }],
			service: "string",
		},
		node: { ips: ["string"], labels: "string", name: "string", proxyIps: ["string"], zone: "string" },
		pod: {
			containers: "string",
			finished: "boolean",
			hostNetwork: "boolean",
			hostPorts: [{ ip: "string", port: "number", protocol: "string" }],
			ips: ["string"],
			key: "string",
			labels: "string",
			namespace: "string",
			nodeName: "string",
			ports: [{ name: "string", port: "number", protocol: "string" }],
			ready: "boolean",
			terminating: "boolean",
			uid: "string",
			weight: "number",
		},
		redirect: {
			closeOnRemove: "string",
			created: "string",
			frontend: { kind: "string", ports: [{ name: "string", port: "number", protocol: "string" }], service: "string" },
			generation: "number",
			hosts: { nodes: [{ key: "string", operator: "string", values: ["string"] }], outCluster: "boolean" },
			kind: "string",
			name: "string",
			pods: [{ key: "string", operator: "string", values: ["string"] }],
			ports: [{ name: "string", port: "number", protocol: "string" }],
			qosLimit: "number",
			serviceId: "number",
		},
		balancing: {
			backend: {
				addresses: [{ ip: "string", weight: "number" }],
				kind: "string",
				ports: [{ name: "string", port: "number", protocol: "string" }],
			},
			closeOnRemove: "string",
			created: "string",
			frontend: { ip: "string", kind: "string", ports: [{ name: "string", port: "number", protocol: "string" }] },
			generation: "number",
			healthCheck: {
				fails: "number",
				interval: "number",
				panic: "number",
				passes: "number",
				port: "number",
				probe: { kind: "string" },
				timeout: "number",
			},
			hosts: { nodes: [{ key: "string", operator: "string", values: ["string"] }], outCluster: "boolean" },
			kind: "string",
			name: "string",
			serviceId: "number",
		},
	});
});

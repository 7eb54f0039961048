// What becomes of a Service, field by field.

import { describe, expect, test } from "bun:test";
import type { Service } from "./cluster.ts";
import { MAX_PROBLEMS_PER_OBJECT, type Projection } from "./report.ts";
import { projectService } from "./service.ts";

interface Parts {
	readonly metadata?: unknown;
	readonly spec?: unknown;
}

/** A correct Service with these fields replaced. */
function project({ metadata = {}, spec = {} }: Parts): Projection<Service> {
	return projectService({
		apiVersion: "v1",
		kind: "Service",
		metadata: { name: "web", namespace: "demo", ...(metadata as object) },
		spec: { clusterIP: "10.96.0.1", ports: [{ port: 80 }], ...(spec as object) },
	});
}

/** `field: message` of each Problem. */
function complaints({ problems }: Projection<unknown>): string[] {
	return problems.map(({ field, reason, message }) => `${reason} ${field ?? ""}: ${message}`);
}

/** The only difference that these fields make to the correct Service. */
function expectValue(parts: Parts, value: Partial<Service>): void {
	const projection = project(parts);
	expect(projection.problems).toEqual([]);
	expect(projection.value).toMatchObject(value);
}

describe("projectService()", () => {
	test("fills in the API's defaults", () => {
		expect(
			projectService({ metadata: { name: "web" }, spec: { clusterIP: "10.96.0.1", ports: [{ port: 80 }] } }),
		).toEqual({
			value: {
				key: "default/web",
				type: "ClusterIP",
				clusterIps: ["10.96.0.1" as never],
				ports: [{ name: "", port: 80 as never, protocol: "TCP" }],
				internalTrafficPolicy: "Cluster",
				otherProxy: false,
				peerAddress: "frontend",
				global: false,
				created: "",
			},
			problems: [],
		});
	});

	test.each<[string, Parts, Partial<Service>]>([
		[
			"null is the same as absent",
			{ spec: { type: null, clusterIPs: null, internalTrafficPolicy: null } },
			{ type: "ClusterIP" },
		],
		[
			"an empty string is the same as absent",
			{ metadata: { namespace: "" }, spec: { type: "" } },
			{ key: "default/web", type: "ClusterIP" },
		],
		[
			"every type is known",
			{ spec: { type: "LoadBalancer" } },
			{ type: "LoadBalancer", clusterIps: ["10.96.0.1" as never] },
		],
		[
			"clusterIPs alone is enough",
			{ spec: { clusterIP: null, clusterIPs: ["fd00:0::1"] } },
			{ clusterIps: ["fd00::1" as never] },
		],
		[
			"two families",
			{ spec: { clusterIPs: ["10.96.0.1", "fd00::1"] } },
			{ clusterIps: ["10.96.0.1", "fd00::1"] as never },
		],
		["None is headless", { spec: { clusterIP: "None" } }, { clusterIps: [] }],
		["a list of None is headless", { spec: { clusterIP: "None", clusterIPs: ["None"] } }, { clusterIps: [] }],
		["a headless Service needs no ports", { spec: { clusterIP: "None", ports: null } }, { ports: [] }],
		[
			"ExternalName needs nothing",
			{ spec: { type: "ExternalName", clusterIP: "", ports: [] } },
			{ type: "ExternalName", clusterIps: [], ports: [] },
		],
		["ExternalName has no address", { spec: { type: "ExternalName", clusterIP: "10.96.0.1" } }, { clusterIps: [] }],
		["Local", { spec: { internalTrafficPolicy: "Local" } }, { internalTrafficPolicy: "Local" }],
		[
			"another proxy's, whatever its name",
			{ metadata: { labels: { "service.kubernetes.io/service-proxy-name": "" } } },
			{ otherProxy: true },
		],
		[
			"another proxy's, named null",
			{ metadata: { labels: { "service.kubernetes.io/service-proxy-name": null } } },
			{ otherProxy: true },
		],
		[
			"peer address",
			{ metadata: { annotations: { "balancing.elf.io/peer-address": "backend" } } },
			{ peerAddress: "backend" },
		],
		["global", { metadata: { annotations: { "balancing.elf.io/global": "true" } } }, { global: true }],
		["global, in words", { metadata: { annotations: { "balancing.elf.io/global": "false" } } }, { global: false }],
		[
			"creation time in UTC",
			{ metadata: { creationTimestamp: "2026-01-02T03:04:05.6+02:00" } },
			{ created: "2026-01-02T01:04:05Z" },
		],
		[
			"one port number for two protocols",
			{
				spec: {
					ports: [
						{ name: "a", port: 53 },
						{ name: "b", port: 53, protocol: "UDP" },
					],
				},
			},
			{},
		],
		[
			"80.0 is 80",
			{ spec: { ports: [{ port: 80.0, name: "http" }] } },
			{ ports: [{ name: "http", port: 80 as never, protocol: "TCP" }] },
		],
		["fields that we do not read", { spec: { loadBalancerIP: 5, ipFamilyPolicy: {}, ipFamilies: "x" } }, {}],
	])("takes it: %s", (_, parts, value) => {
		expectValue(parts, value);
	});

	test.each<[string, Parts, string, Partial<Service>]>([
		[
			"a type",
			{ spec: { type: "clusterip" } },
			'InvalidObject spec.type: "clusterip" is not a type of Service: use ClusterIP, NodePort, LoadBalancer, ExternalName; ClusterIP is used',
			{ type: "ClusterIP" },
		],
		[
			"a policy",
			{ spec: { internalTrafficPolicy: 1 } },
			"InvalidObject spec.internalTrafficPolicy: 1 is not a traffic policy: use Cluster, Local; Cluster is used",
			{ internalTrafficPolicy: "Cluster" },
		],
		[
			"a peer address",
			{ metadata: { annotations: { "balancing.elf.io/peer-address": "x" } } },
			'InvalidObject metadata.annotations["balancing.elf.io/peer-address"]: "x" is not a peer address: use frontend, backend; frontend is used',
			{ peerAddress: "frontend" },
		],
		[
			"an annotation",
			{ metadata: { annotations: { "balancing.elf.io/peer-address": true } } },
			'InvalidObject metadata.annotations["balancing.elf.io/peer-address"]: true is not a string: put it in quotes',
			{ peerAddress: "frontend" },
		],
		[
			"global",
			{ metadata: { annotations: { "balancing.elf.io/global": "yes" } } },
			'InvalidObject metadata.annotations["balancing.elf.io/global"]: "yes" is not true or false: use true, false; false is used',
			{ global: false },
		],
		[
			"labels",
			{ metadata: { labels: ["a"] } },
			"InvalidObject metadata.labels: a list is not an object: give labels as keys and strings",
			{ otherProxy: false },
		],
		[
			"a time",
			{ metadata: { creationTimestamp: "yesterday" } },
			'InvalidObject metadata.creationTimestamp: "yesterday" is not an RFC 3339 time: write it like 2026-01-31T23:59:59Z; the object counts as the youngest',
			{ created: "" },
		],
		[
			"a day",
			{ metadata: { creationTimestamp: "2026-13-02T03:04:05Z" } },
			'InvalidObject metadata.creationTimestamp: "2026-13-02T03:04:05Z" is not an RFC 3339 time: write it like 2026-01-31T23:59:59Z; the object counts as the youngest',
			{ created: "" },
		],
		[
			"one address of two",
			{ spec: { clusterIP: "10.96.0.1", clusterIPs: ["10.96.0.1", "fd00::x"] } },
			'InvalidObject spec.clusterIPs[1]: "fd00::x" is not an IP address: write it like 10.0.0.1 (no leading zeros) or fd00::1 (no zone); the Service has no such address',
			{ clusterIps: ["10.96.0.1" as never] },
		],
		[
			"two of one family",
			{ spec: { clusterIP: "", clusterIPs: ["10.96.0.1", "10.96.0.2"] } },
			"InvalidObject spec.clusterIPs[1]: A second IPv4 address: keep one of each family; 10.96.0.1 is used",
			{ clusterIps: ["10.96.0.1" as never] },
		],
		[
			"three addresses",
			{ spec: { clusterIP: "", clusterIPs: ["10.96.0.1", "fd00::1", "fd00::2"] } },
			"InvalidObject spec.clusterIPs: 3 addresses: give at most one of each family; the first two are used",
			{ clusterIps: ["10.96.0.1", "fd00::1"] as never },
		],
		[
			"two first addresses",
			{ spec: { clusterIP: "10.96.0.1", clusterIPs: ["10.96.0.2"] } },
			'InvalidObject spec.clusterIP: "10.96.0.1" is not clusterIPs[0] ("10.96.0.2"): make them the same; clusterIPs is used',
			{ clusterIps: ["10.96.0.2" as never] },
		],
		[
			"None and an address",
			{ spec: { clusterIP: "10.96.0.1", clusterIPs: ["None"] } },
			'InvalidObject spec.clusterIPs: "None" stands beside an address: keep one of them; the Service is headless',
			{ clusterIps: [] },
		],
		[
			"no list of addresses",
			{ spec: { clusterIPs: "10.96.0.1" } },
			'InvalidObject spec.clusterIPs: "10.96.0.1" is not a list: give a list; it is left out',
			{ clusterIps: ["10.96.0.1" as never] },
		],
		[
			"no address",
			{ spec: { clusterIP: "" } },
			'InvalidObject spec.clusterIP: Missing, and nobody here gives addresses: set an IP address, or "None" for a headless Service',
			{ clusterIps: [] },
		],
		[
			"a zone",
			{ spec: { clusterIP: "fe80::1%eth0" } },
			'InvalidObject spec.clusterIP: "fe80::1%eth0" is not an IP address: write it like 10.0.0.1 (no leading zeros) or fd00::1 (no zone); the Service has no such address',
			{ clusterIps: [] },
		],
		[
			"multicast",
			{ spec: { clusterIP: "224.0.0.1" } },
			`InvalidObject spec.clusterIP: "224.0.0.1" is not one host's address: it is unspecified, multicast or broadcast; the Service has no such address`,
			{ clusterIps: [] },
		],
	])("has its default for %s", (_, parts, complaint, value) => {
		const projection = project(parts);
		expect(complaints(projection)).toEqual([complaint]);
		expect(projection.value).toMatchObject(value);
	});

	test.each(["0.0.0.0", "::", "255.255.255.255", "239.255.255.255", "ff02::1"])(
		"refuses %s as an address of one host",
		(clusterIP) => {
			expect(project({ spec: { clusterIP } }).value?.clusterIps).toEqual([]);
		},
	);

	test.each(["127.0.0.1", "::1", "169.254.1.1", "fe80::1", "223.255.255.255", "240.0.0.1", "fe00::1"])(
		"takes %s",
		(clusterIP) => {
			expect<unknown>(project({ spec: { clusterIP } }).value?.clusterIps).toEqual([clusterIP]);
		},
	);

	const web = { name: "web", port: 80 };
	test.each<[string, unknown[], string[], string[]]>([
		[
			"a string",
			[web, { name: "b", port: "81" }],
			["web"],
			[
				'InvalidObject spec.ports[1].port: "81" is a string: write the port as a number without quotes; the port is left out',
			],
		],
		[
			"no number",
			[web, { name: "b" }],
			["web"],
			['InvalidObject spec.ports[1].port: Missing "port": it has no default; the port is left out'],
		],
		[
			"zero",
			[web, { name: "b", port: 0 }],
			["web"],
			["InvalidObject spec.ports[1].port: 0 is not a port: give a whole number from 1 to 65535; the port is left out"],
		],
		[
			"65536",
			[web, { name: "b", port: 65536 }],
			["web"],
			[
				"InvalidObject spec.ports[1].port: 65536 is not a port: give a whole number from 1 to 65535; the port is left out",
			],
		],
		[
			"a fraction",
			[web, { name: "b", port: 80.5 }],
			["web"],
			[
				"InvalidObject spec.ports[1].port: 80.5 is not a port: give a whole number from 1 to 65535; the port is left out",
			],
		],
		[
			"a protocol",
			[web, { name: "b", port: 81, protocol: "tcp" }],
			["web"],
			['InvalidObject spec.ports[1].protocol: "tcp" is not a protocol: use TCP, UDP, SCTP; the port is left out'],
		],
		[
			"SCTP",
			[web, { name: "b", port: 81, protocol: "SCTP" }],
			["web"],
			["Unsupported spec.ports[1].protocol: SCTP is not balanced: use TCP or UDP; the port is left out"],
		],
		[
			"a name",
			[web, { name: "B_", port: 81 }],
			["web"],
			[
				'InvalidObject spec.ports[1].name: "B_" is not a DNS label: use up to 63 of a-z, 0-9 and -, not - at the ends; the port is left out',
			],
		],
		[
			"a name of 64 characters",
			[web, { name: "b".repeat(64), port: 81 }],
			["web"],
			[
				`InvalidObject spec.ports[1].name: "${"b".repeat(60)}"... (64 characters) is not a DNS label: use up to 63 of a-z, 0-9 and -, not - at the ends; the port is left out`,
			],
		],
		[
			"no name",
			[web, { port: 81 }],
			["web"],
			["InvalidObject spec.ports[1]: No name: give each port a name where there are several; the port is left out"],
		],
		[
			"the same name",
			[web, { name: "web", port: 81 }],
			["web"],
			['InvalidObject spec.ports[1]: A second port named "web": give each its own name; the port is left out'],
		],
		[
			"the same port",
			[web, { name: "b", port: 80, protocol: "TCP" }],
			["web"],
			["InvalidObject spec.ports[1]: A second port 80/TCP: keep one of them; the port is left out"],
		],
		[
			"no object",
			[web, 81],
			["web"],
			[
				"InvalidObject spec.ports[1]: 81 is not a port: give an object with port, protocol and name; the port is left out",
			],
		],
		[
			"only SCTP",
			[{ port: 81, protocol: "SCTP" }],
			[],
			["Unsupported spec.ports[0].protocol: SCTP is not balanced: use TCP or UDP; the port is left out"],
		],
	])("leaves out a port, not its neighbours: %s", (_, ports, names, expected) => {
		const projection = project({ spec: { ports } });
		expect(complaints(projection)).toEqual(expected);
		expect(projection.value?.ports.map(({ name }) => name)).toEqual(names);
	});

	test.each<[string, unknown, string[]]>([
		["no object", [], ["InvalidObject : a list is not an object: give a Service"]],
		["null", null, ["InvalidObject : null is not an object: give a Service"]],
		["no metadata", {}, ["InvalidObject metadata: Missing: give metadata.name"]],
		[
			"metadata of another type",
			{ metadata: "web" },
			['InvalidObject metadata: "web" is not an object: give metadata.name'],
		],
		[
			"no name",
			{ metadata: { generateName: "web-" } },
			[
				"InvalidObject metadata.name: Missing: use up to 63 of a-z, 0-9 and -, not - at the ends; the object is left out",
			],
		],
		[
			"a name with a dot",
			{ metadata: { name: "web.a" } },
			[
				'InvalidObject metadata.name: "web.a" is not a DNS label: use up to 63 of a-z, 0-9 and -, not - at the ends; the object is left out',
			],
		],
		[
			"a namespace",
			{ metadata: { name: "web", namespace: "Demo" } },
			[
				'InvalidObject metadata.namespace: "Demo" is not a DNS label: use up to 63 of a-z, 0-9 and -, not - at the ends; the object is left out',
			],
		],
		["no spec", { metadata: { name: "web" } }, ["InvalidObject spec: Missing: give ports and clusterIP"]],
		[
			"no ports",
			{ metadata: { name: "web" }, spec: { clusterIP: "10.0.0.1" } },
			["InvalidObject spec.ports: Missing: give at least one port; the Service is left out"],
		],
		[
			"ports of another type",
			{ metadata: { name: "web" }, spec: { clusterIP: "10.0.0.1", ports: {} } },
			["InvalidObject spec.ports: an object is not a list: give a list; the Service has no ports"],
		],
	])("leaves it out: %s", (_, object, expected) => {
		const projection = projectService(object);
		expect(projection.value).toBeUndefined();
		expect(complaints(projection)).toEqual(expected);
	});

	test("leaves it out if no port is right", () => {
		expect(project({ spec: { ports: [{ port: 0 }, { port: 65536 }] } }).value).toBeUndefined();
	});

	test("counts Problems past a number instead of listing them", () => {
		const ports = Array.from({ length: 1000 }, () => ({ port: 0 }));
		const { problems } = project({ spec: { ports } });
		expect(problems).toHaveLength(MAX_PROBLEMS_PER_OBJECT + 1);
		expect(problems.at(-1)?.message).toBe("980 more problems in this object: correct these first");
	});

	test("names the object in Problems as far as it has a name", () => {
		const names = [{ name: "web", namespace: "demo" }, { name: "web" }, { namespace: 7 }, { name: "x".repeat(500) }];
		const objects = names.map((metadata) => projectService({ metadata }).problems[0]?.object);
		expect(objects).toEqual([
			"Service demo/web",
			"Service default/web",
			"Service ?/?",
			`Service default/${"x".repeat(80)}`,
		]);
	});

	test("looks at own fields only", () => {
		const object: unknown = JSON.parse(
			'{"metadata": {"name": "web"}, "__proto__": {"spec": {"clusterIP": "10.0.0.1", "ports": [{"port": 80}]}}}',
		);
		expect(projectService(object).value).toBeUndefined();
		const inherited = { metadata: { name: "web" }, spec: { clusterIP: "10.0.0.1", ports: [{ port: 80 }] } };
		expect(projectService(inherited).value).toBeDefined();
		expect(projectService(Object.create(inherited)).value).toBeUndefined();
	});
});

// What becomes of a Node, field by field.

import { describe, expect, test } from "bun:test";
import type { Node } from "./cluster.ts";
import { listLabels } from "./labels.ts";
import { projectNode } from "./node.ts";
import type { Projection } from "./report.ts";

type Fields = Readonly<Record<string, unknown>>;

const ZONE = "topology.kubernetes.io/zone";
const PROXY4 = "balancing.elf.io/nodeProxyIpv4";
const PROXY6 = "balancing.elf.io/nodeProxyIpv6";

function project(metadata: Fields, addresses?: unknown): Projection<Node> {
	return projectNode({ metadata: { name: "n1", ...metadata }, status: { addresses } });
}

function complaints({ problems }: Projection<unknown>): string[] {
	return problems.map(({ object, field, reason, message }) => `${object} ${reason} ${field ?? ""}: ${message}`);
}

describe("projectNode()", () => {
	test.each<[string, Fields, unknown, Partial<Node>]>([
		["nothing but a name", {}, undefined, {}],
		["null everywhere", { labels: null, annotations: null }, null, {}],
		[
			"internal addresses first, each once, and no names",
			{},
			[
				{ type: "Hostname", address: "n1" },
				{ type: "ExternalIP", address: "198.51.100.1" },
				{ type: "InternalIP", address: "10.0.0.1" },
				{ type: "ExternalIP", address: "10.0.0.1" },
				{ type: "InternalIP", address: "fd00:0::1" },
				{ type: "InternalDNS", address: "n1.internal" },
			],
			{ ips: ["10.0.0.1", "fd00::1", "198.51.100.1"] as never },
		],
		["a zone", { labels: { [ZONE]: "Eu_west.1-a" } }, [], { zone: "Eu_west.1-a" }],
		["an empty zone", { labels: { [ZONE]: "" } }, [], {}],
		["a proxy address", { annotations: { [PROXY4]: "169.254.96.16" } }, [], { proxyIps: ["169.254.96.16"] as never }],
		[
			"proxy addresses of both families",
			{ annotations: { [PROXY6]: "fd00::9", [PROXY4]: "192.0.2.9" } },
			[],
			{ proxyIps: ["192.0.2.9", "fd00::9"] as never },
		],
		["no proxy address", { annotations: { [PROXY6]: "", [PROXY4]: null } }, [], {}],
	])("takes it: %s", (_, metadata, addresses, value) => {
		const projection = project(metadata, addresses);
		expect(complaints(projection)).toEqual([]);
		expect(projection.value).toEqual({ name: "n1", ips: [], zone: "", proxyIps: [], ...value });
	});

	test.each<[string, Fields, unknown, string, Partial<Node>]>([
		[
			"one address of two",
			{},
			[
				{ type: "InternalIP", address: "010.0.0.1" },
				{ type: "InternalIP", address: "10.0.0.2" },
			],
			'InvalidObject status.addresses[0].address: "010.0.0.1" is not an IP address: write it like 10.0.0.1 (no leading zeros) or fd00::1 (no zone); the node has no such address',
			{ ips: ["10.0.0.2"] as never },
		],
		[
			"loopback",
			{},
			[{ type: "InternalIP", address: "127.0.1.1" }],
			"InvalidObject status.addresses[0].address: 127.0.1.1 is a loopback or link-local address, another host on each host: give one that is routed; the node has no such address",
			{},
		],
		[
			"no list of addresses",
			{},
			"10.0.0.1",
			'InvalidObject status.addresses: "10.0.0.1" is not a list: give a list; it is left out',
			{},
		],
		[
			"too many",
			{},
			Array.from({ length: 101 }, () => ({ type: "InternalIP", address: "10.0.0.1" })),
			"TooLarge status.addresses: 101 entries: give at most 100; the others are left out",
			{ ips: ["10.0.0.1"] as never },
		],
		[
			"a zone",
			{ labels: { [ZONE]: "a b" } },
			[],
			`InvalidObject metadata.labels["${ZONE}"]: "a b" is not a zone's name: use up to 63 of letters, digits, -, _ and .; the node is in no zone`,
			{},
		],
		[
			"a zone that is no text",
			{ labels: { [ZONE]: 1 } },
			[],
			`InvalidObject metadata.labels["${ZONE}"]: 1 is not a string: put it in quotes`,
			{},
		],
		[
			"a proxy address of the other family",
			{ annotations: { [PROXY4]: "fd00::9" } },
			[],
			`InvalidObject metadata.annotations["${PROXY4}"]: fd00::9 is not IPv4: use the annotation of its family; the node has no such address`,
			{},
		],
		[
			"a proxy address",
			{ annotations: { [PROXY6]: "n1.example" } },
			[],
			`InvalidObject metadata.annotations["${PROXY6}"]: "n1.example" is not an IP address: write it like 10.0.0.1 (no leading zeros) or fd00::1 (no zone); the node has no such address`,
			{},
		],
	])("goes without %s", (_, ...row) => {
		const [metadata, addresses, problem, value] = row;
		const projection = project(metadata, addresses);
		expect(complaints(projection)).toEqual([`Node n1 ${problem}`]);
		expect(projection.value).toEqual({ name: "n1", ips: [], zone: "", proxyIps: [], ...value });
	});

	test("skips entries that are no objects", () => {
		expect(project({}, [null, 5, "10.0.0.1", [], { address: "10.0.0.1" }])).toMatchObject({
			value: { ips: [] },
			problems: [],
		});
	});

	test("takes a status that is none for an empty one", () => {
		const projection = projectNode({ metadata: { name: "n1" }, status: 5 });
		expect(projection.value?.ips).toEqual([]);
		expect(complaints(projection)).toEqual([
			"Node n1 InvalidObject status: 5 is not an object: give addresses; it is left out",
		]);
	});

	test.each<[string, unknown]>([
		["no name", {}],
		["a name of no host", { name: "N1" }],
		["a name of another type", { name: 1 }],
	])("leaves out a Node with %s", (_, metadata) => {
		const { value, problems } = projectNode({ metadata });
		expect(value).toBeUndefined();
		expect(problems).toHaveLength(1);
	});

	test("has the labels of the host's own Node alone", () => {
		const object = { metadata: { name: "n1", labels: { "dns-cache": "on", a: null, bad: 1 } } };
		expect(projectNode(object, "n2").value).not.toHaveProperty("labels");
		expect(projectNode(object)).toEqual(projectNode(object, "n2"));
		const own = projectNode(object, "n1");
		expect(own.value?.labels).toBe(
			listLabels([
				["a", ""],
				["dns-cache", "on"],
			]),
		);
		expect(complaints(own)).toEqual([
			"Node n1 InvalidObject metadata.labels.bad: 1 is not a string: put it in quotes; it is left out",
		]);
	});

	test("tells of a wrong zone once, also of its own Node", () => {
		const wrong = projectNode({ metadata: { name: "n1", labels: { [ZONE]: "a b", x: "y" } } }, "n1");
		expect(wrong.problems).toHaveLength(1);
		expect(wrong.value?.labels).toBe(listLabels([["x", "y"]]));
		const right = projectNode({ metadata: { name: "n1", labels: { [ZONE]: "a", x: "y" } } }, "n1");
		expect(right.value?.labels).toBe(
			listLabels([
				[ZONE, "a"],
				["x", "y"],
			]),
		);
	});

	test("does not care about a namespace, which Nodes have not", () => {
		expect(project({ namespace: "demo" }).value?.name).toBe("n1");
	});
});

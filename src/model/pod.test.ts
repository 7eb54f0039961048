// What becomes of a Pod and of a Service's selector, field by field.

import { describe, expect, test } from "bun:test";
import { listLabels, NO_LABELS } from "./labels.ts";
import { type Pod, projectPod } from "./pod.ts";
import type { Projection } from "./report.ts";
import { projectSelection } from "./selection.ts";

function project({
	metadata = {},
	spec,
	status,
}: {
	readonly metadata?: object;
	readonly spec?: unknown;
	readonly status?: unknown;
}): Projection<Pod> {
	return projectPod({ metadata: { name: "web-1", namespace: "demo", ...metadata }, spec, status });
}

function complaints({ problems }: Projection<unknown>): string[] {
	return problems.map(({ field, reason, message }) => `${reason} ${field ?? ""}: ${message}`);
}

describe("projectPod()", () => {
	test("needs no more than a name", () => {
		expect<unknown>(project({})).toEqual({
			value: {
				key: "demo/web-1",
				namespace: "demo",
				labels: NO_LABELS,
				ips: [],
				ready: true,
				terminating: false,
				finished: false,
				nodeName: "",
				ports: [],
				uid: "",
				hostPorts: [],
				hostNetwork: false,
			},
			problems: [],
		});
	});

	test.each<[string, object, Partial<Record<keyof Pod, unknown>>]>([
		[
			"labels",
			{ metadata: { labels: { app: "web", empty: null } } },
			{
				labels: listLabels([
					["app", "web"],
					["empty", ""],
				]),
			},
		],
		[
			"podIPs",
			{ status: { podIP: "10.0.0.1", podIPs: [{ ip: "10.0.0.1" }, { ip: "fd00::1" }] } },
			{ ips: ["10.0.0.1", "fd00::1"] },
		],
		["podIP alone", { status: { podIP: "10.0.0.1" } }, { ips: ["10.0.0.1"] }],
		["an empty podIP", { status: { podIP: "", podIPs: [] } }, { ips: [] }],
		["Ready", { status: { conditions: [{ type: "Ready", status: "True" }] } }, { ready: true }],
		["not Ready", { status: { conditions: [{ type: "Ready", status: "False" }] } }, { ready: false }],
		["Ready is unknown", { status: { conditions: [{ type: "Ready", status: "Unknown" }] } }, { ready: false }],
		[
			"conditions without Ready",
			{ status: { conditions: [{ type: "PodScheduled", status: "True" }] } },
			{ ready: false },
		],
		["no conditions, Running", { status: { phase: "Running" } }, { ready: true }],
		["no conditions, Pending", { status: { phase: "Pending", conditions: [] } }, { ready: false }],
		["deleted", { metadata: { deletionTimestamp: "2026-01-02T03:04:05Z" } }, { terminating: true }],
		["not deleted", { metadata: { deletionTimestamp: null } }, { terminating: false }],
		["Succeeded", { status: { phase: "Succeeded" } }, { finished: true }],
		["Failed", { status: { phase: "Failed" } }, { finished: true }],
		["a node", { spec: { nodeName: "node-a" } }, { nodeName: "node-a" }],
		[
			"container ports",
			{
				spec: {
					containers: [{ ports: [{ name: "http", containerPort: 8080 }, { containerPort: 9 }] }, { ports: null }, {}],
				},
			},
			{ ports: [{ name: "http", port: 8080, protocol: "TCP" }] },
		],
		[
			"a sidecar's ports, no init container's",
			{
				spec: {
					initContainers: [
						{ restartPolicy: "Always", ports: [{ name: "a", containerPort: 1 }] },
						{ ports: [{ name: "b", containerPort: 2 }] },
					],
				},
			},
			{ ports: [{ name: "a", port: 1 }] },
		],
		[
			"a UID",
			{ metadata: { uid: "8bf087f5-b95b-4c0b-9a82-767ef28d7a8a" } },
			{ uid: "8bf087f5-b95b-4c0b-9a82-767ef28d7a8a" },
		],
		[
			"a static Pod's UID, which is its kubelet's",
			{
				metadata: { uid: "8bf087f5", annotations: { "kubernetes.io/config.hash": "0c37cd26bb4ee3e6b0a1a1bba29fc8a2" } },
			},
			{ uid: "0c37cd26bb4ee3e6b0a1a1bba29fc8a2" },
		],
		[
			"containers of all kinds and runtimes",
			{
				status: {
					containerStatuses: [
						{ name: "web", containerID: "containerd://0a" },
						{ name: "side-car", containerID: "cri-o://0b" },
					],
					initContainerStatuses: [{ name: "init", containerID: "docker://0c" }],
					ephemeralContainerStatuses: [{ name: "debug", containerID: "0d" }],
				},
			},
			{ containers: "0a web 0b side-car 0c init 0d debug" },
		],
		["a weight", { metadata: { annotations: { "balancing.elf.io/weight": "20" } } }, { weight: 20 }],
		["no weight", { metadata: { annotations: { "balancing.elf.io/weight": "0" } } }, { weight: 0 }],
		[
			"ports of its node",
			{
				spec: {
					containers: [
						{
							ports: [
								{ containerPort: 80, hostPort: 20080 },
								{ containerPort: 81, hostPort: 20080, protocol: "UDP", hostIP: "0.0.0.0" },
								{ containerPort: 82, hostPort: 0 },
								{ name: "b", containerPort: 83, hostPort: 20083, hostIP: "2001:DB8::0:1" },
								{ containerPort: 84, hostPort: 20084, hostIP: "127.0.0.1" },
								{ containerPort: 85, hostPort: 20085, protocol: "SCTP" },
							],
						},
					],
					initContainers: [{ restartPolicy: "Always", ports: [{ containerPort: 1, hostPort: 2, hostIP: "::" }] }],
				},
			},
			{
				hostNetwork: false,
				ports: [{ name: "b", port: 83, protocol: "TCP" }],
				hostPorts: [
					{ port: 20080, protocol: "TCP" },
					{ port: 20080, protocol: "UDP" },
					{ port: 20083, protocol: "TCP", ip: "2001:db8::1" },
					{ port: 2, protocol: "TCP" },
				],
			},
		],
		[
			"all ports of its node's network",
			{
				spec: {
					hostNetwork: true,
					containers: [{ ports: [{ containerPort: 80 }, { containerPort: 81, hostPort: 81 }] }],
				},
			},
			{
				hostNetwork: true,
				ports: [],
				hostPorts: [
					{ port: 80, protocol: "TCP" },
					{ port: 81, protocol: "TCP" },
				],
			},
		],
	])("reads %s", (_, parts, value) => {
		const projection = project(parts);
		expect(projection.problems).toEqual([]);
		expect<unknown>(projection.value).toMatchObject(value);
	});

	test.each<[string, object, string, Partial<Record<keyof Pod, unknown>>]>([
		[
			"an address",
			{ status: { podIPs: [{ ip: "x" }, { ip: "fd00::1" }] } },
			'InvalidObject status.podIPs[0].ip: "x" is not an IP address: write it like 10.0.0.1 (no leading zeros) or fd00::1 (no zone); the address is left out',
			{ ips: ["fd00::1"] },
		],
		[
			"the only address",
			{ status: { podIP: 10 } },
			"InvalidObject status.podIP: 10 is not an IP address: write it like 10.0.0.1 (no leading zeros) or fd00::1 (no zone); the address is left out",
			{ ips: [] },
		],
		[
			"addresses",
			{ status: { podIPs: "10.0.0.1" } },
			'InvalidObject status.podIPs: "10.0.0.1" is not a list: give a list; it is left out',
			{ ips: [] },
		],
		[
			"a label",
			{ metadata: { labels: { a: 1, b: "2" } } },
			"InvalidObject metadata.labels.a: 1 is not a string: put it in quotes; it is left out",
			{ labels: listLabels([["b", "2"]]) },
		],
		[
			"a label's value",
			{ metadata: { labels: { a: "x y", b: "2" } } },
			`InvalidObject metadata.labels.a: "x y" is not a label's value: use up to 63 of letters, digits, -, _ and .; it is left out`,
			{ labels: listLabels([["b", "2"]]) },
		],
		[
			"a container port",
			{
				spec: {
					containers: [
						{
							ports: [
								{ name: "Http", containerPort: 1 },
								{ name: "b", containerPort: 2 },
							],
						},
					],
				},
			},
			'InvalidObject spec.containers[0].ports[0].name: "Http" is not a port name: use up to 15 of a-z, 0-9 and single -, one letter at least; the port is left out',
			{ ports: [{ name: "b", port: 2 }] },
		],
		[
			"a container port's number",
			{ spec: { containers: [{ ports: [{ name: "a" }, { name: "b", containerPort: 2 }] }] } },
			"InvalidObject spec.containers[0].ports[0].containerPort: Missing: give a whole number from 1 to 65535; the port is left out",
			{ ports: [{ name: "b", port: 2 }] },
		],
		[
			"a label's key",
			{ metadata: { labels: { "a=b": "1", b: "2" } } },
			'InvalidObject metadata.labels["a=b"]: "a=b" is not a label\'s key: write app or example.com/app, up to 63 of letters, digits, -, _ and . after the slash; it is left out',
			{ labels: listLabels([["b", "2"]]) },
		],
		[
			"a UID",
			{ metadata: { uid: "../x" } },
			'InvalidObject metadata.uid: "../x" is not a UID: use up to 64 of letters, digits and -; its cgroup is unknown',
			{ uid: "" },
		],
		[
			"a weight",
			{ metadata: { annotations: { "balancing.elf.io/weight": "1001" } } },
			'InvalidObject metadata.annotations["balancing.elf.io/weight"]: "1001" is not a weight: give "0" to "1000"; 1 is used',
			{ uid: "" },
		],
		[
			"a port of its node",
			{ spec: { containers: [{ ports: [{ name: "a", containerPort: 1, hostPort: "2" }] }] } },
			'InvalidObject spec.containers[0].ports[0].hostPort: "2" is a string: write the port as a number without quotes; its node does not open the port',
			{ ports: [{ name: "a", port: 1, protocol: "TCP" }], hostPorts: [] },
		],
		[
			"an address of its node",
			{ spec: { containers: [{ ports: [{ containerPort: 1, hostPort: 2, hostIP: "x" }] }] } },
			'InvalidObject spec.containers[0].ports[0].hostIP: "x" is not an IP address: write it like 10.0.0.1 (no leading zeros) or fd00::1 (no zone); its node does not open the port',
			{ hostPorts: [] },
		],
		[
			"containers",
			{ spec: { containers: {} } },
			"InvalidObject spec.containers: an object is not a list: give a list; it is left out",
			{ ports: [] },
		],
		[
			"spec",
			{ spec: "x" },
			`InvalidObject spec: "x" is not an object: give the Pod's spec; it is left out`,
			{ nodeName: "" },
		],
		[
			"status",
			{ status: [] },
			"InvalidObject status: a list is not an object: give the Pod's status; it is left out",
			{ ips: [], ready: true },
		],
	])("goes without a wrong part: %s", (_, parts, expected, value) => {
		const projection = project(parts);
		expect(complaints(projection)).toEqual([expected]);
		expect<unknown>(projection.value).toMatchObject(value);
	});

	test("bounds labels in number and length", () => {
		const labels = Object.fromEntries(Array.from({ length: 1200 }, (_, index) => [`k${index}`, "v"]));
		expect(project({ metadata: { labels } }).value?.labels.split("\n")).toHaveLength(1001);
		expect(project({ metadata: { labels: { ["k".repeat(400)]: "v", a: "v".repeat(64) } } }).value?.labels).toBe(
			NO_LABELS,
		);
	});

	test("is left out without a name", () => {
		expect(project({ metadata: { name: "" } }).value).toBeUndefined();
	});
});

describe("projectSelection()", () => {
	const select = (spec: object) =>
		projectSelection({ metadata: { name: "web" }, spec: { ports: [{ port: 80 }], ...spec } });

	test.each<[string, object]>([
		["no selector", {}],
		["an empty selector", { selector: {} }],
		["a null selector", { selector: null }],
		["ExternalName", { selector: { app: "web" }, type: "ExternalName" }],
	])("selects nothing without a Problem: %s", (_, spec) => {
		expect(select(spec)).toEqual({ value: undefined, problems: [] });
	});

	test.each<[string, unknown, number | string]>([
		["absent", undefined, 80],
		["null", null, 80],
		["zero", 0, 80],
		["empty", "", 80],
		["a number", 8080, 8080],
		["a name", "http", "http"],
	])("takes the target port: %s", (_, targetPort, target) => {
		expect<unknown>(select({ selector: { app: "web" }, ports: [{ port: 80, targetPort }] })).toEqual({
			value: {
				labels: new Map([["app", "web"]]),
				publishNotReady: false,
				prefer: "any",
				ports: [{ index: 0, name: "", protocol: "TCP", target }],
			},
			problems: [],
		});
	});

	test("goes by the entries that the Service takes", () => {
		const ports = [
			{ name: "bad", port: 0 },
			{ name: "a", port: 80, targetPort: 1 },
			{ name: "a", port: 81, targetPort: 2 },
			{ name: "b", port: 82, targetPort: 3 },
		];
		const { value, problems } = select({ selector: { app: "web" }, publishNotReadyAddresses: true, ports });
		expect(problems).toEqual([]);
		expect<unknown>(value?.ports.map(({ index, target }) => [index, target])).toEqual([
			[1, 1],
			[3, 3],
		]);
		expect(value?.publishNotReady).toBe(true);
	});

	test.each<[string, object, string]>([
		[
			"a quoted number",
			{ ports: [{ port: 80, targetPort: "8080" }] },
			'InvalidObject spec.ports[0].targetPort: "8080" in quotes is a name: write the number without quotes; no Pod serves this port',
		],
		[
			"a wrong name",
			{ ports: [{ port: 80, targetPort: "a--b" }] },
			'InvalidObject spec.ports[0].targetPort: "a--b" is not a port name: use up to 15 of a-z, 0-9 and single -, one letter at least; no Pod serves this port',
		],
		[
			"a long name",
			{ ports: [{ port: 80, targetPort: "a".repeat(16) }] },
			'InvalidObject spec.ports[0].targetPort: "aaaaaaaaaaaaaaaa" is not a port name: use up to 15 of a-z, 0-9 and single -, one letter at least; no Pod serves this port',
		],
		[
			"a wrong number",
			{ ports: [{ port: 80, targetPort: -1 }] },
			"InvalidObject spec.ports[0].targetPort: -1 is not a port: give a whole number from 1 to 65535; no Pod serves this port",
		],
		[
			"another type",
			{ ports: [{ port: 80, targetPort: [1] }] },
			"InvalidObject spec.ports[0].targetPort: a list is not a port name: use up to 15 of a-z, 0-9 and single -, one letter at least; no Pod serves this port",
		],
	])("leaves out a target port: %s", (_, spec, expected) => {
		const selection = select({ selector: { app: "web" }, ...spec });
		expect(complaints(selection)).toEqual([expected]);
		expect(selection.value?.ports).toEqual([]);
	});

	test.each<[string, unknown, string]>([
		[
			"another type",
			"app=web",
			'InvalidObject spec.selector: "app=web" is not an object: give labels as keys and strings; no Pod is selected',
		],
		// Without the wrong label, the others would select too much.
		[
			"a wrong value",
			{ app: "web", tier: 1 },
			"InvalidObject spec.selector.tier: 1 is not a string: put it in quotes; no Pod is selected",
		],
	])("selects nothing with a wrong selector: %s", (_, selector, expected) => {
		const selection = select({ selector });
		expect(complaints(selection)).toEqual([expected]);
		expect(selection.value).toBeUndefined();
	});

	test.each([
		[undefined, "any"],
		[null, "any"],
		["", "any"],
		["PreferClose", "zone"],
		["PreferSameZone", "zone"],
		["PreferSameNode", "node"],
	])("takes the traffic distribution %p", (trafficDistribution, prefer) => {
		const selection = select({ selector: { app: "web" }, trafficDistribution });
		expect(selection.problems).toEqual([]);
		expect<unknown>(selection.value?.prefer).toBe(prefer);
	});

	test("has a default for a traffic distribution", () => {
		const selection = select({ selector: { app: "web" }, trafficDistribution: "PreferFar" });
		expect(selection.problems.map(({ field, message }) => `${field}: ${message}`)).toEqual([
			'spec.trafficDistribution: "PreferFar" is not a traffic distribution: use PreferClose, PreferSameZone, PreferSameNode; no endpoint is preferred',
		]);
		expect(selection.value?.prefer).toBe("any");
	});

	test("has a default for publishNotReadyAddresses", () => {
		const selection = select({ selector: { app: "web" }, publishNotReadyAddresses: "yes" });
		expect(complaints(selection)).toEqual([
			'InvalidObject spec.publishNotReadyAddresses: "yes" is not a boolean: write true or false without quotes; false is used',
		]);
		expect(selection.value?.publishNotReady).toBe(false);
	});
});

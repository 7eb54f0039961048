// Slices from Pods, rule by rule of the EndpointSlice controller.

import { describe, expect, test } from "bun:test";
import { truthOf } from "../../../test/support/recorded.ts";
import type { Service } from "../../model/cluster.ts";
import { endpointsIn, NO_ENDPOINTS } from "../../model/endpoint_list.ts";
import { projectEndpointSlice } from "../../model/endpoint_slice.ts";
import { type Pod, projectPod } from "../../model/pod.ts";
import { projectSelection, type Selection } from "../../model/selection.ts";
import { projectService } from "../../model/service.ts";
import { indexPods } from "./pod_index.ts";
import { type Sliced, slicePods } from "./slicer.ts";

interface Ready {
	readonly service: Service;
	readonly selection: Selection;
}

function service(spec: object): Ready {
	const object = {
		metadata: { name: "web", namespace: "demo" },
		spec: { clusterIP: "10.96.0.1", selector: { app: "web" }, ports: [{ port: 80 }], ...spec },
	};
	const { value } = projectService(object);
	const selection = projectSelection(object).value;
	if (value === undefined || selection === undefined) throw new Error("Not a Service with a selector");
	return { service: value, selection };
}

function pod(
	name: string,
	parts: { readonly status?: object; readonly spec?: object; readonly metadata?: object } = {},
): Pod {
	const { value } = projectPod({
		metadata: { name, namespace: "demo", labels: { app: "web" }, ...parts.metadata },
		spec: parts.spec,
		status: { podIP: "10.0.0.1", ...parts.status },
	});
	if (value === undefined) throw new Error("Not a Pod");
	return value;
}

function slice({ service, selection }: Ready, ...pods: readonly Pod[]): Sliced {
	return slicePods(service, selection, pods);
}

const NODE = { trafficDistribution: "PreferSameNode" };
const named = (containerPort: number) => ({ containers: [{ ports: [{ name: "http", containerPort }] }] });

describe("slicePods()", () => {
	test("makes one slice of plain Pods", () => {
		const pods = [pod("a", { spec: { nodeName: "node-a" } }), pod("b", { status: { podIP: "10.0.0.2" } })];
		expect<unknown>(slice(service({}), ...pods)).toEqual({
			slices: [
				{
					key: "demo/web-ipv4-80",
					service: "demo/web",
					addressType: "IPv4",
					endpoints: "10.0.0.1 3 node-a\n10.0.0.2 3 \n",
					ports: [{ name: "", port: 80, protocol: "TCP" }],
				},
			],
			problems: [],
		});
	});

	const ready = { conditions: [{ type: "Ready", status: "True" }] };
	const unready = { conditions: [{ type: "Ready", status: "False" }] };
	const deleted = { deletionTimestamp: "2026-01-02T03:04:05Z" };
	test.each<[string, object, Pod, [boolean, boolean, boolean]]>([
		["ready", {}, pod("a", { status: ready }), [true, true, false]],
		["not ready", {}, pod("a", { status: unready }), [false, false, false]],
		["not ready, published", { publishNotReadyAddresses: true }, pod("a", { status: unready }), [true, false, false]],
		[
			"terminating, was ready",
			{},
			pod("a", { status: ready, metadata: { ...deleted, labels: {} } }),
			[false, true, true],
		],
		["terminating, was not ready", {}, pod("a", { status: unready, metadata: deleted }), [false, false, true]],
		[
			"terminating, published",
			{ publishNotReadyAddresses: true },
			pod("a", { status: ready, metadata: deleted }),
			[true, true, true],
		],
	])("says of an endpoint: %s", (_, spec, one, [isReady, serving, terminating]) => {
		const [only] = slice(service(spec), one).slices;
		expect(endpointsIn(only?.endpoints ?? NO_ENDPOINTS)).toMatchObject([{ ready: isReady, serving, terminating }]);
	});

	test("leaves out Pods that have ended, without a Problem", () => {
		const ended = [pod("a", { status: { phase: "Failed" } }), pod("b", { status: { phase: "Succeeded", podIP: "" } })];
		expect(slice(service({}), ...ended)).toEqual({ slices: [], problems: [] });
	});

	test.each<[string, object, string[]]>([
		["the cluster IP's family", {}, ["demo/web-ipv4-80 10.0.0.1"]],
		["the other family", { clusterIP: "fd00::1" }, ["demo/web-ipv6-80 fd01::1"]],
		[
			"both",
			{ clusterIP: null, clusterIPs: ["10.96.0.1", "fd00::1"] },
			["demo/web-ipv4-80 10.0.0.1", "demo/web-ipv6-80 fd01::1"],
		],
		["all, if headless", { clusterIP: "None" }, ["demo/web-ipv4-80 10.0.0.1", "demo/web-ipv6-80 fd01::1"]],
	])("has slices for %s", (_, spec, expected) => {
		const both = pod("a", { status: { podIPs: [{ ip: "10.0.0.1" }, { ip: "fd01::1" }] } });
		const { slices, problems } = slice(service(spec), both);
		expect(slices.map(({ key, endpoints }) => `${key} ${endpointsIn(endpoints)[0]?.ip}`)).toEqual(expected);
		expect(problems).toEqual([]);
	});

	test("finds a named target port in each Pod, and makes a slice for each set of numbers", () => {
		const spec = {
			ports: [
				{ name: "web", port: 80, targetPort: "http" },
				{ name: "dns", port: 53, protocol: "UDP", targetPort: 5353 },
			],
		};
		const pods = [pod("a", { spec: named(8080) }), pod("b", { spec: named(9090) }), pod("c", { spec: named(8080) })];
		const { slices, problems } = slice(service(spec), ...pods);
		expect(problems).toEqual([]);
		expect<unknown>(
			slices.map(({ key, ports, endpoints }) => [
				key,
				ports.map(({ name, port }) => `${name} ${port}`),
				endpointsIn(endpoints).length,
			]),
		).toEqual([
			["demo/web-ipv4-8080-5353", ["web 8080", "dns 5353"], 2],
			["demo/web-ipv4-9090-5353", ["web 9090", "dns 5353"], 1],
		]);
	});

	test("leaves a Pod without the named port in for its other ports", () => {
		const spec = {
			ports: [
				{ name: "web", port: 80, targetPort: "http" },
				{ name: "dns", port: 53, protocol: "UDP" },
			],
		};
		const { slices, problems } = slice(service(spec), pod("a"), pod("b", { spec: named(8080) }), pod("c"));
		expect(slices.map(({ key, ports }) => [key, ports.map(({ name }) => name)])).toEqual([
			["demo/web-ipv4-8080-53", ["web", "dns"]],
			["demo/web-ipv4-x-53", ["dns"]],
		]);
		expect(problems).toEqual([
			{
				object: "Service demo/web",
				field: "spec.ports[0].targetPort",
				reason: "Unsupported",
				message: 'Pod demo/a and 1 more have no TCP container port named "http": name it there, or give a number here',
			},
		]);
	});

	test("goes by the protocol of a named port", () => {
		const { slices } = slice(
			service({ ports: [{ port: 53, protocol: "UDP", targetPort: "http" }] }),
			pod("a", { spec: named(8080) }),
		);
		expect(slices).toEqual([]);
	});

	test("reports a Pod without an address", () => {
		const { slices, problems } = slice(service({}), pod("a", { status: { podIP: "" } }), pod("b"));
		expect(endpointsIn(slices[0]?.endpoints ?? NO_ENDPOINTS)).toHaveLength(1);
		expect(problems).toEqual([
			{
				object: "Pod demo/a",
				field: "status.podIPs",
				reason: "Unsupported",
				message: "No IP address: set status.podIPs, or the Services that select this Pod go without it",
			},
		]);
	});

	test("reports Pods that have no address of a family of the Service", () => {
		const { slices, problems } = slice(service({ clusterIP: "fd00::1" }), pod("a"));
		expect(slices).toEqual([]);
		expect(problems).toEqual([
			{
				object: "Service demo/web",
				field: "spec.clusterIPs",
				reason: "Unsupported",
				message: "Pod demo/a has no IPv6 address: add one to status.podIPs, or a cluster IP of the other family",
			},
		]);
	});
});

describe("indexPods()", () => {
	const labelled = (name: string, labels: object, namespace = "demo") =>
		pod(name, { metadata: { name, namespace, labels } });
	const index = indexPods([
		labelled("a", { app: "web", tier: "front" }),
		labelled("b", { app: "web", tier: "back" }),
		labelled("c", { app: "api", tier: "front" }),
		labelled("d", { app: "web", tier: "front" }, "other"),
		labelled("e", {}),
	]);

	test.each<[string, Record<string, string>, string[]]>([
		["demo", { app: "web" }, ["a", "b"]],
		["demo", { tier: "front", app: "web" }, ["a"]],
		["demo", { app: "web", tier: "none" }, []],
		["demo", { app: "web", more: "x" }, []],
		["other", { app: "web" }, ["d"]],
		["none", { app: "web" }, []],
		["demo", { app: "" }, []],
	])("selects in %s by %j: %j", (namespace, labels, names) => {
		const found = index.select(namespace, new Map(Object.entries(labels)));
		expect(found.map(({ key }) => key)).toEqual(names.map((name) => `${namespace}/${name}`));
	});
});

describe("slicePods() writes hints", () => {
	/** As a real controller (1.36.2) wrote them: endpoints with zones, and what it made of them. */
	test.each([
		["206-endpointslices-hints-prefersamezone", "PreferSameZone"],
		["206-endpointslices-hints-prefersamezone", "PreferClose"],
		["207-endpointslices-hints-prefersamenode", "PreferSameNode"],
	])("as in %s for %s", (recorded, trafficDistribution) => {
		const [object] = truthOf([recorded], []).objects.values();
		const wanted = projectEndpointSlice(object).value;
		const pods = endpointsIn(wanted?.endpoints ?? NO_ENDPOINTS).map(({ ip, nodeName }, index) =>
			pod(`p${index}`, { spec: { nodeName }, status: { podIP: ip } }),
		);
		expect(pods).toHaveLength(3);
		const { service: one, selection } = service({ trafficDistribution, ports: [{ port: 80, targetPort: 8080 }] });
		const zones = (object?.endpoints ?? []).map(({ zone }) => zone ?? "");
		expect(slicePods(one, selection, pods, zones).slices[0]?.endpoints).toEqual(wanted?.endpoints);
	});

	const unready = { conditions: [{ type: "Ready", status: "False" }] };
	const hints = (spec: object, one: Pod, zone: string) => {
		const ready = service(spec);
		const [only] = slicePods(ready.service, ready.selection, [one], [zone]).slices;
		return endpointsIn(only?.endpoints ?? NO_ENDPOINTS)[0]?.hints;
	};

	test.each<[string, object, Pod, string, unknown]>([
		["none without a preference", {}, pod("a", { spec: { nodeName: "n1" } }), "a", undefined],
		["no zone that is unknown", NODE, pod("a", { spec: { nodeName: "n1" } }), "", { nodes: ["n1"], zones: [] }],
		["none of a Pod without a node", NODE, pod("a"), "", undefined],
		[
			"none of a zone that is unknown",
			{ trafficDistribution: "PreferSameZone" },
			pod("a", { spec: { nodeName: "n1" } }),
			"",
			undefined,
		],
		["none of a Pod that is not ready", NODE, pod("a", { spec: { nodeName: "n1" }, status: unready }), "a", undefined],
		[
			"none of one that goes",
			NODE,
			pod("a", { spec: { nodeName: "n1" }, metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } }),
			"a",
			undefined,
		],
		[
			"of one that is published though not ready",
			{ ...NODE, publishNotReadyAddresses: true },
			pod("a", { spec: { nodeName: "n1" }, status: unready }),
			"a",
			{ nodes: ["n1"], zones: ["a"] },
		],
	])("%s", (_, ...row) => {
		const [spec, one, zone, expected] = row;
		expect<unknown>(hints(spec, one, zone)).toEqual(expected);
	});

	test("for the right Pods, though some are finished", () => {
		const ready = service({ trafficDistribution: "PreferSameZone" });
		const done = pod("a", { status: { phase: "Succeeded" } });
		const { slices } = slicePods(ready.service, ready.selection, [done, pod("b")], ["a", "b"]);
		expect(slices.flatMap(({ endpoints }) => endpointsIn(endpoints).map(({ hints: own }) => own?.zones))).toEqual([
			["b"],
		]);
	});
});

// What becomes of an EndpointSlice, field by field.

import { describe, expect, test } from "bun:test";
import { endpointsIn } from "./endpoint_list.ts";
import { projectEndpointSlice } from "./endpoint_slice.ts";
import type { Projection } from "./report.ts";

const LABELS = { "kubernetes.io/service-name": "web" };

/** A correct slice with these fields replaced; its endpoints are taken out of their list. */
function project(fields: object, metadata: object = {}) {
	const { value, problems } = projectEndpointSlice({
		metadata: { name: "web-abc", namespace: "demo", labels: LABELS, ...metadata },
		addressType: "IPv4",
		endpoints: [{ addresses: ["10.0.0.1"] }],
		ports: [{ port: 8080 }],
		...fields,
	});
	return { value: value && { ...value, endpoints: endpointsIn(value.endpoints) }, problems };
}

function complaints({ problems }: Projection<unknown>): string[] {
	return problems.map(({ field, reason, message }) => `${reason} ${field ?? ""}: ${message}`);
}

describe("projectEndpointSlice()", () => {
	test("fills in the API's defaults", () => {
		const projection = project({});
		expect(projection.problems).toEqual([]);
		expect<unknown>(projection.value).toEqual({
			key: "demo/web-abc",
			service: "demo/web",
			addressType: "IPv4",
			endpoints: [{ ip: "10.0.0.1", ready: true, serving: true, terminating: false, nodeName: "" }],
			ports: [{ name: "", port: 8080, protocol: "TCP" }],
		});
	});

	test.each<[string, unknown, [boolean, boolean, boolean]]>([
		["no conditions", undefined, [true, true, false]],
		["null", null, [true, true, false]],
		["nothing in them", {}, [true, true, false]],
		["nulls in them", { ready: null, serving: null, terminating: null }, [true, true, false]],
		["ready", { ready: true }, [true, true, false]],
		["serving follows ready", { ready: false }, [false, false, false]],
		["terminating and serving", { ready: false, serving: true, terminating: true }, [false, true, true]],
		["terminating, not serving", { ready: false, serving: false, terminating: true }, [false, false, true]],
		["published though not ready", { ready: true, serving: false, terminating: true }, [true, false, true]],
	])("reads conditions: %s", (_, conditions, [ready, serving, terminating]) => {
		const { value, problems } = project({ endpoints: [{ addresses: ["10.0.0.1"], conditions }] });
		expect(problems).toEqual([]);
		expect(value?.endpoints).toMatchObject([{ ready, serving, terminating }]);
	});

	test.each<[string, object, unknown]>([
		["no endpoints", { endpoints: null }, { endpoints: [] }],
		["no ports", { ports: undefined }, { ports: [] }],
		[
			"only the first address",
			{ endpoints: [{ addresses: ["10.0.0.1", "bad", 7] }] },
			{ endpoints: [{ ip: "10.0.0.1" }] },
		],
		[
			"canonical IPv6",
			{ addressType: "IPv6", endpoints: [{ addresses: ["FD00:0::1"] }] },
			{ endpoints: [{ ip: "fd00::1" }] },
		],
		[
			"a node",
			{ endpoints: [{ addresses: ["10.0.0.1"], nodeName: "node-a.example" }] },
			{ endpoints: [{ nodeName: "node-a.example" }] },
		],
		[
			"a name and UDP",
			{ ports: [{ name: "dns", port: 53, protocol: "UDP" }] },
			{ ports: [{ name: "dns", port: 53, protocol: "UDP" }] },
		],
		[
			"SCTP in silence",
			{
				ports: [
					{ name: "a", port: 53, protocol: "SCTP" },
					{ name: "b", port: 53 },
				],
			},
			{ ports: [{ name: "b" }] },
		],
		["a loopback endpoint", { endpoints: [{ addresses: ["127.0.0.1"] }] }, { endpoints: [{ ip: "127.0.0.1" }] }],
		[
			"over 1000 endpoints",
			{ endpoints: Array.from({ length: 1500 }, (_, i) => ({ addresses: [`10.1.${i >> 8}.${i & 255}`] })) },
			{},
		],
	])("takes it: %s", (_, fields, value) => {
		const projection = project(fields);
		expect(projection.problems).toEqual([]);
		expect(projection.value).toMatchObject(value as object);
		if ("endpoints" in fields && Array.isArray(fields.endpoints))
			expect(projection.value?.endpoints).toHaveLength(fields.endpoints.length);
	});

	const IP = "write it like 10.0.0.1 (no leading zeros) or fd00::1 (no zone)";
	test.each<[string, unknown, string]>([
		[
			"an address",
			{ addresses: ["10.0.0.01"] },
			`InvalidObject endpoints[0].addresses[0]: "10.0.0.01" is not an IP address: ${IP}; the endpoint is left out`,
		],
		[
			"a number",
			{ addresses: [10] },
			`InvalidObject endpoints[0].addresses[0]: 10 is not an IP address: ${IP}; the endpoint is left out`,
		],
		[
			"the other family",
			{ addresses: ["fd00::1"] },
			"InvalidObject endpoints[0].addresses[0]: fd00::1 is not IPv4, the slice's addressType: use a slice for each family; the endpoint is left out",
		],
		[
			"no addresses",
			{},
			"InvalidObject endpoints[0].addresses: No list of addresses: give one IP address in a list; the endpoint is left out",
		],
		[
			"an empty list",
			{ addresses: [] },
			"InvalidObject endpoints[0].addresses: No list of addresses: give one IP address in a list; the endpoint is left out",
		],
		[
			"no list",
			{ addresses: "10.0.0.1" },
			"InvalidObject endpoints[0].addresses: No list of addresses: give one IP address in a list; the endpoint is left out",
		],
		[
			"no object",
			"10.0.0.1",
			"InvalidObject endpoints[0].addresses: No list of addresses: give one IP address in a list; the endpoint is left out",
		],
		[
			"a condition",
			{ addresses: ["10.0.0.1"], conditions: { ready: "true" } },
			'InvalidObject endpoints[0].conditions.ready: "true" is not a boolean: write true or false without quotes; the endpoint is left out',
		],
		[
			"conditions",
			{ addresses: ["10.0.0.1"], conditions: "ready" },
			'InvalidObject endpoints[0].conditions: "ready" is not an object: give ready, serving, terminating; the endpoint is left out',
		],
	])("leaves out an endpoint, not its neighbours: %s", (_, endpoint, expected) => {
		const projection = project({ endpoints: [endpoint, { addresses: ["10.0.0.9"] }] });
		expect(complaints(projection)).toEqual([expected]);
		expect<unknown>(projection.value?.endpoints.map(({ ip }) => ip)).toEqual(["10.0.0.9"]);
	});

	test.each<[string, boolean]>([
		["a.b-c.d", true],
		["a".repeat(253), true],
		["a".repeat(254), false],
		["a..b", false],
		["-a", false],
		["a-.b", false],
		["A", false],
	])("goes by the rules of a DNS subdomain for its name: %s %p", (name, isRight) => {
		expect(project({}, { name }).value !== undefined).toBe(isRight);
	});

	test("keeps an endpoint without its wrong node", () => {
		const projection = project({ endpoints: [{ addresses: ["10.0.0.1"], nodeName: "Node_A" }] });
		expect(complaints(projection)[0]).toStartWith(
			'InvalidObject endpoints[0].nodeName: "Node_A" is not a DNS subdomain: use up to 253',
		);
		expect(projection.value?.endpoints[0]?.nodeName).toBe("");
	});

	test.each<[string, unknown, string]>([
		[
			"a number",
			{ name: "a", port: 70000 },
			"InvalidObject ports[0].port: 70000 is not a port: give a whole number from 1 to 65535; the port is left out",
		],
		[
			"all ports",
			{ name: "a", port: null },
			"Unsupported ports[0].port: No number, which means all ports: give one; the port is left out",
		],
		[
			"a protocol",
			{ name: "a", port: 80, protocol: "ICMP" },
			'InvalidObject ports[0].protocol: "ICMP" is not a protocol: use TCP, UDP, SCTP; the port is left out',
		],
		[
			"no object",
			[],
			"InvalidObject ports[0]: a list is not a port: give an object with port, protocol and name; the port is left out",
		],
	])("leaves out a port, not its neighbours: %s", (_, port, expected) => {
		const projection = project({ ports: [port, { name: "good", port: 8080 }] });
		expect(complaints(projection)).toEqual([expected]);
		expect(projection.value?.ports.map(({ name }) => name)).toEqual(["good"]);
	});

	test("keeps the first of two ports with one name", () => {
		const projection = project({ ports: [{ port: 1 }, { port: 2 }] });
		expect(complaints(projection)).toEqual([
			'InvalidObject ports[1]: A second port named "": give each its own name; the port is left out',
		]);
		expect<unknown>(projection.value?.ports).toEqual([{ name: "", port: 1, protocol: "TCP" }]);
	});

	test.each<[string, object, object, string]>([
		[
			"no address type",
			{ addressType: undefined },
			{},
			"InvalidObject addressType: Missing: use IPv4 or IPv6; the slice is left out",
		],
		[
			"an address type",
			{ addressType: "ipv4" },
			{},
			'InvalidObject addressType: "ipv4" is not an address type: use IPv4 or IPv6; the slice is left out',
		],
		[
			"FQDN",
			{ addressType: "FQDN" },
			{},
			"Unsupported addressType: FQDN slices lead nowhere: use IPv4 or IPv6 addresses; the slice is left out",
		],
		[
			"no Service",
			{},
			{ labels: {} },
			`Unsupported metadata.labels["kubernetes.io/service-name"]: No label names the slice's Service: add it with the Service's name; the slice is left out`,
		],
		[
			"a Service's name",
			{},
			{ labels: { "kubernetes.io/service-name": "demo/web" } },
			'InvalidObject metadata.labels["kubernetes.io/service-name"]: "demo/web" is not a DNS label: use up to 63 of a-z, 0-9 and -, not - at the ends; the slice is left out',
		],
		[
			"no list of endpoints",
			{ endpoints: {} },
			{},
			"InvalidObject endpoints: an object is not a list: give a list; the slice is left out",
		],
		[
			"no list of ports",
			{ ports: 80 },
			{},
			"InvalidObject ports: 80 is not a list: give a list; the slice is left out",
		],
		[
			"only wrong endpoints",
			{ endpoints: [{}] },
			{},
			"InvalidObject endpoints[0].addresses: No list of addresses: give one IP address in a list; the endpoint is left out",
		],
		[
			"only wrong ports",
			{ ports: [{ port: "80" }] },
			{},
			'InvalidObject ports[0].port: "80" is a string: write the port as a number without quotes; the port is left out',
		],
	])("leaves it out: %s", (_, fields, metadata, expected) => {
		const projection = project(fields, metadata);
		expect(projection.value).toBeUndefined();
		expect(complaints(projection)).toEqual([expected]);
	});
});

// What becomes of the two policies, field by field.

import { describe, expect, test } from "bun:test";
import { projectBalancingPolicy } from "./balancing_policy.ts";
import { projectLocalRedirectPolicy } from "./local_redirect_policy.ts";
import { policyKey } from "./policy.ts";
import type { Projection } from "./report.ts";

type Fields = Readonly<Record<string, unknown>>;

const A = "balancing.elf.io/";
const PORT = { port: "80", protocol: "TCP" };
const PODS = { matchLabels: { app: "web" } };
const BY_SERVICE = { serviceMatcher: { namespace: "demo", serviceName: "web" } };
const BY_ADDRESS = { addressMatcher: { ip: "192.0.2.1", toPorts: [PORT] } };
const TO_PODS = { serviceEndpoint: { endpointSelector: PODS, toPorts: [PORT] } };
const TO_ADDRESSES = { addressEndpoint: { addresses: ["192.0.2.9"], toPorts: [PORT] } };

function redirect(spec: Fields, annotations: Fields = {}) {
	return projectLocalRedirectPolicy({
		metadata: { name: "p", annotations },
		spec: { frontend: BY_SERVICE, backend: { endpointSelector: PODS, toPorts: [PORT] }, ...spec },
	});
}

function balancing(spec: Fields, annotations: Fields = {}) {
	return projectBalancingPolicy({
		metadata: { name: "p", annotations },
		spec: { frontend: BY_ADDRESS, backend: TO_PODS, ...spec },
	});
}

function complaints({ problems }: Projection<unknown>): string[] {
	return problems.map(({ field, reason, message }) => `${reason} ${field ?? ""}: ${message}`);
}

const named = (name: string, port: unknown = "80", protocol: unknown = "TCP") => ({ name, port, protocol });
const APP = [{ key: "app", operator: "in", values: ["web"] }];
const OUT = "the policy is left out";

describe("projectLocalRedirectPolicy()", () => {
	test("needs no more than a name, a frontend and a backend", () => {
		const { value, problems } = redirect({});
		expect(problems).toEqual([]);
		expect<unknown>(value).toEqual({
			kind: "LocalRedirectPolicy",
			name: "p",
			created: "",
			generation: 0,
			frontend: { kind: "service", service: "demo/web", ports: [] },
			hosts: { nodes: [], outCluster: true },
			pods: APP,
			ports: [{ name: "", port: 80, protocol: "TCP" }],
		});
		expect<unknown>(value && policyKey(value)).toBe("LocalRedirectPolicy p");
	});

	test("has what the server says of it", () => {
		const { value } = projectLocalRedirectPolicy({
			metadata: { name: "p", generation: 7, creationTimestamp: "2026-01-02T03:04:05+01:00" },
			spec: { frontend: BY_ADDRESS, backend: { endpointSelector: PODS, toPorts: [PORT] } },
		});
		expect(value).toMatchObject({ generation: 7, created: "2026-01-02T02:04:05Z" });
	});

	test.each<[string, unknown, Fields]>([
		["no limit", "0", { qosLimit: 0 }],
		["a limit", "4294967295", { qosLimit: 4_294_967_295 }],
	])("has %s", (_, text, expected) => {
		const projection = redirect({}, { [`${A}redirect-qos-limit`]: text });
		expect(complaints(projection)).toEqual([]);
		expect(projection.value).toMatchObject(expected);
	});

	test.each<[string, string, unknown, string]>([
		[
			"a limit",
			"redirect-qos-limit",
			"10/s",
			'InvalidObject FIELD: "10/s" is not a number: give "0" to "4294967295"; it is left out',
		],
		["a limit that is no text", "redirect-qos-limit", 10, "InvalidObject FIELD: 10 is not a string: put it in quotes"],
		[
			"an id",
			"serviceId",
			"4294967296",
			'InvalidObject FIELD: "4294967296" is not a number: give "0" to "4294967295"; it is left out',
		],
		["an id", "serviceId", "-1", 'InvalidObject FIELD: "-1" is not a number: give "0" to "4294967295"; it is left out'],
		[
			"a choice of sockets",
			"close-on-remove",
			"tcp",
			'InvalidObject FIELD: "tcp" is not a choice of sockets: use udp, all, none; udp is used',
		],
		[
			"a health check",
			"health-check",
			"tcp",
			"Unsupported FIELD: Pods on the own node are asked by their kubelet: give them a readiness probe; it is left out",
		],
		["weights", "weight", "3", "Unsupported FIELD: Pods of a redirect have no weights: remove it; it is left out"],
	])("goes without %s", (_, name, value, expected) => {
		const projection = redirect({}, { [A + name]: value });
		expect(complaints(projection)).toEqual([expected.replace("FIELD", `metadata.annotations["${A}${name}"]`)]);
		expect<unknown>(Object.keys(projection.value ?? {}).sort()).toEqual(Object.keys(redirect({}).value ?? {}).sort());
	});
});

describe("projectBalancingPolicy()", () => {
	test.each<[string, unknown, unknown]>([
		[
			"pods",
			TO_PODS,
			{ kind: "pods", mode: "podEndpoint", pods: APP, ports: [{ name: "", port: 80, protocol: "TCP" }] },
		],
		[
			"another mode",
			{ serviceEndpoint: { ...TO_PODS.serviceEndpoint, redirectMode: "nodeProxy" }, addressEndpoint: null },
			{ mode: "nodeProxy" },
		],
		["no mode", { serviceEndpoint: { ...TO_PODS.serviceEndpoint, redirectMode: null } }, { mode: "podEndpoint" }],
		[
			"addresses",
			{ addressEndpoint: { addresses: ["192.0.2.9", "2001:DB8::0:9"], toPorts: [named("a", 53, "UDP")] } },
			{
				kind: "addresses",
				addresses: [
					{ ip: "192.0.2.9", weight: 1 },
					{ ip: "2001:db8::9", weight: 1 },
				],
				ports: [{ name: "a", port: 53, protocol: "UDP" }],
			},
		],
	])("leads to %s", (_, backend, expected) => {
		const projection = balancing({ backend });
		expect(complaints(projection)).toEqual([]);
		expect<unknown>(projection.value?.backend).toMatchObject(expected as object);
	});

	test("has annotations", () => {
		const annotations = {
			[`${A}serviceId`]: "7",
			[`${A}close-on-remove`]: "all",
			[`${A}health-check`]: "dns:example.org",
			[`${A}weight`]: "2001:db8::0:9=0, 192.0.2.9=1000",
		};
		const addressEndpoint = { addresses: ["192.0.2.9", "192.0.2.10", "2001:db8::9"], toPorts: [PORT] };
		const projection = balancing({ backend: { addressEndpoint } }, annotations);
		expect(complaints(projection)).toEqual([]);
		expect<unknown>(projection.value).toMatchObject({
			serviceId: 7,
			closeOnRemove: "all",
			healthCheck: { probe: { kind: "dns", name: "example.org" } },
			backend: {
				addresses: [
					{ ip: "192.0.2.9", weight: 1000 },
					{ ip: "192.0.2.10", weight: 1 },
					{ ip: "2001:db8::9", weight: 0 },
				],
			},
		});
	});

	test.each<[string, readonly string[]]>([
		["192.0.2.9", ['"192.0.2.9" is not a weight: write ADDRESS=WEIGHT, 0 to 1000, as 192.0.2.1=3']],
		[
			"192.0.2.9=1001, x=1,",
			[
				'"192.0.2.9=1001" is not a weight: write ADDRESS=WEIGHT, 0 to 1000, as 192.0.2.1=3',
				'"x=1" is not a weight: write ADDRESS=WEIGHT, 0 to 1000, as 192.0.2.1=3',
				'"" is not a weight: write ADDRESS=WEIGHT, 0 to 1000, as 192.0.2.1=3',
			],
		],
		["192.0.2.8=3", ["192.0.2.8 is none of the addresses: add it there, or take its weight away"]],
	])("goes without the weights %j", (weight, expected) => {
		const projection = balancing({ backend: TO_ADDRESSES }, { [`${A}weight`]: weight });
		expect(projection.problems.map(({ message }) => message)).toEqual(
			expected.map((each) => `${each}; it is left out`),
		);
		expect<unknown>(projection.value?.backend).toMatchObject({ addresses: [{ ip: "192.0.2.9", weight: 1 }] });
	});

	test("keeps the first weight of an address", () => {
		const projection = balancing({ backend: TO_ADDRESSES }, { [`${A}weight`]: "192.0.2.9=3,192.0.2.9=4" });
		expect(projection.problems.map(({ message }) => message)).toEqual([
			"A second weight of 192.0.2.9: keep one; it is left out",
		]);
		expect<unknown>(projection.value?.backend).toMatchObject({ addresses: [{ weight: 3 }] });
	});

	test.each<[string, unknown, Fields, string]>([
		[
			"weights of pods",
			TO_PODS,
			{ weight: "192.0.2.9=3" },
			`Unsupported metadata.annotations["${A}weight"]: Weights of Pods are their own: annotate the Pods; it is left out`,
		],
		[
			"a limit",
			TO_PODS,
			{ "redirect-qos-limit": "3" },
			`Unsupported metadata.annotations["${A}redirect-qos-limit"]: Only a LocalRedirectPolicy has a limit: remove it; it is left out`,
		],
		[
			"a health check",
			TO_PODS,
			{ "health-check": "ping" },
			`InvalidObject metadata.annotations["${A}health-check"]: "ping" is not a probe: use tcp, http:/PATH, https:/PATH, dns:NAME or off; there are no health checks`,
		],
		[
			"one address",
			{ addressEndpoint: { addresses: ["192.0.2.9", "db.example", null], toPorts: [PORT] } },
			{},
			'InvalidObject spec.backend.addressEndpoint.addresses[1]: "db.example" is not an IP address: write it like 10.0.0.1 (no leading zeros) or fd00::1 (no zone); the address is left out',
		],
		[
			"the same address",
			{ addressEndpoint: { addresses: ["2001:db8::9", "2001:db8::0:9"], toPorts: [PORT] } },
			{},
			`InvalidObject spec.backend.addressEndpoint.addresses[1]: A second 2001:db8::9: keep one; to send it more, use annotation ${A}weight`,
		],
		[
			"addresses over the bound",
			{
				addressEndpoint: {
					addresses: Array.from({ length: 1001 }, (_, index) => `10.0.${index >> 8}.${index & 255}`).map((each) =>
						each === "10.0.0.0" ? "10.9.9.9" : each,
					),
					toPorts: [PORT],
				},
			},
			{},
			"TooLarge spec.backend.addressEndpoint.addresses: 1001 entries: give at most 1000; the others are left out",
		],
	])("goes without %s", (_, backend, annotations, expected) => {
		const entries = Object.entries(annotations).map(([name, value]) => [A + name, value]);
		const projection = balancing({ backend }, Object.fromEntries(entries));
		expect(complaints(projection)[0]).toBe(expected);
		expect(projection.value).toBeDefined();
		expect(projection.value).not.toHaveProperty("healthCheck");
	});

	test.each<[string, unknown, string]>([
		["no backend", undefined, `spec.backend: Missing: give serviceEndpoint, addressEndpoint; ${OUT}`],
		["an empty backend", {}, `spec.backend: Missing: give serviceEndpoint or addressEndpoint; ${OUT}`],
		[
			"both backends",
			{ ...TO_PODS, ...TO_ADDRESSES },
			`spec.backend: serviceEndpoint and addressEndpoint are both there: keep one of them; ${OUT}`,
		],
		[
			"a backend that is none",
			"pods",
			`spec.backend: "pods" is not an object: give serviceEndpoint, addressEndpoint; ${OUT}`,
		],
		[
			"a mode",
			{ serviceEndpoint: { ...TO_PODS.serviceEndpoint, redirectMode: "nodePort" } },
			`spec.backend.serviceEndpoint.redirectMode: "nodePort" is not a mode: use podEndpoint, hostPort, nodeProxy; ${OUT}`,
		],
		[
			"no selector",
			{ serviceEndpoint: { toPorts: [PORT] } },
			`spec.backend.serviceEndpoint.endpointSelector: Missing: give matchLabels, matchExpressions; ${OUT}`,
		],
		[
			"no ports",
			{ serviceEndpoint: { endpointSelector: PODS } },
			`spec.backend.serviceEndpoint.toPorts: Missing: give at least one port; ${OUT}`,
		],
		[
			"no addresses",
			{ addressEndpoint: { addresses: [], toPorts: [PORT] } },
			`spec.backend.addressEndpoint.addresses: Missing: give at least one address; ${OUT}`,
		],
		[
			"one address alone",
			{ addressEndpoint: { addresses: "192.0.2.9", toPorts: [PORT] } },
			`spec.backend.addressEndpoint.addresses: "192.0.2.9" is not a list: give a list; ${OUT}`,
		],
		[
			"only a wrong address",
			{ addressEndpoint: { addresses: ["0.0.0.0"], toPorts: [PORT] } },
			'spec.backend.addressEndpoint.addresses[0]: "0.0.0.0" is not one host\'s address: it is unspecified, multicast or broadcast; the address is left out',
		],
	])("leaves out a policy with %s", (_, backend, expected) => {
		const projection = balancing({ backend });
		expect(complaints(projection)).toEqual([`InvalidObject ${expected}`]);
		expect(projection.value).toBeUndefined();
	});
});

/** What both have in common. */
describe.each([
	["projectLocalRedirectPolicy()", redirect],
	["projectBalancingPolicy()", balancing],
] as const)("%s", (_, project) => {
	const of = (spec: Fields): Projection<unknown> => project(spec);

	test.each<[string, unknown, unknown]>([
		["a Service", BY_SERVICE, { kind: "service", service: "demo/web", ports: [] }],
		[
			"a Service's port",
			{ serviceMatcher: { ...BY_SERVICE.serviceMatcher, toPorts: [PORT] }, addressMatcher: null },
			{ ports: [{ name: "", port: 80, protocol: "TCP" }] },
		],
		["no list of ports", { serviceMatcher: { ...BY_SERVICE.serviceMatcher, toPorts: null } }, { ports: [] }],
		["an address", BY_ADDRESS, { kind: "address", ip: "192.0.2.1", ports: [{ name: "", port: 80, protocol: "TCP" }] }],
		["an IPv6 address", { addressMatcher: { ip: "2001:DB8::0:1", toPorts: [PORT] } }, { ip: "2001:db8::1" }],
		[
			"several ports",
			{ addressMatcher: { ip: "169.254.1.1", toPorts: [named("a", 1), named("b", "65535"), named("c", 1, "UDP")] } },
			{
				ports: [
					{ name: "a", port: 1, protocol: "TCP" },
					{ name: "b", port: 65_535, protocol: "TCP" },
					{ name: "c", port: 1, protocol: "UDP" },
				],
			},
		],
	])("takes the frontend: %s", (_, frontend, expected) => {
		const projection = of({ frontend });
		expect(complaints(projection)).toEqual([]);
		expect<unknown>(projection.value).toMatchObject({ frontend: expected as object });
	});

	test.each<[string, unknown, string]>([
		["none", undefined, `spec.frontend: Missing: give serviceMatcher, addressMatcher; ${OUT}`],
		["null", null, `spec.frontend: Missing: give serviceMatcher, addressMatcher; ${OUT}`],
		["neither", {}, `spec.frontend: Missing: give serviceMatcher or addressMatcher; ${OUT}`],
		[
			"both",
			{ ...BY_SERVICE, ...BY_ADDRESS },
			`spec.frontend: serviceMatcher and addressMatcher are both there: keep one of them; ${OUT}`,
		],
		["a list", [], `spec.frontend: a list is not an object: give serviceMatcher, addressMatcher; ${OUT}`],
		[
			"a matcher of another type",
			{ addressMatcher: "192.0.2.1" },
			`spec.frontend.addressMatcher: "192.0.2.1" is not an object: give ip, toPorts; ${OUT}`,
		],
		[
			"no namespace",
			{ serviceMatcher: { serviceName: "web" } },
			`spec.frontend.serviceMatcher.namespace: Missing: use up to 63 of a-z, 0-9 and -, not - at the ends; ${OUT}`,
		],
		[
			"a Service's name",
			{ serviceMatcher: { namespace: "demo", serviceName: "Web" } },
			`spec.frontend.serviceMatcher.serviceName: "Web" is not a DNS label: use up to 63 of a-z, 0-9 and -, not - at the ends; ${OUT}`,
		],
		[
			"no address",
			{ addressMatcher: { toPorts: [PORT] } },
			`spec.frontend.addressMatcher.ip: Missing: write it like 10.0.0.1 (no leading zeros) or fd00::1 (no zone); ${OUT}`,
		],
		[
			"a multicast address",
			{ addressMatcher: { ip: "224.0.0.1", toPorts: [PORT] } },
			`spec.frontend.addressMatcher.ip: "224.0.0.1" is not one host's address: it is unspecified, multicast or broadcast; ${OUT}`,
		],
		[
			"an address without ports",
			{ addressMatcher: { ip: "192.0.2.1", toPorts: [] } },
			`spec.frontend.addressMatcher.toPorts: Missing: give at least one port; ${OUT}`,
		],
		[
			"ports that are no list",
			{ serviceMatcher: { ...BY_SERVICE.serviceMatcher, toPorts: { port: "80" } } },
			`spec.frontend.serviceMatcher.toPorts: an object is not a list: give a list; ${OUT}`,
		],
		// All ports of the Service are not what was asked for.
		[
			"only a wrong port",
			{ serviceMatcher: { ...BY_SERVICE.serviceMatcher, toPorts: [{ port: "0", protocol: "TCP" }] } },
			'spec.frontend.serviceMatcher.toPorts[0].port: "0" is not a port: give "1" to "65535"; the port is left out',
		],
	])("leaves out a policy with this frontend: %s", (_, frontend, expected) => {
		const projection = of({ frontend });
		expect(complaints(projection)).toEqual([`InvalidObject ${expected}`]);
		expect(projection.value).toBeUndefined();
	});

	const GOOD = named("good", "8080");
	test.each<[string, unknown, string]>([
		["65536", named("a", "65536"), '.port: "65536" is not a port: give "1" to "65535"'],
		["leading zeros", named("a", "080"), '.port: "080" is not a port: give "1" to "65535"'],
		["half a port", named("a", 80.5), '.port: 80.5 is not a port: give "1" to "65535"'],
		["no port", { name: "a", protocol: "TCP" }, '.port: Missing: give "1" to "65535"'],
		["no protocol", { name: "a", port: "80" }, ".protocol: Missing: use TCP or UDP"],
		["SCTP", named("a", "80", "SCTP"), '.protocol: "SCTP" is not a protocol that is translated: use TCP or UDP'],
		["lower case", named("a", "80", "tcp"), '.protocol: "tcp" is not a protocol that is translated: use TCP or UDP'],
		["a name", named("Http"), '.name: "Http" is not a DNS label: use up to 63 of a-z, 0-9 and -, not - at the ends'],
		["no name", PORT, ": No name, and it is one of several: give each a name"],
		["the same name", named("good", "81"), ': A second port named "good": give each its own name'],
		["the same port", named("a", 8080), ": A second port 8080/TCP: keep one of them"],
		["no object", "80", ': "80" is not a port: give port, protocol and name'],
	])("goes without a port: %s", (_, port, expected) => {
		const projection = of({ frontend: { addressMatcher: { ip: "192.0.2.1", toPorts: [GOOD, port] } } });
		expect(complaints(projection)).toEqual([
			`InvalidObject spec.frontend.addressMatcher.toPorts[1]${expected}; the port is left out`,
		]);
		expect<unknown>(projection.value).toMatchObject({ frontend: { ports: [{ name: "good", port: 8080 }] } });
	});

	test("bounds ports", () => {
		const toPorts = Array.from({ length: 65 }, (_, index) => named(`p${index}`, index + 1));
		const projection = of({ frontend: { addressMatcher: { ip: "192.0.2.1", toPorts } } });
		expect(complaints(projection)).toEqual([
			"TooLarge spec.frontend.addressMatcher.toPorts: 65 entries: give at most 64; the others are left out",
		]);
		expect<unknown>(projection.value).toMatchObject({ frontend: { ports: { length: 64 } } });
	});

	test.each<[string, unknown, unknown]>([
		["nothing", undefined, { nodes: [], outCluster: true }],
		["null", null, { nodes: [], outCluster: true }],
		["an empty config", {}, { nodes: [], outCluster: true }],
		// The predecessor looked at it only beside a selector.
		["hosts outside alone", { enableOutCluster: false }, { nodes: [], outCluster: false }],
		["an empty selector", { nodeLabelSelector: {} }, { nodes: [], outCluster: true }],
		[
			"a selector",
			{ nodeLabelSelector: { matchLabels: { app: "web" } }, enableOutCluster: null },
			{ nodes: APP, outCluster: true },
		],
	])("is for these hosts: %s", (_, config, hosts) => {
		const projection = of({ config });
		expect(complaints(projection)).toEqual([]);
		expect<unknown>(projection.value).toMatchObject({ hosts: hosts as object });
	});

	test("is for fewer hosts rather than for more", () => {
		const projection = of({ config: { enableOutCluster: "false" } });
		expect(complaints(projection)).toEqual([
			'InvalidObject spec.config.enableOutCluster: "false" is not a boolean: write true or false without quotes; false is used',
		]);
		expect<unknown>(projection.value).toMatchObject({ hosts: { outCluster: false } });
	});

	test.each<[string, unknown, string]>([
		["config", "all", `spec.config: "all" is not an object: give nodeLabelSelector, enableOutCluster; ${OUT}`],
		[
			"selector",
			{ nodeLabelSelector: "app=web" },
			`spec.config.nodeLabelSelector: "app=web" is not an object: give matchLabels, matchExpressions; ${OUT}`,
		],
		[
			"label",
			{ nodeLabelSelector: { matchLabels: { app: true } } },
			`spec.config.nodeLabelSelector.matchLabels.app: true is not a string: put it in quotes; ${OUT}`,
		],
	])("leaves out a policy with a wrong %s: nobody knows for whom it is", (_, config, expected) => {
		const projection = of({ config });
		expect(complaints(projection)).toEqual([`InvalidObject ${expected}`]);
		expect(projection.value).toBeUndefined();
	});

	test("tells of fields that nobody reads", () => {
		const projection = of({
			enabled: true,
			config: { nodeLabelSelecter: { matchLabels: { a: "b" } } },
			frontend: { addressMatcher: { ip: "192.0.2.1", toPorts: [{ ...PORT, nodePort: 1 }] } },
		});
		expect(complaints(projection)).toEqual([
			"InvalidObject spec.enabled: Unknown field: use config, frontend, backend; it is left out",
			"InvalidObject spec.frontend.addressMatcher.toPorts[0].nodePort: Unknown field: use name, port, protocol; it is left out",
			"InvalidObject spec.config.nodeLabelSelecter: Unknown field: write nodeLabelSelector; it is left out",
		]);
		expect(projection.value).toBeDefined();
	});

	test("tells of everything at once", () => {
		expect(of({ frontend: {}, config: { nodeLabelSelector: 1 }, backend: {} }).problems.length).toBeGreaterThanOrEqual(
			3,
		);
	});
});

describe.each([
	["LocalRedirectPolicy", projectLocalRedirectPolicy],
	["BalancingPolicy", projectBalancingPolicy],
] as const)("a %s", (kind, project) => {
	test.each<[string, unknown, string]>([
		["null", null, `${kind} ?: null is not an object: give a ${kind}`],
		["no metadata", {}, `${kind} ?: Missing: give metadata.name`],
		["no spec", { metadata: { name: "p" } }, `${kind} p: Missing: give config, frontend, backend; ${OUT}`],
		[
			"a spec of another type",
			{ metadata: { name: "p" }, spec: "x" },
			`${kind} p: "x" is not an object: give config, frontend, backend; ${OUT}`,
		],
	])("is left out: %s", (_, object, expected) => {
		const { value, problems } = project(object);
		expect(value).toBeUndefined();
		expect(problems.map((problem) => `${problem.object}: ${problem.message}`)).toContain(expected);
	});
});

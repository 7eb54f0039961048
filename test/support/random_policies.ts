// Random policies, and the Pods that they select: few names, labels, addresses and ports, so that they meet all the time.

import * as fc from "fast-check";
import type { Ip, Protocol } from "../../src/model/address.ts";
import type { HealthCheck } from "../../src/model/health_check.ts";
import type { LabelSelector } from "../../src/model/label_selector.ts";
import { type Labels, listLabels } from "../../src/model/labels.ts";
import type { HostPort, Pod } from "../../src/model/pod.ts";
import {
	type BalancingPolicy,
	type LocalRedirectPolicy,
	type Policy,
	type PolicyBackend,
	type PolicyFrontend,
	type PolicyKey,
	type PolicyPort,
	policyKey,
} from "../../src/model/policy.ts";
import { ip, port } from "./snapshots.ts";

/** Where policies and Services meet. */
export interface Names {
	readonly services: readonly string[];
	/** Policies may take them: cluster IPs, what is outside, nodes' addresses. */
	readonly ips: readonly Ip[];
	readonly nodes: readonly string[];
	readonly podIps: readonly Ip[];
	readonly nodeIps: readonly Ip[];
}

const APPS = ["web", "dns", "db"];
/** The last two are for node ports and the canary: nobody's. */
const VIPS = ["169.254.1.1", "169.254.1.2", "2001:db8:2::1", "0.0.0.1", "192.0.0.8"].map(ip);
const CREATED = ["", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"];
const POD_NAMES = ["demo/p1", "demo/p2", "demo/p3", "demo/p4", "demo/p5", "demo/p6"];
const POLICY_NAMES = ["one", "two", "three"];
const MEMBERS: readonly Ip[] = ["198.51.100.1", "198.51.100.2", "198.51.100.3", "2001:db8:3::1", "2001:db8:3::2"].map(
	ip,
);

const FRONT_PORTS: readonly (readonly [string, number, Protocol])[] = [
	["http", 80, "TCP"],
	["http", 80, "TCP"],
	["dns", 53, "UDP"],
	["alt", 80, "TCP"],
	["", 80, "TCP"],
	["", 53, "UDP"],
	["dns", 53, "TCP"],
	["node", 30080, "TCP"],
	["canary", 5810, "UDP"],
];
const BACK_PORTS: readonly (readonly [string, number, Protocol])[] = [
	["http", 8080, "TCP"],
	["http", 8080, "TCP"],
	["dns", 5353, "UDP"],
	["alt", 9090, "TCP"],
	["", 8080, "TCP"],
	["", 5353, "UDP"],
	["other", 80, "TCP"],
	["dns", 53, "TCP"],
	["node", 30081, "TCP"],
	["canary", 5353, "UDP"],
];
const HOST_PORTS: readonly (readonly [number, Protocol])[] = [
	[8080, "TCP"],
	[8080, "TCP"],
	[9090, "TCP"],
	[5353, "UDP"],
	[8080, "UDP"],
];

/** Of nodes and pods. */
export const labels: fc.Arbitrary<Labels> = fc
	.record({ app: fc.constantFrom(...APPS, ...APPS, undefined), tier: fc.constantFrom("edge", "core", undefined) })
	.map((given) =>
		listLabels(Object.entries(given).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]]))),
	);

/** None of them is empty. */
const podSelector: fc.Arbitrary<LabelSelector> = fc.oneof(
	fc.constantFrom(...APPS).map((app): LabelSelector => [{ key: "app", operator: "in", values: [app] }]),
	fc.constantFrom<LabelSelector>(
		[{ key: "app", operator: "exists", values: [] }],
		[{ key: "app", operator: "in", values: ["web", "dns"] }],
		[{ key: "app", operator: "notIn", values: ["db"] }],
		[
			{ key: "app", operator: "in", values: ["web", "dns"] },
			{ key: "tier", operator: "doesNotExist", values: [] },
		],
	),
);

const nodeSelector = fc.constantFrom<LabelSelector>(
	[],
	[],
	[],
	[{ key: "tier", operator: "in", values: ["edge"] }],
	[{ key: "tier", operator: "notIn", values: ["edge"] }],
);

type Ports = typeof FRONT_PORTS;

function portsOf(from: Ports): fc.Arbitrary<readonly PolicyPort[]> {
	return fc
		.uniqueArray(fc.constantFrom(...from), { minLength: 1, maxLength: 3, selector: ([name]) => name })
		.map((ports) => ports.map(([name, number, protocol]) => ({ name, port: port(number), protocol })));
}

/** Most often all that the frontend may need. */
const backPorts = fc.oneof(
	{ weight: 1, arbitrary: portsOf(BACK_PORTS) },
	{ weight: 2, arbitrary: fc.constantFrom(8080, 9090).map((http) => partnersOf(http)) },
);

function partnersOf(http: number): readonly PolicyPort[] {
	return FRONT_PORTS.map(([name, , protocol], index) => {
		return { name, port: port(protocol === "TCP" ? http + (index % 2) : 5353), protocol };
	});
}

function frontendAmong({ services, ips }: Names): fc.Arbitrary<PolicyFrontend> {
	return fc.oneof(
		fc.record({
			kind: fc.constant("service" as const),
			service: fc.constantFrom(...services, ...services, "demo/gone"),
			ports: fc.oneof(fc.constant([]), portsOf(FRONT_PORTS)),
		}),
		fc.record({
			kind: fc.constant("address" as const),
			ip: fc.constantFrom(...ips, ...VIPS),
			ports: portsOf(FRONT_PORTS),
		}),
	);
}

/** Absent in most. */
function rare<K extends string, V>(key: K, value: fc.Arbitrary<V>): fc.Arbitrary<{ readonly [key in K]?: V }> {
	return fc.option(value, { freq: 2, nil: undefined }).map((some) => {
		const fields: { [key in K]?: V } = {};
		if (some !== undefined) fields[key] = some;
		return fields;
	});
}

const PROBES: readonly HealthCheck["probe"][] = [{ kind: "tcp" }, { kind: "http", path: "/healthz" }];

/** Those that differ in more than a threshold ask different questions. */
export const healthCheck: fc.Arbitrary<HealthCheck> = fc
	.tuple(
		fc.record({
			probe: fc.constantFrom(...PROBES),
			interval: fc.constantFrom(1000, 10_000),
			timeout: fc.constant(500),
			fails: fc.constantFrom(1, 3),
			passes: fc.constant(2),
			panic: fc.constantFrom(0, 0, 34, 50, 100),
		}),
		rare("port", fc.constant(port(8081))),
	)
	.map(([check, more]) => ({ ...check, ...more }));

const weight = fc.constantFrom(0, 1, 1, 2, 3, 4, 6, 1000);

const backend: fc.Arbitrary<PolicyBackend> = fc.oneof(
	{
		weight: 3,
		arbitrary: fc.record({
			kind: fc.constant("pods" as const),
			mode: fc.constantFrom("podEndpoint", "hostPort", "nodeProxy"),
			pods: podSelector,
			ports: backPorts,
		}),
	},
	{
		weight: 2,
		arbitrary: fc.record({
			kind: fc.constant("addresses" as const),
			addresses: fc.uniqueArray(fc.record({ ip: fc.constantFrom(...MEMBERS), weight }), {
				maxLength: 4,
				selector: (each) => each.ip,
			}),
			ports: backPorts,
		}),
	},
);

function baseAmong(names: Names) {
	return fc
		.tuple(
			fc.record({
				name: fc.constantFrom(...POLICY_NAMES),
				created: fc.constantFrom(...CREATED),
				generation: fc.constantFrom(1, 2),
				frontend: frontendAmong(names),
				hosts: fc.record({ nodes: nodeSelector, outCluster: fc.boolean() }),
			}),
			rare("closeOnRemove", fc.constantFrom("all" as const, "none" as const)),
			rare("serviceId", fc.constant(41007)),
		)
		.map(([fields, ...more]) => Object.assign({}, fields, ...more) as typeof fields);
}

function policyAmong(names: Names): fc.Arbitrary<Policy> {
	const redirect: fc.Arbitrary<LocalRedirectPolicy> = fc
		.tuple(
			baseAmong(names),
			fc.record({ pods: podSelector, ports: backPorts }),
			rare("qosLimit", fc.constantFrom(0, 1, 5, 1_000_000)),
		)
		.map(([base, ...more]) => Object.assign({ kind: "LocalRedirectPolicy" as const }, base, ...more));
	const balancing: fc.Arbitrary<BalancingPolicy> = fc
		.tuple(baseAmong(names), fc.record({ backend }), rare("healthCheck", healthCheck))
		.map(([base, ...more]) => Object.assign({ kind: "BalancingPolicy" as const }, base, ...more));
	return fc.oneof(redirect, balancing);
}

function podAmong({ nodes, podIps, nodeIps }: Names, key: string): fc.Arbitrary<Pod> {
	const pick = (ips: readonly Ip[]) =>
		fc.uniqueArray(fc.constantFrom(...ips), { maxLength: 2, selector: (each) => each.includes(":") });
	const hostPort: fc.Arbitrary<HostPort> = fc
		.tuple(fc.constantFrom(...HOST_PORTS), rare("ip", fc.constantFrom(...nodeIps)))
		.map(([[number, protocol], more]) => ({ port: port(number), protocol, ...more }));
	return fc
		.tuple(
			fc.record({
				key: fc.constant(key),
				namespace: fc.constant("demo"),
				uid: fc.constantFrom(`uid-${key}`, ""),
				labels,
				ips: fc.oneof({ weight: 4, arbitrary: pick(podIps) }, { weight: 1, arbitrary: pick(nodeIps) }),
				ready: fc.constantFrom(true, true, true, false),
				terminating: fc.constantFrom(false, false, false, true),
				finished: fc.constantFrom(false, false, false, false, false, true),
				nodeName: fc.constantFrom(...nodes, nodes[0] ?? "", nodes[0] ?? "", ""),
				ports: fc.constant([]),
				hostPorts: fc.array(hostPort, { maxLength: 3 }),
				hostNetwork: fc.constantFrom(false, false, false, true),
			}),
			rare("weight", weight),
		)
		.map(([fields, more]) => ({ ...fields, ...more }));
}

export type PolicyEdit =
	| { readonly kind: "policy"; readonly key: PolicyKey; readonly policy: Policy | undefined }
	| { readonly kind: "pod"; readonly key: string; readonly pod: Pod | undefined };

/** Puts a policy or a Pod, and now and then takes one away (undefined). */
export function policyEditAmong(names: Names): fc.Arbitrary<PolicyEdit> {
	const gone = fc.constantFrom(true, false, false, false, false);
	const onPolicy = fc.tuple(policyAmong(names), gone).map(([policy, isGone]): PolicyEdit => {
		return { kind: "policy", key: policyKey(policy), policy: isGone ? undefined : policy };
	});
	const onPod = fc
		.constantFrom(...POD_NAMES)
		.chain((key) =>
			fc
				.tuple(podAmong(names, key), gone)
				.map(([pod, isGone]): PolicyEdit => ({ kind: "pod", key, pod: isGone ? undefined : pod })),
		);
	return fc.oneof(onPolicy, onPod);
}

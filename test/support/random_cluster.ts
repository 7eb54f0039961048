// Random histories of a few small clusters: few names and addresses, so that they meet all the time.

import * as fc from "fast-check";
import { assertNever } from "../../src/lib/assert_never.ts";
import type { Ip, Protocol } from "../../src/model/address.ts";
import {
	type Cluster,
	EMPTY_CLUSTER,
	type Endpoint,
	type EndpointSlice,
	type External,
	type Node,
	type Service,
	type ServicePort,
} from "../../src/model/cluster.ts";
import { listEndpoints } from "../../src/model/endpoint_list.ts";
import type { Pod } from "../../src/model/pod.ts";
import type { Policy, PolicyKey } from "../../src/model/policy.ts";
import type { HubSnapshot, Self } from "../../src/plan/plan_types.ts";
import { healthCheck, labels, type PolicyEdit, policyEditAmong } from "./random_policies.ts";
import { ip, port } from "./snapshots.ts";

/** Replaces an object (undefined: takes it away), or a Service's slices, in one of the hubs. */
export type Edit = { readonly hub: number } & (
	| PolicyEdit
	| { readonly kind: "service"; readonly key: string; readonly service: Service | undefined }
	| { readonly kind: "slices"; readonly key: string; readonly slices: readonly EndpointSlice[] }
	| { readonly kind: "node"; readonly key: string; readonly node: Node | undefined }
);

export const NODE = "here";
const KEYS = ["demo/a", "demo/b", "demo/c", "demo/d"];
const VIRTUAL_IPS = ["10.96.0.1", "10.96.0.2", "fd00::1", "fd00::2"].map(ip);
/** One of them is a cluster IP as well, one a node's. */
const OUTER_IPS = ["203.0.113.1", "203.0.113.2", "10.96.0.1", "10.0.0.1", "2001:db8::1", "fd00::2"].map(ip);
const NODE_IPS = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "fd10::1", "fd10::2"].map(ip);
const PROXY_IPS = ["192.0.2.1", "192.0.2.2", "2001:db8:1::1"].map(ip);
const ZONES = ["north", "south"];
const NODES = [NODE, "there", "yonder"];
/** Endpoints on the host's network have their node's address. */
const IPV4_PODS = ["10.244.0.1", "10.244.0.2", "10.244.0.3", "10.244.0.4", "10.0.0.2"].map(ip);
const IPV6_PODS = ["fd01::1", "fd01::2", "fd01::3", "fd10::2"].map(ip);
const PORTS: readonly (readonly [string, number, Protocol])[] = [
	["http", 80, "TCP"],
	["dns", 53, "UDP"],
	["alt", 80, "TCP"],
];

export function emptyHubs(count: number): readonly HubSnapshot[] {
	return ["east", "west", "north"].slice(0, count).map((name) => ({ name, cluster: EMPTY_CLUSTER }));
}

/** An edit that is for more hubs than there are concerns one of those that there are. What is left alone stays the identical value. */
export function applyEdits(hubs: readonly HubSnapshot[], edits: readonly Edit[]): readonly HubSnapshot[] {
	return hubs.map(({ name, cluster }, index) => {
		const own = edits.filter(({ hub }) => hub % hubs.length === index);
		return { name, cluster: own.length === 0 ? cluster : editCluster(cluster, own) };
	});
}

function editCluster(cluster: Cluster, edits: readonly Edit[]): Cluster {
	const services = new Map(cluster.services);
	const slices = new Map(cluster.slices);
	const nodes = new Map(cluster.nodes);
	const pods = new Map(cluster.pods);
	const policies = new Map(cluster.policies);
	for (const edit of edits) applyEdit({ services, slices, nodes, pods, policies }, edit);
	const isIn = (kind: Edit["kind"]) => edits.some((edit) => edit.kind === kind);
	// Nodes, Pods and policies change seldom; planners look at all that reads them then.
	return {
		...cluster,
		services,
		slices,
		nodes: isIn("node") ? nodes : cluster.nodes,
		pods: isIn("pod") ? pods : cluster.pods,
		policies: isIn("policy") ? policies : cluster.policies,
	};
}

interface Editable<V, K = string> {
	set(key: K, value: V): unknown;
	delete(key: K): unknown;
}

interface EditableCluster {
	readonly services: Editable<Service>;
	readonly slices: Editable<readonly EndpointSlice[]>;
	readonly nodes: Editable<Node>;
	readonly pods: Editable<Pod>;
	readonly policies: Editable<Policy, PolicyKey>;
}

export function applyEdit({ services, slices, nodes, pods, policies }: EditableCluster, edit: Edit): void {
	switch (edit.kind) {
		case "slices":
			slices.set(edit.key, edit.slices);
			return;
		case "service":
			replace(services, edit.key, edit.service);
			return;
		case "node":
			replace(nodes, edit.key, edit.node);
			return;
		case "pod":
			replace(pods, edit.key, edit.pod);
			return;
		case "policy":
			replace(policies, edit.key, edit.policy);
			return;
		default:
			assertNever(edit);
	}
}

function replace<V, K>(values: Editable<V, K>, key: K, value: V | undefined): void {
	if (value === undefined) values.delete(key);
	else values.set(key, value);
}

/** Absent in most. */
function seldom<K extends string, V>(key: K, value: fc.Arbitrary<V>): fc.Arbitrary<{ readonly [key in K]?: V }> {
	return rare(value).map((some) => {
		const fields: { [key in K]?: V } = {};
		if (some !== undefined) fields[key] = some;
		return fields;
	});
}

function rare<V>(value: fc.Arbitrary<V>): fc.Arbitrary<V | undefined> {
	return fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value });
}

const SOME = { minLength: 1, maxLength: 4, size: "max" } as const;

/** Now and then none. */
function mostly<V>(values: fc.Arbitrary<V[]>): fc.Arbitrary<V[]> {
	return fc.oneof({ weight: 9, arbitrary: values }, { weight: 1, arbitrary: fc.constant<V[]>([]) });
}

const servicePort: fc.Arbitrary<ServicePort> = fc
	.record({ port: fc.constantFrom(...PORTS), nodePort: fc.constantFrom(0, 0, 30080, 30081) })
	.map(({ port: [name, number, protocol], nodePort }) => {
		const plain = { name, port: port(number), protocol };
		return nodePort === 0 ? plain : { ...plain, nodePort: port(nodePort) };
	});

const outerIps = fc.uniqueArray(fc.constantFrom(...OUTER_IPS), { maxLength: 2 });
const external: fc.Arbitrary<External> = fc.record({
	externalIps: outerIps,
	ingressIps: outerIps,
	trafficPolicy: fc.constantFrom("Cluster", "Local"),
});
const reach = fc.constantFrom("pod", "node-port", "node-proxy", "load-balancer", "auto");

const service = (key: string): fc.Arbitrary<Service> =>
	fc
		.tuple(
			fc.record({
				key: fc.constant(key),
				type: fc.constantFrom("ClusterIP", "ClusterIP", "NodePort", "NodePort", "LoadBalancer", "ExternalName"),
				clusterIps: fc.uniqueArray(fc.constantFrom(...VIRTUAL_IPS), { maxLength: 2 }),
				ports: fc.uniqueArray(servicePort, { maxLength: 3, selector: (item) => item.name }),
				internalTrafficPolicy: fc.constantFrom("Cluster", "Cluster", "Local"),
				otherProxy: fc.integer({ min: 0, max: 9 }).map((number) => number === 0),
				peerAddress: fc.constantFrom("frontend", "backend"),
				global: fc.boolean(),
				created: fc.constantFrom("", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
			}),
			fc.option(external, { freq: 2, nil: undefined }),
			seldom(
				"affinity",
				fc.record({ seconds: fc.constantFrom(1, 10800), client: fc.constantFrom("netns", "process") }),
			),
			seldom("closeOnRemove", fc.constantFrom("all", "none")),
			seldom("reach", reach),
			seldom("healthCheck", healthCheck),
		)
		.map(([fields, outer, ...rest]) => withExternal(Object.assign({}, fields, ...rest), outer));

/** As a projection leaves it: node ports and ingress only where the type has them, and what is there shows in `external`. */
function withExternal(fields: Service, outer: External | undefined): Service {
	const hasNodePorts = fields.type === "NodePort" || fields.type === "LoadBalancer";
	const ports = hasNodePorts ? fields.ports : fields.ports.map(({ nodePort: _, ...plain }) => plain);
	const isOpen = fields.type !== "ExternalName" && (outer !== undefined || ports.some((each) => "nodePort" in each));
	if (!isOpen) return { ...fields, ports };
	const ingressIps = fields.type === "LoadBalancer" ? (outer?.ingressIps ?? []) : [];
	const { externalIps = [], trafficPolicy = "Cluster" } = outer ?? {};
	return { ...fields, ports, external: { externalIps, ingressIps, trafficPolicy } };
}

const node = (name: string): fc.Arbitrary<Node> =>
	fc
		.tuple(
			fc.record({
				name: fc.constant(name),
				ips: fc.uniqueArray(fc.constantFrom(...NODE_IPS), { minLength: 1, maxLength: 3 }),
				zone: fc.constantFrom("", ...ZONES),
				proxyIps: fc.uniqueArray(fc.constantFrom(...PROXY_IPS), { maxLength: 2 }),
			}),
			seldom("labels", labels),
		)
		.map(([fields, more]) => ({ ...fields, ...more }));

/** What an agent knows about itself. */
export const self: fc.Arbitrary<Self> = fc.record({
	nodeName: fc.constantFrom(NODE, NODE, NODE, "elsewhere"),
	reach: fc.oneof(fc.constant("auto" as const), reach),
	addresses: fc.uniqueArray(fc.constantFrom(...NODE_IPS, ip("10.0.0.9")), { maxLength: 2 }),
	refusesExternalIps: fc.constantFrom(false, false, false, true),
	redirectLimit: fc.constantFrom(0, 0, 7),
});

/** An agent, or now and then the controller. */
export const anySelf: fc.Arbitrary<Self> = fc
	.record({ self, isWholeCluster: fc.constantFrom(false, false, false, false, true) })
	.map((each) => ({ ...each.self, isWholeCluster: each.isWholeCluster }));

const hints = fc.record({
	nodes: fc.constantFrom([], [NODE], ["there"], [NODE, "there"]),
	zones: fc.constantFrom([], ["north"], ["south"], ["north", "south"]),
});

const endpoint = (pods: readonly Ip[]): fc.Arbitrary<Endpoint> =>
	fc
		.record({
			ip: fc.constantFrom(...pods),
			state: fc.constantFrom("ready", "ready", "unready", "draining", "stopping"),
			nodeName: fc.constantFrom(NODE, "there", "yonder", ""),
			hints: fc.option(hints, { freq: 3, nil: undefined }),
		})
		.map(({ ip: address, state, nodeName, hints: some }) => ({
			ip: address,
			nodeName,
			ready: state === "ready",
			serving: state === "ready" || state === "draining",
			terminating: state === "draining" || state === "stopping",
			...(some === undefined ? {} : { hints: some }),
		}));

const slice = (key: string): fc.Arbitrary<EndpointSlice> =>
	fc.constantFrom<EndpointSlice["addressType"]>("IPv4", "IPv4", "IPv6").chain((addressType) =>
		fc.record({
			key: fc.constant(`${key}-slice`),
			service: fc.constant(key),
			addressType: fc.constant(addressType),
			endpoints: mostly(fc.array(endpoint(addressType === "IPv4" ? IPV4_PODS : IPV6_PODS), SOME)).map(listEndpoints),
			ports: fc.constantFrom([8080, 5353], [8080, 8080], [9090, 5353]).map(([tcp, udp]) => [
				{ name: "http", port: port(tcp), protocol: "TCP" as const },
				{ name: "alt", port: port(9999), protocol: "TCP" as const },
				{ name: "dns", port: port(udp), protocol: "UDP" as const },
			]),
		}),
	);

const hub = fc.nat(2);

const serviceEdit: fc.Arbitrary<Edit> = fc.constantFrom(...KEYS).chain((key) =>
	fc.oneof(
		{ weight: 3, arbitrary: service(key).map((each) => ({ hub: 0, kind: "service" as const, key, service: each })) },
		{ weight: 1, arbitrary: fc.constant({ hub: 0, kind: "service" as const, key, service: undefined }) },
		{
			weight: 4,
			arbitrary: mostly(fc.array(slice(key), SOME)).map((slices) => ({ hub: 0, kind: "slices" as const, key, slices })),
		},
	),
);

const nodeEdit: fc.Arbitrary<Edit> = fc
	.constantFrom(...NODES)
	.chain((key) =>
		fc
			.option(node(key), { freq: 4, nil: undefined })
			.map((each) => ({ hub: 0, kind: "node" as const, key, node: each })),
	);

const policyEdit = policyEditAmong({
	services: KEYS,
	ips: [...VIRTUAL_IPS, ...OUTER_IPS],
	nodes: NODES,
	podIps: [...IPV4_PODS, ...IPV6_PODS],
	nodeIps: NODE_IPS,
}).map((each) => ({ hub: 0, ...each }));

export const edit: fc.Arbitrary<Edit> = fc
	.tuple(
		hub,
		fc.oneof(
			{ weight: 4, arbitrary: serviceEdit },
			{ weight: 1, arbitrary: nodeEdit },
			{ weight: 5, arbitrary: policyEdit },
		),
	)
	.map(([index, each]) => ({ ...each, hub: index }));

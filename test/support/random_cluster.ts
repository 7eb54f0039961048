// Random histories of a few small clusters: few names and addresses, so that they meet all the time.

import * as fc from "fast-check";
import type { Ip, Port, Protocol } from "../../src/model/address.ts";
import { parseIp, parsePort } from "../../src/model/address.ts";
import {
	type Cluster,
	EMPTY_CLUSTER,
	type Endpoint,
	type EndpointSlice,
	type Service,
	type ServicePort,
} from "../../src/model/cluster.ts";
import type { HubSnapshot } from "../../src/plan/plan_types.ts";

/** Replaces a Service (undefined: takes it away), or its slices, in one of the hubs. */
export type Edit = { readonly hub: number } & (
	| { readonly kind: "service"; readonly key: string; readonly service: Service | undefined }
	| { readonly kind: "slices"; readonly key: string; readonly slices: readonly EndpointSlice[] }
);

export const NODE = "here";
const KEYS = ["demo/a", "demo/b", "demo/c", "demo/d"];
const VIRTUAL_IPS = ["10.96.0.1", "10.96.0.2", "fd00::1", "fd00::2"].map(ip);
const IPV4_PODS = ["10.244.0.1", "10.244.0.2", "10.244.0.3", "10.244.0.4"].map(ip);
const IPV6_PODS = ["fd01::1", "fd01::2", "fd01::3"].map(ip);
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
	for (const edit of edits) {
		if (edit.kind === "slices") slices.set(edit.key, edit.slices);
		else if (edit.service === undefined) services.delete(edit.key);
		else services.set(edit.key, edit.service);
	}
	return { ...cluster, services, slices };
}

const servicePort: fc.Arbitrary<ServicePort> = fc
	.constantFrom(...PORTS)
	.map(([name, number, protocol]) => ({ name, port: port(number), protocol }));

const service = (key: string): fc.Arbitrary<Service> =>
	fc.record({
		key: fc.constant(key),
		type: fc.constantFrom("ClusterIP", "ClusterIP", "ClusterIP", "LoadBalancer", "ExternalName"),
		clusterIps: fc.uniqueArray(fc.constantFrom(...VIRTUAL_IPS), { maxLength: 2 }),
		ports: fc.uniqueArray(servicePort, { minLength: 1, maxLength: 3, selector: (item) => item.name }),
		internalTrafficPolicy: fc.constantFrom("Cluster", "Cluster", "Local"),
		otherProxy: fc.integer({ min: 0, max: 9 }).map((number) => number === 0),
		peerAddress: fc.constantFrom("frontend", "backend"),
		global: fc.boolean(),
		created: fc.constantFrom("", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
	});

const endpoint = (pods: readonly Ip[]): fc.Arbitrary<Endpoint> =>
	fc
		.record({
			ip: fc.constantFrom(...pods),
			state: fc.constantFrom("ready", "ready", "unready", "draining", "stopping"),
			nodeName: fc.constantFrom(NODE, "there", ""),
		})
		.map(({ ip: address, state, nodeName }) => ({
			ip: address,
			nodeName,
			ready: state === "ready",
			serving: state === "ready" || state === "draining",
			terminating: state === "draining" || state === "stopping",
		}));

const slice = (key: string): fc.Arbitrary<EndpointSlice> =>
	fc.constantFrom<EndpointSlice["addressType"]>("IPv4", "IPv4", "IPv6").chain((addressType) =>
		fc.record({
			key: fc.constant(`${key}-slice`),
			service: fc.constant(key),
			addressType: fc.constant(addressType),
			endpoints: fc.array(endpoint(addressType === "IPv4" ? IPV4_PODS : IPV6_PODS), { maxLength: 4 }),
			ports: fc.constantFrom([8080, 5353], [8080, 8080], [9090, 5353]).map(([tcp, udp]) => [
				{ name: "http", port: port(tcp), protocol: "TCP" as const },
				{ name: "alt", port: port(9999), protocol: "TCP" as const },
				{ name: "dns", port: port(udp), protocol: "UDP" as const },
			]),
		}),
	);

const hub = fc.nat(2);

export const edit: fc.Arbitrary<Edit> = fc.constantFrom(...KEYS).chain((key) =>
	fc.oneof(
		{
			weight: 3,
			arbitrary: fc.record({
				hub,
				kind: fc.constant("service" as const),
				key: fc.constant(key),
				service: service(key),
			}),
		},
		{ weight: 1, arbitrary: hub.map((hub) => ({ hub, kind: "service" as const, key, service: undefined })) },
		{
			weight: 4,
			arbitrary: fc.record({
				hub,
				kind: fc.constant("slices" as const),
				key: fc.constant(key),
				slices: fc.array(slice(key), { maxLength: 3 }),
			}),
		},
	),
);

function ip(text: string): Ip {
	const parsed = parseIp(text);
	if (parsed === undefined) throw new Error(`Not an address: ${text}`);
	return parsed;
}

function port(number: number | undefined): Port {
	const parsed = parsePort(number);
	if (parsed === undefined) throw new Error(`Not a port: ${number}`);
	return parsed;
}

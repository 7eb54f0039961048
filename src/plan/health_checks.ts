// Which health check node ports this node opens, and how many endpoints of its own each tells a load balancer of.

import { keysBetween } from "../lib/layered_map.ts";
import { ipFamily, type Port } from "../model/address.ts";
import { type Cluster, EMPTY_CLUSTER, type EndpointSlice, type Service } from "../model/cluster.ts";
import { endpointsIn } from "../model/endpoint_list.ts";
import { ageOf } from "./claims.ts";
import type { HubSnapshot } from "./plan_types.ts";

/** One port that a load balancer asks (spec.healthCheckNodePort). */
export interface HealthCheck {
	/** `namespace/name`. */
	readonly service: string;
	/** Ready endpoints on this node: distinct addresses of the family that has more of them, so that a pod of two families is one. */
	readonly local: number;
	/** Services of other hubs that have the same port and do not get it. */
	readonly others: readonly string[];
}

/** By port. Of several Services the one of the first hub has it, then the oldest, then the first by name. */
export type HealthChecks = ReadonlyMap<Port, HealthCheck>;

interface HubMemory {
	cluster: Cluster;
	/** Keys of the Services that have such a port. */
	readonly keys: Set<string>;
}

interface Wish {
	readonly rank: number;
	readonly service: Service;
	readonly port: Port;
	readonly local: number;
}

/**
 * Only where the hub has a Node of our name: nobody asks other hosts. What did not change since the last call is not looked at: the
 * identical map comes back if nothing did.
 */
export function createHealthChecks(): (hubs: readonly HubSnapshot[], nodeName: string) => HealthChecks {
	let memories: readonly HubMemory[] = [];
	let last: HealthChecks = new Map();
	return (hubs, nodeName) => {
		const isSame =
			memories.length === hubs.length && hubs.every(({ cluster }, rank) => memories[rank]?.cluster === cluster);
		if (isSame) return last;
		if (memories.length !== hubs.length) memories = hubs.map(() => ({ cluster: EMPTY_CLUSTER, keys: new Set() }));
		for (const [rank, { cluster }] of hubs.entries()) refresh(memories[rank], cluster);
		last = settle(memories.flatMap((memory, rank) => wishesOf(memory, rank, nodeName)));
		return last;
	};
}

function refresh(memory: HubMemory | undefined, cluster: Cluster): void {
	if (memory === undefined) return;
	const { services } = cluster;
	const changed = keysBetween(memory.cluster.services, services) ?? [...memory.keys, ...services.keys()];
	for (const key of changed) {
		if (portOf(services.get(key)) === undefined) memory.keys.delete(key);
		else memory.keys.add(key);
	}
	memory.cluster = cluster;
}

function portOf(service: Service | undefined): Port | undefined {
	return service === undefined || service.otherProxy ? undefined : service.external?.healthCheckNodePort;
}

function wishesOf({ cluster, keys }: HubMemory, rank: number, nodeName: string): readonly Wish[] {
	if (!cluster.nodes.has(nodeName)) return [];
	return [...keys].flatMap((key) => {
		const service = cluster.services.get(key);
		const port = portOf(service);
		if (service === undefined || port === undefined) return [];
		return [{ rank, service, port, local: countLocal(cluster.slices.get(key) ?? [], nodeName) }];
	});
}

/** Terminating endpoints are not ready: a load balancer looks elsewhere while they still serve. */
function countLocal(slices: readonly EndpointSlice[], nodeName: string): number {
	const ips = new Set(
		slices
			.flatMap(({ endpoints }) => endpointsIn(endpoints))
			.filter((endpoint) => endpoint.ready && endpoint.nodeName === nodeName)
			.map(({ ip }) => ip),
	);
	const v6 = [...ips].filter((ip) => ipFamily(ip) === "IPv6").length;
	return Math.max(v6, ips.size - v6);
}

function settle(wishes: readonly Wish[]): HealthChecks {
	const checks = new Map<Port, HealthCheck>();
	for (const { port, local, service } of [...wishes].sort(byRight)) {
		const first = checks.get(port);
		if (first === undefined) checks.set(port, { service: service.key, local, others: [] });
		else checks.set(port, { ...first, others: [...first.others, service.key] });
	}
	return checks;
}

function byRight(a: Wish, b: Wish): number {
	const [older, younger] = [ageOf(a.service.created), ageOf(b.service.created)];
	if (a.rank !== b.rank) return a.rank - b.rank;
	if (older !== younger) return older < younger ? -1 : 1;
	return a.service.key < b.service.key ? -1 : 1;
}

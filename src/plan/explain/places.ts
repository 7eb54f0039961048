// What an address is known for where no Service has the port that was asked for: a node's address, or a cluster IP.

import { type Ip, ipFamily } from "../../model/address.ts";
import type { HubSnapshot, NodeScope } from "../plan_types.ts";
import { addressesOf, type Family, isOurs, type World } from "./wants.ts";

export type Place =
	/** Node ports of the hub of this rank are served here. */
	| { readonly kind: "node"; readonly rank: number; readonly scope: NodeScope; readonly why: string }
	/** Of these Services, as `namespace/name`. */
	| { readonly kind: "clusterIp"; readonly services: readonly string[] };

/** The host itself, seen from its own network namespace: loopback, and the unspecified address, which means loopback. */
const HOST: ReadonlySet<string> = new Set(["127.0.0.1", "::1", "0.0.0.0", "::"]);

/** A node's address goes before a cluster IP: its other ports are real. */
export function placeOf(world: World, ip: Ip): Place | undefined {
	return nodePlaceOf(world, ip) ?? clusterIpPlaceOf(world, ip);
}

function nodePlaceOf(world: World, ip: Ip): Place | undefined {
	const own = ownHub(world);
	const serving = [...world.hubs.keys()].filter((rank) => hasNodePorts(world, rank, ipFamily(ip)));
	if (HOST.has(ip)) {
		const rank = serving.find((each) => each === own);
		return rank === undefined ? undefined : { kind: "node", rank, scope: "host", why: "loopback of this node" };
	}
	for (const rank of serving) {
		const place = placeInHub(world, rank, ip, rank === own);
		if (place !== undefined) return place;
	}
	return undefined;
}

function placeInHub({ hubs, self }: World, rank: number, ip: Ip, isOwn: boolean): Place | undefined {
	const node = { kind: "node", rank } as const;
	const names = nodesWith(hubs[rank], ip);
	if (names.includes(self.nodeName)) return { ...node, scope: "own", why: "an address of this node" };
	if (isOwn && self.addresses.includes(ip))
		return { ...node, scope: "own", why: "an address of this host's interfaces" };
	return names[0] === undefined ? undefined : { ...node, scope: "remote", why: `an address of node ${names[0]}` };
}

/** The first one that has a Node with our name; undefined outside of all clusters. */
function ownHub({ hubs, self }: World): number | undefined {
	const rank = hubs.findIndex(({ cluster }) => cluster.nodes.has(self.nodeName));
	return rank < 0 ? undefined : rank;
}

function hasNodePorts({ hubs }: World, rank: number, family: Family): boolean {
	const services = [...(hubs[rank]?.cluster.services.values() ?? [])];
	return services.some(
		(service) =>
			isOurs(service) &&
			service.ports.some(({ nodePort }) => nodePort !== undefined) &&
			service.clusterIps.some((ip) => ipFamily(ip) === family),
	);
}

function nodesWith(hub: HubSnapshot | undefined, ip: Ip): readonly string[] {
	return [...(hub?.cluster.nodes.values() ?? [])].filter(({ ips }) => ips.includes(ip)).map(({ name }) => name);
}

function clusterIpPlaceOf(world: World, ip: Ip): Place | undefined {
	const services: string[] = [];
	for (const [rank, hub] of world.hubs.entries())
		for (const service of hub.cluster.services.values()) {
			if (!service.clusterIps.includes(ip)) continue;
			if (addressesOf(world, rank, hub, service).length > 0) services.push(service.key);
		}
	return services.length === 0 ? undefined : { kind: "clusterIp", services };
}

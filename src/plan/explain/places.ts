// What an address is known for where no Service has the port that was asked for: a node's address, or a cluster IP.

import { type Ip, ipFamily } from "../../model/address.ts";
import type { Family } from "../node_ports.ts";
import type { HubSnapshot, NodeScope } from "../plan_types.ts";
import { isOurs, type World } from "./wants.ts";

export type Place =
	/** Node ports of the hub of this rank are served here. */
	| { readonly kind: "node"; readonly rank: number; readonly scope: NodeScope; readonly why: string }
	/** A host's, without node ports: its ports are its own. */
	| { readonly kind: "host"; readonly why: string }
	/** Of these Services, as `namespace/name`. */
	| { readonly kind: "clusterIp"; readonly services: readonly string[] };

/** The host itself, seen from its own network namespace: loopback, and the unspecified address, which means loopback. */
const LOOPBACK: ReadonlySet<string> = new Set(["127.0.0.1", "::1", "0.0.0.0", "::"]);

/** A host's address goes before a cluster IP: its other ports are real. */
export function placeOf(world: World, ip: Ip): Place | undefined {
	return nodePlaceOf(world, ip) ?? hostPlaceOf(world, ip) ?? clusterIpPlaceOf(world, ip);
}

/**
 * Loopback and this host's interfaces lead to the first hub that this host is a node of; outside of all clusters they lead nowhere. What
 * the host itself has goes before what a hub says of such an address; then the first hub wins, and in it our own Node.
 */
function nodePlaceOf(world: World, ip: Ip): Place | undefined {
	const { hubs, self } = world;
	const serving = [...hubs.keys()].filter((rank) => hasNodePorts(world, rank, ipFamily(ip)));
	const home = serving.find((rank) => hubs[rank]?.cluster.nodes.has(self.nodeName));
	const isLoopback = LOOPBACK.has(ip);
	if (home !== undefined && isLoopback)
		return { kind: "node", rank: home, scope: "host", why: "loopback of this node" };
	if (home !== undefined && self.addresses.includes(ip))
		return { kind: "node", rank: home, scope: "own", why: "an address of this host's interfaces" };
	for (const rank of serving) {
		const names = nodesWith(hubs[rank], ip);
		if (names.includes(self.nodeName)) return { kind: "node", rank, scope: "own", why: "an address of this node" };
		if (names[0] !== undefined) return { kind: "node", rank, scope: "remote", why: `an address of node ${names[0]}` };
	}
	return undefined;
}

function hostPlaceOf({ hubs, self }: World, ip: Ip): Place | undefined {
	if (LOOPBACK.has(ip)) return { kind: "host", why: "loopback" };
	if (self.addresses.includes(ip)) return { kind: "host", why: "an address of this host's interfaces" };
	const name = hubs.flatMap((hub) => nodesWith(hub, ip))[0];
	return name === undefined ? undefined : { kind: "host", why: `an address of node ${name}` };
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
	for (const { cluster } of world.hubs)
		for (const service of cluster.services.values())
			if (isOurs(service) && service.clusterIps.includes(ip)) services.push(service.key);
	return services.length === 0 ? undefined : { kind: "clusterIp", services };
}

// What addresses are known for beyond the frontends that they have: cluster IPs, and the nodes at which node ports are opened.

import { createLayeredMap } from "../lib/layered_map.ts";
import { type Ip, ipFamily, parseIp } from "../model/address.ts";
import type { Node, Service } from "../model/cluster.ts";
import { isNodePortsIp, nodePortsIp } from "./node_ports.ts";
import type { KnownAddress, NodeScope, Self } from "./plan_types.ts";
import { isOurs, nodePortFamilies } from "./service_addresses.ts";
import type { Vantage } from "./vantage.ts";

export interface KnownAddresses {
	/** A Service of the hub of this rank is there; to be told once. */
	add(service: Service, rank: number): void;
	/** It is there no more: the identical object that was added. */
	drop(service: Service, rank: number): void;
	/** The identical map if nothing has changed. */
	settle(vantages: readonly Vantage[], self: Self): ReadonlyMap<Ip, KnownAddress>;
}

/** Where a client on this host reaches the host itself; 0.0.0.0 and :: mean loopback to connect(2). */
const LOOPBACK: readonly Ip[] = ["127.0.0.1", "::1", "0.0.0.0", "::"].flatMap((text) => parseIp(text) ?? []);
const CLUSTER_IP: KnownAddress = { kind: "clusterIp" };

/** Counts, since several may want one; `changed` has what came or went. */
interface Counted {
	readonly counts: Map<Ip, number>;
	readonly changed: Set<Ip>;
}

interface Nodes {
	readonly vantages: readonly Vantage[];
	readonly addresses: readonly Ip[];
	/** What node ports lead to. */
	readonly known: ReadonlyMap<Ip, KnownAddress>;
	/** All nodes' addresses, those in `known` among them: their other ports are theirs, whatever a Service claims. */
	readonly real: ReadonlySet<Ip>;
}

const NO_NODES: Nodes = { vantages: [], addresses: [], known: new Map(), real: new Set() };

export function createKnownAddresses(): KnownAddresses {
	const clusterIps: Counted = { counts: new Map(), changed: new Set() };
	/** By the addresses that stand for them. */
	const nodePorts: Counted = { counts: new Map(), changed: new Set() };
	const known = createLayeredMap<KnownAddress, Ip>();
	let nodes = NO_NODES;
	let snapshot: ReadonlyMap<Ip, KnownAddress> = new Map();

	function count(service: Service, rank: number, step: 1 | -1): void {
		// Even of a Service with none but SCTP ports: what is TCP or UDP there is nobody's.
		const ips = isOurs(service) ? service.clusterIps : [];
		for (const ip of ips) if (!isNodePortsIp(ip)) countOne(clusterIps, ip, step);
		for (const family of nodePortFamilies(service)) countOne(nodePorts, nodePortsIp(rank, family), step);
	}

	/** Reads the nodes again if they may have changed; returns every address that they have to do with, before or after. */
	function* refreshNodes(vantages: readonly Vantage[], self: Self): Generator<Ip, undefined> {
		if (nodePorts.changed.size === 0 && isSameNodes(nodes, vantages, self)) return;
		nodePorts.changed.clear();
		const before = nodes;
		nodes = readNodes(vantages, self, nodePorts.counts);
		yield* before.real;
		yield* nodes.real;
	}

	/** Whether it is another value than before. */
	function decide(ip: Ip): boolean {
		const now = nodes.known.get(ip) ?? (clusterIps.counts.has(ip) && !nodes.real.has(ip) ? CLUSTER_IP : undefined);
		if (isSameAddress(now, known.get(ip))) return false;
		if (now === undefined) known.delete(ip);
		else known.set(ip, now);
		return true;
	}

	return {
		add: (service, rank) => count(service, rank, 1),
		drop: (service, rank) => count(service, rank, -1),
		settle(vantages, self) {
			const undecided = new Set([...clusterIps.changed, ...refreshNodes(vantages, self)]);
			clusterIps.changed.clear();
			const changed = [...undecided].filter(decide);
			if (changed.length > 0) snapshot = known.snapshot();
			return snapshot;
		},
	};
}

function countOne({ counts, changed }: Counted, ip: Ip, step: 1 | -1): void {
	const before = counts.get(ip) ?? 0;
	const now = before + step;
	if (now > 0) counts.set(ip, now);
	else counts.delete(ip);
	if (before === 0 || now === 0) changed.add(ip);
}

function isSameAddress(a: KnownAddress | undefined, b: KnownAddress | undefined): boolean {
	if (a?.kind !== "node" || b?.kind !== "node") return a?.kind === b?.kind;
	return a.nodePorts === b.nodePorts && a.scope === b.scope;
}

function isSameNodes({ vantages, addresses }: Nodes, next: readonly Vantage[], self: Self): boolean {
	return (
		vantages.length === next.length &&
		vantages.every((vantage, rank) => vantage === next[rank]) &&
		addresses.length === self.addresses.length &&
		addresses.every((ip, index) => ip === self.addresses[index])
	);
}

/**
 * This host's own interfaces lead to the first hub that it is a node of, and go before what hubs say of such an address; then the
 * first hub that has node ports wins, and in it our own Node.
 */
function readNodes(vantages: readonly Vantage[], self: Self, nodePorts: ReadonlyMap<Ip, number>): Nodes {
	const known = new Map<Ip, KnownAddress>();
	const open: Opener = (ip, rank, scope) => {
		const at = nodePortsIp(rank, ipFamily(ip));
		if (!nodePorts.has(at)) return false;
		if (!known.has(ip)) known.set(ip, { kind: "node", nodePorts: at, scope });
		return true;
	};
	const homes = [...vantages.keys()].filter((rank) => vantages[rank]?.isNode);
	for (const ip of LOOPBACK) homes.some((rank) => open(ip, rank, "host"));
	for (const ip of self.addresses) homes.some((rank) => open(ip, rank, "own"));
	for (const [rank, { nodes }] of vantages.entries()) {
		const own = nodes.get(self.nodeName);
		if (own !== undefined) openNode(own, rank, "own", open);
		for (const node of nodes.values()) if (node !== own) openNode(node, rank, "remote", open);
	}
	const real = new Set([...LOOPBACK, ...self.addresses, ...vantages.flatMap((vantage) => [...vantage.nodeIps()])]);
	return { vantages, addresses: self.addresses, known, real };
}

/** False: this hub has no node ports in the address's family. */
type Opener = (ip: Ip, rank: number, scope: NodeScope) => boolean;

function openNode({ ips }: Node, rank: number, scope: NodeScope, open: Opener): void {
	for (const ip of ips) open(ip, rank, scope);
}

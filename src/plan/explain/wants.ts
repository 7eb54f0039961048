// Which Services want an address, and which of them has it.

import { type Ip, ipFamily, type L4Address, l4Address, type Port } from "../../model/address.ts";
import type { Service, ServicePort } from "../../model/cluster.ts";
import { type Family, isNodePortsIp, nodePortsIp } from "../node_ports.ts";
import type { FrontendMode, HubSnapshot, Self } from "../plan_types.ts";
import { type Offer, reachesByIngress } from "./ways.ts";

/** All that is known when the question is asked. */
export interface World {
	/** In the order in which they win. */
	readonly hubs: readonly HubSnapshot[];
	readonly self: Self;
}

/** A Service that wants an address. */
export interface Want {
	/** The place of its hub. */
	readonly rank: number;
	readonly hub: HubSnapshot;
	readonly service: Service;
	readonly port: ServicePort;
	readonly mode: FrontendMode;
	readonly address: L4Address;
}

/** Cluster IPs and load balancers' addresses are given, external IPs are claimed by whoever writes a Service. */
const STRENGTH: Readonly<Record<FrontendMode, number>> = {
	Canary: 0,
	localRedirectService: 1,
	localRedirectAddress: 1,
	balancingPod: 2,
	balancingHostPort: 2,
	balancingNodeProxy: 2,
	balancingAddress: 2,
	ServiceClusterIP: 3,
	ServiceNodeport: 3,
	ServiceLoadbalancer: 4,
	ServiceExternalIP: 5,
};

/** Those that want it, the one that has it first: the earlier hub's, the stronger kind of address, the older, the first by name. */
export function wantsOf(world: World, address: L4Address): readonly Want[] {
	const wants: Want[] = [];
	for (const [rank, hub] of world.hubs.entries())
		for (const service of hub.cluster.services.values()) {
			const want = addressesOf(world, rank, hub, service).find((each) => each.address === address);
			if (want !== undefined) wants.push(want);
		}
	return wants.sort((a, b) => a.rank - b.rank || STRENGTH[a.mode] - STRENGTH[b.mode] || byAge(a.service, b.service));
}

/** Every address that a Service asks for, whoever has it in the end. */
export function addressesOf(world: World, rank: number, hub: HubSnapshot, service: Service): readonly Want[] {
	if (!isOurs(service)) return [];
	return service.ports.flatMap((port, index) => {
		const standing = isRepeated(service, index) ? [] : standingOf(world, { hub, service, port });
		const here = [...standing, ...nodePortsOf(service, port, rank)];
		return here.map(({ mode, ip, number }) => {
			return { rank, hub, service, port, mode, address: l4Address(ip, number, port.protocol) };
		});
	});
}

interface Standing {
	readonly mode: FrontendMode;
	readonly ip: Ip;
	readonly number: Port;
}

/**
 * At the port's own number. A Service is known in the families of its cluster IPs alone, as to kube-proxy. External IPs may be anybody's
 * (CVE-2020-8554): an agent can be told to refuse them.
 */
function standingOf(world: World, offer: Offer): readonly Standing[] {
	const { service, port } = offer;
	const families = familiesOf(service);
	const { ingressIps = [], externalIps = [] } = service.external ?? {};
	const claimed = world.self.refusesExternalIps ? [] : externalIps;
	const own = ingressIps.filter((ip) => !reachesByIngress(world, offer, ipFamily(ip)));
	return [
		...service.clusterIps.map((ip) => ({ mode: "ServiceClusterIP" as const, ip })),
		...own.map((ip) => ({ mode: "ServiceLoadbalancer" as const, ip })),
		...claimed.filter((ip) => !ingressIps.includes(ip)).map((ip) => ({ mode: "ServiceExternalIP" as const, ip })),
	]
		.filter(({ ip }) => families.includes(ipFamily(ip)) && !isNodePortsIp(ip))
		.map((each) => ({ ...each, number: port.port }));
}

function nodePortsOf(service: Service, { nodePort }: ServicePort, rank: number): readonly Standing[] {
	if (nodePort === undefined) return [];
	return familiesOf(service).map((family) => {
		return { mode: "ServiceNodeport" as const, ip: nodePortsIp(rank, family), number: nodePort };
	});
}

/** Kubernetes: kube-proxy leaves ExternalName, headless and labelled Services alone (pkg/proxy/util ShouldSkipService). */
export function isOurs({ type, otherProxy, clusterIps }: Service): boolean {
	return type !== "ExternalName" && !otherProxy && clusterIps.length > 0;
}

/** The API refuses a port that stands there twice; of what came past it the first one counts. Its node port may be another. */
function isRepeated({ ports }: Service, index: number): boolean {
	const { port, protocol } = ports[index] ?? {};
	return ports.slice(0, index).some((other) => other.port === port && other.protocol === protocol);
}

/** The families of a Service are those of its cluster IPs. */
export function familiesOf({ clusterIps }: Service): readonly Family[] {
	return (["IPv4", "IPv6"] as const).filter((family) => clusterIps.some((ip) => ipFamily(ip) === family));
}

/** What has no time of creation that can be read is the youngest. */
function byAge(a: Service, b: Service): number {
	const [older, younger] = [timeOf(a), timeOf(b)];
	if (older !== younger) return older < younger ? -1 : 1;
	if (a.key === b.key) return 0;
	return a.key < b.key ? -1 : 1;
}

function timeOf({ created }: Service): number {
	const time = Date.parse(created);
	return Number.isNaN(time) ? Number.POSITIVE_INFINITY : time;
}

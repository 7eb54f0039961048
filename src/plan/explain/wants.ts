// Which Services want an address.

import { type Ip, ipFamily, type L4Address, l4Address, type Port } from "../../model/address.ts";
import type { Service, ServicePort } from "../../model/cluster.ts";
import { type Family, isNodePortsIp, nodePortsIp } from "../node_ports.ts";
import type { FrontendMode, HubSnapshot, Quarantine, Self } from "../plan_types.ts";
import { type Offer, reachesByIngress } from "./ways.ts";

/** All that is known when the question is asked. */
export interface World {
	/** In the order in which they win. */
	readonly hubs: readonly HubSnapshot[];
	readonly self: Self;
	/** Backends that are not well. */
	readonly quarantine: Quarantine;
}

/** A Service that wants an address. */
export interface ServiceWant {
	readonly kind: "service";
	/** The place of its hub. */
	readonly rank: number;
	readonly hub: HubSnapshot;
	readonly service: Service;
	readonly port: ServicePort;
	readonly mode: FrontendMode;
	readonly address: L4Address;
}

/** In no order. */
export function wantsOf(world: World, address: L4Address): readonly ServiceWant[] {
	return world.hubs.flatMap((hub, rank) =>
		[...hub.cluster.services.values()].flatMap(
			(service) => addressesOf(world, rank, hub, service).find((each) => each.address === address) ?? [],
		),
	);
}

/** Every address that a Service asks for, whoever has it in the end. */
export function addressesOf(world: World, rank: number, hub: HubSnapshot, service: Service): readonly ServiceWant[] {
	if (!isOurs(service)) return [];
	return service.ports.flatMap((port, index) => {
		const standing = isRepeated(service, index) ? [] : standingOf(world, { hub, service, port });
		const here = [...standing, ...nodePortsOf(service, port, rank)];
		return here.map(({ mode, ip, number }) => {
			return { kind: "service", rank, hub, service, port, mode, address: l4Address(ip, number, port.protocol) };
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

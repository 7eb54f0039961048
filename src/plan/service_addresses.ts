// The addresses at which a Service can be opened, without their ports.

import { type Ip, ipFamily } from "../model/address.ts";
import type { Service } from "../model/cluster.ts";
import type { Problem } from "../model/problem.ts";
import { type Family, isNodePortsIp, nodePortsIp } from "./node_ports.ts";
import type { FrontendMode, Self } from "./plan_types.ts";

export interface ServiceAddress {
	readonly ip: Ip;
	readonly family: Family;
	readonly mode: FrontendMode;
}

/** A headless Service has no cluster IPs to begin with. */
export function isOurs(service: Service): boolean {
	return service.type !== "ExternalName" && !service.otherProxy;
}

/** Of its cluster IPs (spec.ipFamilies may say more than it got), each once. */
export function familiesOf({ clusterIps }: Service): readonly Family[] {
	return [...new Set(clusterIps.map(ipFamily))];
}

/** The families in which it has node ports. */
export function nodePortFamilies(service: Service): readonly Family[] {
	if (!isOurs(service)) return [];
	return service.ports.some(({ nodePort }) => nodePort !== undefined) ? familiesOf(service) : [];
}

/** Those that stand for its ports: each address once, as the first of what it is. */
export function addressesOf(service: Service, self: Self): readonly ServiceAddress[] {
	if (!isOurs(service)) return [];
	const addresses = new Map<Ip, ServiceAddress>();
	const add = (ips: readonly Ip[], mode: FrontendMode): void => {
		for (const ip of ips)
			if (!addresses.has(ip) && !isNodePortsIp(ip)) addresses.set(ip, { ip, family: ipFamily(ip), mode });
	};
	add(service.clusterIps, "ServiceClusterIP");
	const { external } = service;
	if (external !== undefined) {
		// kube-proxy as well knows a Service only in the families of its cluster IPs.
		const families = familiesOf(service);
		const ofFamily = (ip: Ip): boolean => families.includes(ipFamily(ip));
		add(external.ingressIps.filter(ofFamily), "ServiceLoadbalancer");
		if (!self.refusesExternalIps) add(external.externalIps.filter(ofFamily), "ServiceExternalIP");
	}
	return [...addresses.values()];
}

/** Those that stand for its node ports. */
export function nodePortAddresses(service: Service, rank: number): readonly ServiceAddress[] {
	return nodePortFamilies(service).map((family) => ({
		ip: nodePortsIp(rank, family),
		family,
		mode: "ServiceNodeport",
	}));
}

/** What of a Service's addresses is not programmed, whatever other Services have. */
export function addressProblems(service: Service, self: Self): readonly Problem[] {
	if (!isOurs(service)) return [];
	const reserved = fieldsOf(service).flatMap(([field, ips]) =>
		ips.filter(isNodePortsIp).map((ip) => problemOf(service, field, "Unsupported", `${ip} ${RESERVED}`)),
	);
	return service.external === undefined ? reserved : [...reserved, ...externalIpProblems(service, self)];
}

const RESERVED = "is one of the addresses that stand for node ports here: give the Service another one";

function externalIpProblems(service: Service, self: Self): readonly Problem[] {
	const { clusterIps, external } = service;
	const ips = external?.externalIps ?? [];
	// A headless Service has none, whatever it says.
	if (ips.length === 0 || clusterIps.length === 0) return [];
	const field = "spec.externalIPs";
	if (self.refusesExternalIps) {
		const fact = `${ips.join(", ")} ${ips.length === 1 ? "is" : "are"} left alone, because this agent refuses external IPs`;
		return [problemOf(service, field, "Refused", `${fact}: use a Service of type LoadBalancer`)];
	}
	const families = familiesOf(service);
	const others = ips.filter((ip) => !families.includes(ipFamily(ip)));
	return others.map((ip) => {
		const fact = `${ip} is ${ipFamily(ip)}, and the Service has no cluster IP of this family`;
		return problemOf(
			service,
			field,
			"InvalidObject",
			`${fact}: add the family to spec.ipFamilies, or leave the address out`,
		);
	});
}

function problemOf({ key }: Service, field: string, reason: Problem["reason"], message: string): Problem {
	return { object: `Service ${key}`, field, reason, message };
}

function fieldsOf({ clusterIps, external }: Service): readonly (readonly [field: string, ips: readonly Ip[]])[] {
	if (external === undefined) return [["spec.clusterIPs", clusterIps]];
	return [
		["spec.clusterIPs", clusterIps],
		["status.loadBalancer.ingress", external.ingressIps],
		["spec.externalIPs", external.externalIps],
	];
}

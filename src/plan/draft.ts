// What one Service asks for, whatever other objects ask for.

import type { Ip, L4Address } from "../model/address.ts";
import { ipFamily, l4Address } from "../model/address.ts";
import type { Service, ServicePort } from "../model/cluster.ts";
import type { Problem } from "../model/problem.ts";
import type { Backends, Slices, Want } from "./endpoints.ts";
import { chooseBackends } from "./endpoints.ts";
import type { Frontend, Self } from "./plan_types.ts";

/** Backends of one frontend, active and terminating together: what 16 bits count. */
export const MAX_BACKENDS = 65_535;

export interface Draft {
	/** Sorted by address, distinct. */
	readonly frontends: readonly Frontend[];
	readonly problems: readonly Problem[];
}

/** With its slices in each of the clusters that it has endpoints in. Total: what cannot be done becomes a Problem. */
export function draftService(service: Service, clusters: readonly Slices[], self: Self): Draft {
	const frontends = new Map<L4Address, Frontend>();
	const problems: Problem[] = [];
	const ips = isOurs(service) ? [...new Set(service.clusterIps)] : [];
	for (const [index, port] of service.ports.entries()) {
		for (const ip of ips) {
			const address = l4Address(ip, port.port, port.protocol);
			if (frontends.has(address)) {
				problems.push(repeatedPort(service, index, port));
				break;
			}
			const all = chooseBackends(clusters, wantOf(service, port, ip, self));
			const backends = limit(all);
			if (backends !== all) problems.push(tooManyBackends(service, address, all));
			frontends.set(address, frontendOf(service, port, address, backends));
		}
	}
	return { frontends: [...frontends.values()].sort(byAddress), problems };
}

/** A headless Service has no cluster IPs to begin with. */
function isOurs(service: Service): boolean {
	return service.type !== "ExternalName" && !service.otherProxy;
}

function wantOf(service: Service, port: ServicePort, ip: Ip, self: Self): Want {
	return {
		family: ipFamily(ip),
		portName: port.name,
		protocol: port.protocol,
		nodeName: service.internalTrafficPolicy === "Local" ? self.nodeName : undefined,
	};
}

function frontendOf(service: Service, port: ServicePort, address: L4Address, backends: Backends): Frontend {
	return {
		address,
		name: `${service.key}:${port.name === "" ? port.port : port.name}`,
		mode: "ServiceClusterIP",
		...backends,
		// UDP sockets always remember: their flows must keep their backend.
		keepsPeer: port.protocol === "UDP" || service.peerAddress === "frontend",
	};
}

/** The same object if it is within the limit; active backends go before terminating ones. */
function limit(backends: Backends): Backends {
	const { active, terminating } = backends;
	if (active.length + terminating.length <= MAX_BACKENDS) return backends;
	const kept = active.slice(0, MAX_BACKENDS);
	return { active: kept, terminating: terminating.slice(0, MAX_BACKENDS - kept.length) };
}

function tooManyBackends(service: Service, address: L4Address, { active, terminating }: Backends): Problem {
	const count = active.length + terminating.length;
	return {
		object: `Service ${service.key}`,
		reason: "TooLarge",
		message: `Frontend ${address} has ${count} backends, and ${MAX_BACKENDS} fit: the last ones by address are left out`,
	};
}

function repeatedPort(service: Service, index: number, { port, protocol }: ServicePort): Problem {
	return {
		object: `Service ${service.key}`,
		field: `spec.ports[${index}]`,
		reason: "InvalidObject",
		message: `${port}/${protocol} stands here twice: the first one is used`,
	};
}

function byAddress(a: Frontend, b: Frontend): number {
	return a.address < b.address ? -1 : 1;
}

// Frontends and backends of policies in the words of a case: one port, called p.

import type { Case, TestService } from "./case.ts";
import { type HostName, hostNamed } from "./network.ts";
import type { Fields, Pair } from "./objects.ts";
import { toPorts } from "./policies.ts";

/** The frontend of a policy: port 80 of a Service. */
export function ofService(c: Case, { namespace, name }: TestService, port = 80): Fields {
	return { serviceMatcher: { namespace, serviceName: name, toPorts: toPorts(c.protocol, [{ name: "p", port }]) } };
}

/** The frontend of a policy: port 80 of an address. */
export function ofAddress(c: Case, vip: Pair, port = 80): Fields {
	return { addressMatcher: { ip: c.family.pick(vip), toPorts: toPorts(c.protocol, [{ name: "p", port }]) } };
}

/** A backend of a LocalRedirectPolicy, and of a BalancingPolicy in this mode: the case's Pods. */
export function localPods(c: Case, port = 8080): Fields {
	return { endpointSelector: { matchLabels: c.labels }, toPorts: toPorts(c.protocol, [{ name: "p", port }]) };
}

export function pods(c: Case, redirectMode: string, port = 8080): Fields {
	return { serviceEndpoint: { ...localPods(c, port), redirectMode } };
}

/** A backend of a BalancingPolicy: port 8080 of these hosts. */
export function addresses(c: Case, hosts: readonly HostName[]): Fields {
	const addressEndpoint = {
		addresses: hosts.map((host) => c.family.pick(hostNamed(host))),
		toPorts: toPorts(c.protocol, [{ name: "p", port: 8080 }]),
	};
	return { addressEndpoint };
}

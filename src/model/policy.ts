// The two policies (balancing.elf.io/v1beta1), projected: what clients open, and where they arrive instead.

import type { Ip, Port, Protocol } from "./address.ts";
import type { HealthCheck } from "./health_check.ts";
import type { LabelSelector } from "./label_selector.ts";

/** One entry of a `toPorts`. */
export interface PolicyPort {
	/** What pairs a frontend's port with a backend's of the same protocol; "" if it has none. */
	readonly name: string;
	readonly port: Port;
	readonly protocol: Protocol;
}

/** spec.frontend. */
export type PolicyFrontend =
	/** The cluster IPs of a Service, `namespace/name`. Without ports: all that it has. */
	| { readonly kind: "service"; readonly service: string; readonly ports: readonly PolicyPort[] }
	| { readonly kind: "address"; readonly ip: Ip; readonly ports: readonly PolicyPort[] };

/** spec.config: on which hosts the policy holds. */
export interface PolicyHosts {
	/** spec.config.nodeLabelSelector: which nodes of the cluster. Empty: all. */
	readonly nodes: LabelSelector;
	/** spec.config.enableOutCluster: hosts that are no node of the cluster, too. */
	readonly outCluster: boolean;
}

interface PolicyBase {
	readonly name: string;
	/** metadata.creationTimestamp (RFC 3339), "" if it has none: the older policy wins a conflict. */
	readonly created: string;
	/** metadata.uid: one that is deleted and made again is another one, with a status of its own. */
	readonly uid?: string;
	/** metadata.generation, 0 if it has none: what a condition is about. */
	readonly generation: number;
	/** Annotation balancing.elf.io/serviceId, for events alone. */
	readonly serviceId?: number;
	readonly frontend: PolicyFrontend;
	readonly hosts: PolicyHosts;
	/** Annotation balancing.elf.io/close-on-remove. Absent: udp. */
	readonly closeOnRemove?: "all" | "none";
}

/** To ready pods on the client's own node, in any namespace; without any, as if there were no policy. */
export interface LocalRedirectPolicy extends PolicyBase {
	readonly kind: "LocalRedirectPolicy";
	readonly pods: LabelSelector;
	/** Of the pods. */
	readonly ports: readonly PolicyPort[];
	/** Annotation balancing.elf.io/redirect-qos-limit: redirects per second of each address; 0 is no limit. Absent: as the agent has it. */
	readonly qosLimit?: number;
}

/** How a selected pod is reached (spec.backend.serviceEndpoint.redirectMode). */
export type RedirectMode = "podEndpoint" | "hostPort" | "nodeProxy";

export type PolicyBackend =
	| {
			readonly kind: "pods";
			readonly mode: RedirectMode;
			readonly pods: LabelSelector;
			readonly ports: readonly PolicyPort[];
	  }
	| {
			readonly kind: "addresses";
			/** Distinct, as they were written. */
			readonly addresses: readonly WeightedAddress[];
			readonly ports: readonly PolicyPort[];
	  };

export interface WeightedAddress {
	readonly ip: Ip;
	/** Annotation balancing.elf.io/weight (`192.0.2.1=3,192.0.2.2=1`), 0 to 1000; 1 where it says nothing. 0: no new connections. */
	readonly weight: number;
}

export interface BalancingPolicy extends PolicyBase {
	readonly kind: "BalancingPolicy";
	readonly backend: PolicyBackend;
	/** Annotation balancing.elf.io/health-check. Absent: backends are believed. */
	readonly healthCheck?: HealthCheck;
}

export type Policy = LocalRedirectPolicy | BalancingPolicy;

/** `BalancingPolicy legacy-db`: the key of a policy among those of its cluster, and its name in Problems. */
export type PolicyKey = `${Policy["kind"]} ${string}`;

export function policyKey({ kind, name }: Pick<Policy, "kind" | "name">): PolicyKey {
	return `${kind} ${name}`;
}

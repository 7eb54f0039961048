// What exists: an immutable projection of the Kubernetes objects that a plan reads, never the objects themselves.

import type { Ip, Port, Protocol } from "./address.ts";

/** One port of a Service (core/v1 ServicePort). */
export interface ServicePort {
	/** "" where the Service has one unnamed port. */
	readonly name: string;
	readonly port: Port;
	readonly protocol: Protocol;
}

/** A Service (core/v1), projected. */
export interface Service {
	/** `namespace/name`. */
	readonly key: string;
	readonly type: "ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName";
	/** spec.clusterIPs; empty for headless and ExternalName Services. */
	readonly clusterIps: readonly Ip[];
	readonly ports: readonly ServicePort[];
	/** spec.internalTrafficPolicy. */
	readonly internalTrafficPolicy: "Cluster" | "Local";
	/** metadata.labels has service.kubernetes.io/service-proxy-name: another proxy's business. */
	readonly otherProxy: boolean;
	/** Annotation balancing.elf.io/peer-address: what getpeername(2) of a TCP client shows. */
	readonly peerAddress: "frontend" | "backend";
	/** Annotation balancing.elf.io/global: merged with the Services of the same key in other clusters that have it as well. */
	readonly global: boolean;
	/** metadata.creationTimestamp (RFC 3339), "" if it has none: the older object wins a conflict. */
	readonly created: string;
}

/** One endpoint of an EndpointSlice (discovery.k8s.io/v1). */
export interface Endpoint {
	/** The first address; the others are never used (API rule). */
	readonly ip: Ip;
	readonly ready: boolean;
	readonly serving: boolean;
	readonly terminating: boolean;
	/** "" if unknown. */
	readonly nodeName: string;
}

/** One port of an EndpointSlice: the port the endpoints listen on. */
export interface EndpointPort {
	readonly name: string;
	readonly port: Port;
	readonly protocol: Protocol;
}

/** An EndpointSlice (discovery.k8s.io/v1), projected. FQDN slices are not kept. */
export interface EndpointSlice {
	readonly key: string;
	/** `namespace/name` of its Service (label kubernetes.io/service-name). */
	readonly service: string;
	readonly addressType: "IPv4" | "IPv6";
	readonly endpoints: readonly Endpoint[];
	readonly ports: readonly EndpointPort[];
}

/**
 * An immutable snapshot. What did not change from one snapshot to the next is the identical (===) value,
 * in particular the array of slices of one Service: `plan` memoises by it.
 */
export interface Cluster {
	/** By Service key. */
	readonly services: ReadonlyMap<string, Service>;
	/** By Service key; sorted by slice key; absent or empty if there are none. */
	readonly slices: ReadonlyMap<string, readonly EndpointSlice[]>;
	/** What a hub could not read or accept. */
	readonly problems: readonly import("./problem.ts").Problem[];
}

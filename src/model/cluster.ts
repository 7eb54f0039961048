// What exists: an immutable projection of the Kubernetes objects that a plan reads, never the objects themselves.

import type { Ip, Port, Protocol } from "./address.ts";
import type { EndpointList } from "./endpoint_list.ts";
import type { HealthCheck } from "./health_check.ts";
import type { Labels } from "./labels.ts";
import type { Pod } from "./pod.ts";
import type { Policy, PolicyKey } from "./policy.ts";

/** One port of a Service (core/v1 ServicePort). */
export interface ServicePort {
	/** "" where the Service has one unnamed port. */
	readonly name: string;
	readonly port: Port;
	readonly protocol: Protocol;
	/** spec.ports[].nodePort of a Service of type NodePort or LoadBalancer. */
	readonly nodePort?: Port;
}

/** How a client gets to an endpoint that is on another node. */
export type Reach = "pod" | "node-port" | "node-proxy" | "load-balancer" | "auto";

/** Who is one client to a Service with session affinity: annotation balancing.elf.io/client-identity. */
export type ClientIdentity = "netns" | "cgroup" | "uid" | "process";

/** spec.sessionAffinity ClientIP. */
export interface SessionAffinity {
	/** Since the client's last connection; 1 to 86,400. */
	readonly seconds: number;
	readonly client: ClientIdentity;
}

/** What a Service has for clients outside its cluster. */
export interface External {
	/** spec.externalIPs. */
	readonly externalIps: readonly Ip[];
	/** status.loadBalancer.ingress[].ip of a Service of type LoadBalancer, where ipMode is VIP (KEP-1860). */
	readonly ingressIps: readonly Ip[];
	/** spec.externalTrafficPolicy. */
	readonly trafficPolicy: "Cluster" | "Local";
	/** spec.healthCheckNodePort of a Service of type LoadBalancer with traffic policy Local. */
	readonly healthCheckNodePort?: Port;
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
	/** Absent: it has no external IP, no ingress, no node port and no health check node port. */
	readonly external?: External;
	/** Absent: None. */
	readonly affinity?: SessionAffinity;
	/** Annotation balancing.elf.io/close-on-remove: whose sockets are closed when their backend is gone. Absent: udp. */
	readonly closeOnRemove?: "all" | "none";
	/** Annotation balancing.elf.io/reach. Absent: as the agent has it. */
	readonly reach?: Reach;
	/** Annotation balancing.elf.io/health-check. Absent: what EndpointSlices say is believed. */
	readonly healthCheck?: HealthCheck;
	/** metadata.creationTimestamp (RFC 3339), "" if it has none: the older object wins a conflict. */
	readonly created: string;
}

/** For whose clients an endpoint is meant (EndpointSlice endpoints[].hints). */
export interface Hints {
	/** hints.forNodes: names of nodes. */
	readonly nodes: readonly string[];
	/** hints.forZones: names of zones. */
	readonly zones: readonly string[];
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
	/** Absent: none. */
	readonly hints?: Hints;
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
	/** `endpointsIn` takes them out. */
	readonly endpoints: EndpointList;
	readonly ports: readonly EndpointPort[];
}

/** A Node (core/v1), projected. */
export interface Node {
	readonly name: string;
	/** status.addresses: those of type InternalIP, then those of type ExternalIP; distinct. */
	readonly ips: readonly Ip[];
	/** Label topology.kubernetes.io/zone; "" if it has none. */
	readonly zone: string;
	/** Annotations balancing.elf.io/nodeProxyIpv4 and nodeProxyIpv6. */
	readonly proxyIps: readonly Ip[];
	/** Annotation balancing.elf.io/nodeId, a number that no other node has; absent: none that can be read. Nothing depends on it. */
	readonly id?: number;
	/** Only of the host's own Node: nobody asks for those of others. */
	readonly labels?: Labels;
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
	/** By name. */
	readonly nodes: ReadonlyMap<string, Node>;
	/** Those of our own node, and those that a policy selects: a policy is not shown before its Pods are known. By `namespace/name`. */
	readonly pods: ReadonlyMap<string, Pod>;
	readonly policies: ReadonlyMap<PolicyKey, Policy>;
	/** What a hub could not read or accept. */
	readonly problems: readonly import("./problem.ts").Problem[];
}

/** What is known before anything is. */
export const EMPTY_CLUSTER: Cluster = {
	services: new Map(),
	slices: new Map(),
	nodes: new Map(),
	pods: new Map(),
	policies: new Map(),
	problems: [],
};

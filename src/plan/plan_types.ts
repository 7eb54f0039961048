// What a plan says, in addresses: numbers (ids, slots) are the kernel's affair and are given in datapath/.

import type { Ip, L4Address } from "../model/address.ts";
import type { Cluster, Reach, SessionAffinity } from "../model/cluster.ts";
import type { HealthCheck } from "../model/health_check.ts";
import type { Policy } from "../model/policy.ts";
import type { Problem } from "../model/problem.ts";

/** One address that clients connect to, and where they arrive. */
export interface Frontend {
	readonly address: L4Address;
	/** `namespace/name:port` of a Service, `name:port` of a policy; the port's name or number. */
	readonly name: string;
	readonly mode: FrontendMode;
	/** Where new connections go; sorted. A backend with more weight stands there more often. Empty: refused. */
	readonly active: readonly L4Address[];
	/** Backends that keep the UDP flows they have, no more; sorted, distinct, none of `active`. */
	readonly terminating: readonly L4Address[];
	/** TCP sockets remember the frontend (getpeername, connection counts), at the price of per-socket state. */
	readonly keepsPeer: boolean;
	/** A client goes on to the backend that it has had, as long as that is active. */
	readonly affinity?: Affinity;
	/** Whose sockets are closed when their backend is gone. Absent: those of UDP. */
	readonly closeOnRemove?: "all" | "none";
	/** Of a node port: only on this host's own addresses; on other nodes' the connection goes there as it is. */
	readonly ownNodeOnly?: true;
	/** Of a LocalRedirectPolicy. Without active backends it keeps the flows that it has, and new connections are as if it were not there. */
	readonly redirect?: Redirect;
}

export interface Redirect {
	/** Clients of this group are the redirect's own backends: to them it is as if there were no redirect. A key of `Plan.guards`. */
	readonly guard: string;
	/** Redirects per second of CLOCK_MONOTONIC to this address; what is over it goes on as if there were no redirect. 0: no limit. */
	readonly limit: number;
	/** Who would have the address if there were no redirect; absent: nobody, and what is known of the address counts. It has no redirect itself. */
	readonly next?: Frontend;
}

/** A pod whose own connections are not redirected: the programs know them by its cgroup or its network namespace. */
export interface GuardedPod {
	/** `namespace/name`. */
	readonly pod: string;
	/** Of its cgroup; "" if unknown. */
	readonly uid: string;
	readonly ips: readonly Ip[];
	/** Its network namespace is the host's: that tells nothing. */
	readonly hostNetwork: boolean;
}

/** What kind of address it is; names as events have them. */
export type FrontendMode =
	| "ServiceClusterIP"
	| "ServiceNodeport"
	| "ServiceLoadbalancer"
	| "ServiceExternalIP"
	| "localRedirectService"
	| "localRedirectAddress"
	| "balancingPod"
	| "balancingHostPort"
	| "balancingNodeProxy"
	| "balancingAddress"
	| "Canary";

export interface Affinity extends SessionAffinity {
	/** Frontends with the same group share what is known of their clients: those of one port of a Service, in one family. */
	readonly group: string;
}

/** What an address is known for where no frontend has the port. */
export type KnownAddress =
	/** A cluster IP: what it has no frontend for is refused. */
	| { readonly kind: "clusterIp" }
	/** A node's: its node ports are the frontends of the address `nodePorts`. */
	| { readonly kind: "node"; readonly nodePorts: Ip; readonly scope: NodeScope };

/** `remote`: another node. `own`: this one. `host`: this one, for clients in the host's network namespace (loopback). */
export type NodeScope = "remote" | "own" | "host";

/** The frontends of one object. The identical (===) chunk means: nothing changed. */
export interface Chunk {
	/** `namespace/name` of the Service, or a policy's key. */
	readonly object: string;
	/** Where it comes from, if there are several hubs. */
	readonly hub?: string;
	/** Sorted by address. */
	readonly frontends: readonly Frontend[];
}

/** The whole wanted state. No two frontends of a plan have one address. */
export interface Plan {
	/** By a key of no meaning, which stays with its object as long as there are the same hubs. */
	readonly chunks: ReadonlyMap<string, Chunk>;
	readonly addresses: ReadonlyMap<Ip, KnownAddress>;
	/** By the group's name; the identical (===) map if nothing changed. */
	readonly guards: ReadonlyMap<string, readonly GuardedPod[]>;
	/** Backends whose health is asked for, by `probeKey`; the identical (===) map if nothing changed. */
	readonly probes: ReadonlyMap<ProbeKey, Probe>;
	/** What became of each policy here, by its chunk's key; the identical (===) map if nothing changed. */
	readonly policies: ReadonlyMap<string, PolicyState>;
	/** Sorted by object, then message. */
	readonly problems: readonly Problem[];
}

declare const probeBrand: unique symbol;
/** An address and how it is probed: what several frontends ask for in the same way is asked once. */
export type ProbeKey = string & { readonly [probeBrand]: "ProbeKey" };

/** One backend to be probed. */
export interface Probe {
	readonly address: L4Address;
	readonly check: HealthCheck;
}

/** What probes have found: the keys of those that have failed too often. The identical (===) set means: nothing changed. */
export type Quarantine = ReadonlySet<ProbeKey>;

/** What a policy came to, seen from here; conditions say it of the cluster as a whole. */
export interface PolicyState {
	readonly policy: Policy;
	/** The hub's, if there are several. */
	readonly hub?: string;
	/** Whether this host is one of those that it is for. */
	readonly holdsHere: boolean;
	/** Frontends that it has, and distinct backends that new connections go to. */
	readonly frontends: number;
	readonly backends: number;
	/** Why it is not accepted, or not resolved: those of its Problems. */
	readonly problems: readonly Problem[];
}

/** What is wanted before anything is. */
export const EMPTY_PLAN: Plan = {
	chunks: new Map(),
	addresses: new Map(),
	guards: new Map(),
	probes: new Map(),
	policies: new Map(),
	problems: [],
};

/** What one hub has. */
export interface HubSnapshot {
	readonly name: string;
	readonly cluster: Cluster;
}

/** What the agent, or the controller, knows about itself. */
export interface Self {
	readonly nodeName: string;
	/** Where a Service does not say it. */
	readonly reach: Reach;
	/** Of the host's own interfaces, loopback and link-local ones left out. */
	readonly addresses: readonly Ip[];
	/** spec.externalIPs are left alone: whoever may write a Service could take any address by them (CVE-2020-8554). */
	readonly refusesExternalIps?: boolean;
	/** --redirect-qos-limit: see Redirect.limit. Absent: 0. */
	readonly redirectLimit?: number;
	/** Of no host: policies hold whatever their hosts are, and every node's pods are local. For the controller's conditions. */
	readonly isWholeCluster?: boolean;
}

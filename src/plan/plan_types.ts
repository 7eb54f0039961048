// What a plan says, in addresses: numbers (ids, slots) are the kernel's affair and are given in datapath/.

import type { Ip, L4Address } from "../model/address.ts";
import type { Cluster, Reach, SessionAffinity } from "../model/cluster.ts";
import type { Problem } from "../model/problem.ts";

/** One address that clients connect to, and where they arrive. */
export interface Frontend {
	readonly address: L4Address;
	/** `namespace/name:port`, the port's name or number. */
	readonly name: string;
	readonly mode: FrontendMode;
	/** Where new connections go; sorted, distinct. Empty: refused. */
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
}

/** What kind of address it is; names as events have them. */
export type FrontendMode =
	| "ServiceClusterIP"
	| "ServiceNodeport"
	| "ServiceLoadbalancer"
	| "ServiceExternalIP"
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
	/** `namespace/name` of the Service. */
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
	/** Sorted by object, then message. */
	readonly problems: readonly Problem[];
}

/** What one hub has. */
export interface HubSnapshot {
	readonly name: string;
	readonly cluster: Cluster;
}

/** What the agent knows about itself. */
export interface Self {
	readonly nodeName: string;
	/** Where a Service does not say it. */
	readonly reach: Reach;
	/** Of the host's own interfaces, loopback and link-local ones left out. */
	readonly addresses: readonly Ip[];
	/** spec.externalIPs are left alone: whoever may write a Service could take any address by them (CVE-2020-8554). */
	readonly refusesExternalIps?: boolean;
}

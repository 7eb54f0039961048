// What a plan says, in addresses: numbers (ids, slots) are the kernel's affair and are given in datapath/.

import type { L4Address } from "../model/address.ts";
import type { Cluster } from "../model/cluster.ts";
import type { Problem } from "../model/problem.ts";

/** One address that clients connect to, and where they arrive. */
export interface Frontend {
	readonly address: L4Address;
	/** `namespace/name:port`, the port's name or number. */
	readonly name: string;
	readonly mode: "ServiceClusterIP" | "Canary";
	/** Where new connections go; sorted, distinct. Empty: refused. */
	readonly active: readonly L4Address[];
	/** Backends that keep the UDP flows they have, no more; sorted, distinct, none of `active`. */
	readonly terminating: readonly L4Address[];
	/** TCP sockets remember the frontend (getpeername, connection counts), at the price of per-socket state. */
	readonly keepsPeer: boolean;
}

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
}

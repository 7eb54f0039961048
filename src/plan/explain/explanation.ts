// What is asked of the oracle, and what it answers.

import type { Ip, L4Address, Port, Protocol } from "../../model/address.ts";
import type { SessionAffinity } from "../../model/cluster.ts";
import type { HealthCheck } from "../../model/health_check.ts";
import type { FrontendMode } from "../plan_types.ts";

/** Who connects: a client in the agent's own network namespace, or one in that of a pod. Only loopback tells them apart. */
export type Scope = "host" | "pod";

export interface Client {
	readonly scope: Scope;
	/** `namespace/name`: connections of a redirect's own Pods are not redirected. Absent: it is none of them. */
	readonly pod?: string;
}

export interface Question {
	readonly client: Client;
	readonly ip: Ip;
	readonly port: Port;
	readonly protocol: Protocol;
}

export type Verdict =
	/** The connection goes where the client wants it, untouched. */
	| { readonly kind: "pass" }
	/** New connections are; `terminating` keeps the UDP flows it has. */
	| { readonly kind: "refuse"; readonly errno: "ECONNREFUSED"; readonly terminating: readonly L4Address[] }
	/** Sorted, distinct: where new connections go (never empty), and what keeps the UDP flows it has. */
	| { readonly kind: "translate"; readonly active: readonly L4Address[]; readonly terminating: readonly L4Address[] };

/** `new`: new connections go there. `flows`: it keeps the UDP flows it has, no more. */
export type EndpointUse = "new" | "flows" | "none";

/** An endpoint of a Service, or a Pod or an address that a policy leads to, that was looked at. */
export interface ConsideredEndpoint {
	/** `namespace/name` of a Pod that a policy selects. */
	readonly pod?: string;
	/** Its own. Absent: a Pod without one, or one that is reached by another's. */
	readonly address?: L4Address;
	/** The name of its hub. */
	readonly hub: string;
	/** "" if it is on none. */
	readonly node: string;
	readonly use: EndpointUse;
	/** How it is reached: itself, or other addresses that lead to it. Empty without a way, or a use. */
	readonly through: readonly L4Address[];
	/** New connections that it gets for one of an endpoint of weight 1, 0 to 1000. Absent: 1. */
	readonly weight?: number;
	readonly why: string;
}

/** The frontend that decides. */
export interface DecidingFrontend {
	/** Where it stands in the plan: that of a node port is not the address that was asked for. */
	readonly address: L4Address;
	/** `namespace/name:port` of a Service, `name:port` of a policy. */
	readonly name: string;
	readonly hub: string;
	readonly mode: FrontendMode;
	readonly affinity?: SessionAffinity;
	/** How its backends are probed. Absent: they are believed. */
	readonly healthCheck?: HealthCheck;
}

/** Of a redirect: so many connections a second to its address, and what becomes of those that are over it. */
export interface Limited {
	readonly perSecond: number;
	readonly verdict: Verdict;
	/** Absent: nobody else has the address. */
	readonly frontend?: DecidingFrontend;
}

export interface Explanation {
	readonly verdict: Verdict;
	/** Why, in some words that follow on "because". */
	readonly because: string;
	readonly frontend?: DecidingFrontend;
	/** Absent: there is no limit. */
	readonly limited?: Limited;
	/** What was considered, in order: objects and reasons. */
	readonly steps: readonly string[];
	readonly endpoints: readonly ConsideredEndpoint[];
}

/** What becomes of a connection if somebody has its address. */
export type Outcome = Omit<Explanation, "limited">;

// Who may have a frontend address when several objects claim it: the earlier hub, then the better ground, the older object, the first by name.

import type { L4Address } from "../model/address.ts";
import type { Frontend, FrontendMode } from "./plan_types.ts";

/** One object's; compared by identity. */
export interface Claim {
	/** The place of its hub among the hubs; less wins. */
	readonly rank: number;
	/** The object's key in its hub. */
	readonly object: string;
	/** Milliseconds since 1970; less is older. */
	readonly created: number;
}

export interface Claimant {
	readonly claim: Claim;
	readonly mode: FrontendMode;
	/** Of a redirect: see `isDraining`. */
	readonly isDraining: boolean;
}

/** What a claim says of one address. */
type Claimed = Pick<Frontend, "address" | "mode" | "active" | "terminating">;

export interface Claims {
	/** Returns the other claimants: what they may have has perhaps changed. */
	add(frontend: Claimed, claim: Claim): readonly Claim[];
	/** Returns the remaining claimants. */
	drop(address: L4Address, claim: Claim): readonly Claim[];
	/** The winner first, then in the order in which they would have it without those before. */
	at(address: L4Address): readonly Claimant[];
}

/**
 * The least first. Policies say where connections go instead, so they take addresses from Services, and redirects from balancing policies. A
 * cluster IP is given by the API server, a load balancer's address by whoever may write status; into spec.externalIPs anybody who may write
 * a Service writes what he likes (CVE-2020-8554): the others are not taken away by that.
 */
const GROUNDS: Readonly<Record<FrontendMode, number>> = {
	Canary: 0,
	localRedirectAddress: 1,
	localRedirectService: 1,
	balancingAddress: 2,
	balancingHostPort: 2,
	balancingNodeProxy: 2,
	balancingPod: 2,
	ServiceClusterIP: 3,
	ServiceNodeport: 4,
	ServiceLoadbalancer: 5,
	ServiceExternalIP: 6,
};

const NOBODY: readonly Claimant[] = [];

export function createClaims(): Claims {
	/** The winner first. */
	const claims = new Map<L4Address, readonly Claimant[]>();
	return {
		add(frontend, claim) {
			const { address, mode } = frontend;
			const others = claims.get(address) ?? NOBODY;
			claims.set(address, inOrder([...others, { claim, mode, isDraining: isDraining(frontend) }]));
			return others.map(claimOf);
		},
		drop(address, claim) {
			const others = (claims.get(address) ?? NOBODY).filter((other) => other.claim !== claim);
			// Without a redirect that served, one that is draining may have it.
			if (others.length > 0) claims.set(address, inOrder(others));
			else claims.delete(address);
			return others.map(claimOf);
		},
		at: (address) => claims.get(address) ?? NOBODY,
	};
}

function claimOf({ claim }: Claimant): Claim {
	return claim;
}

/** It is there for the flows of its last pods, on their way out: a redirect that serves goes before it. */
export function isDraining({ mode, active, terminating }: Pick<Claimed, "mode" | "active" | "terminating">): boolean {
	return isRedirect(mode) && active.length === 0 && terminating.length > 0;
}

/** A redirect that serves, and would have the address, goes before those that are draining, of an earlier hub too. */
function inOrder(claimants: readonly Claimant[]): readonly Claimant[] {
	const sorted = [...claimants].sort(byRight);
	const serving = sorted.filter((each) => !each.isDraining);
	const [first] = serving;
	if (first === undefined || !isRedirect(first.mode)) return sorted;
	return [...serving, ...sorted.filter((each) => each.isDraining)];
}

export function isRedirect(mode: FrontendMode): boolean {
	return mode === "localRedirectAddress" || mode === "localRedirectService";
}

/** Who would have the address if there were no redirects. */
export function heirOf(claimants: readonly Claimant[]): Claimant | undefined {
	return claimants.find(({ mode }) => !isRedirect(mode));
}

/**
 * Who keeps this claimant from the address by a conflict: another of its kind, something that goes after it but is of an earlier hub, or
 * our own check. That a policy takes an address from a Service, or a redirect from a balancing policy, is what it is for.
 */
export function rivalOf(claimants: readonly Claimant[], claim: Claim): Claimant | undefined {
	const place = claimants.findIndex((each) => each.claim === claim);
	const own = claimants[place];
	if (own === undefined) return undefined;
	return claimants.slice(0, place).find(({ mode }) => mode === "Canary" || kindOf(mode) >= kindOf(own.mode));
}

/** Services are one kind, whatever their ground. */
function kindOf(mode: FrontendMode): number {
	return Math.min(GROUNDS[mode], GROUNDS.ServiceClusterIP);
}

/** From metadata.creationTimestamp (RFC 3339); what has none, or none that can be read, is the youngest. */
export function ageOf(created: string): number {
	const time = Date.parse(created);
	return Number.isNaN(time) ? Number.POSITIVE_INFINITY : time;
}

function byRight({ claim: a, mode }: Claimant, { claim: b, mode: other }: Claimant): number {
	if (a.rank !== b.rank) return a.rank - b.rank;
	if (GROUNDS[mode] !== GROUNDS[other]) return GROUNDS[mode] - GROUNDS[other];
	if (a.created !== b.created) return a.created < b.created ? -1 : 1;
	return a.object < b.object ? -1 : 1;
}

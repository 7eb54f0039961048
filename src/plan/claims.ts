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

export interface Claims {
	/** Returns the other claimants: what they may have has perhaps changed. */
	add(frontend: Pick<Frontend, "address" | "mode">, claim: Claim): readonly Claim[];
	/** Returns the remaining claimants. */
	drop(address: L4Address, claim: Claim): readonly Claim[];
	winner(address: L4Address): Claim | undefined;
}

/**
 * The best first. A cluster IP is given by the API server, a load balancer's address by whoever may write status; into spec.externalIPs anybody who
 * may write a Service writes what he likes (CVE-2020-8554): the others are not taken away by that.
 */
const GROUNDS: readonly FrontendMode[] = [
	"Canary",
	"localRedirectAddress",
	"localRedirectService",
	"balancingAddress",
	"balancingHostPort",
	"balancingNodeProxy",
	"balancingPod",
	"ServiceClusterIP",
	"ServiceNodeport",
	"ServiceLoadbalancer",
	"ServiceExternalIP",
];

interface Claimant {
	readonly claim: Claim;
	readonly mode: FrontendMode;
}

export function createClaims(): Claims {
	/** The winner first. */
	const claims = new Map<L4Address, readonly Claimant[]>();
	return {
		add({ address, mode }, claim) {
			const others = claims.get(address) ?? [];
			claims.set(address, [...others, { claim, mode }].sort(byRight));
			return others.map(claimOf);
		},
		drop(address, claim) {
			const others = (claims.get(address) ?? []).filter((other) => other.claim !== claim);
			if (others.length > 0) claims.set(address, others);
			else claims.delete(address);
			return others.map(claimOf);
		},
		winner: (address) => claims.get(address)?.[0]?.claim,
	};
}

function claimOf({ claim }: Claimant): Claim {
	return claim;
}

/** From metadata.creationTimestamp (RFC 3339); what has none, or none that can be read, is the youngest. */
export function ageOf(created: string): number {
	const time = Date.parse(created);
	return Number.isNaN(time) ? Number.POSITIVE_INFINITY : time;
}

function byRight({ claim: a, mode }: Claimant, { claim: b, mode: other }: Claimant): number {
	if (a.rank !== b.rank) return a.rank - b.rank;
	if (mode !== other) return GROUNDS.indexOf(mode) - GROUNDS.indexOf(other);
	if (a.created !== b.created) return a.created < b.created ? -1 : 1;
	return a.object < b.object ? -1 : 1;
}

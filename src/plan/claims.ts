// Who may have a frontend address when several objects claim it: the earlier hub, then the older object, then the first by name.

import type { L4Address } from "../model/address.ts";

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
	add(address: L4Address, claim: Claim): readonly Claim[];
	/** Returns the remaining claimants. */
	drop(address: L4Address, claim: Claim): readonly Claim[];
	winner(address: L4Address): Claim | undefined;
}

export function createClaims(): Claims {
	/** The winner first. */
	const claims = new Map<L4Address, readonly Claim[]>();
	return {
		add(address, claim) {
			const others = claims.get(address) ?? [];
			claims.set(address, others.length === 0 ? [claim] : [...others, claim].sort(byRight));
			return others;
		},
		drop(address, claim) {
			const others = (claims.get(address) ?? []).filter((other) => other !== claim);
			if (others.length > 0) claims.set(address, others);
			else claims.delete(address);
			return others;
		},
		winner: (address) => claims.get(address)?.[0],
	};
}

/** From metadata.creationTimestamp (RFC 3339); what has none, or none that can be read, is the youngest. */
export function ageOf(created: string): number {
	const time = Date.parse(created);
	return Number.isNaN(time) ? Number.POSITIVE_INFINITY : time;
}

function byRight(a: Claim, b: Claim): number {
	if (a.rank !== b.rank) return a.rank - b.rank;
	if (a.created !== b.created) return a.created < b.created ? -1 : 1;
	return a.object < b.object ? -1 : 1;
}

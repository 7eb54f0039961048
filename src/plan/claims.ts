// Who may have a frontend address when several objects claim it: the older object, then the one whose key comes first.

import type { L4Address } from "../model/address.ts";

export interface Claim {
	/** The object's key. */
	readonly object: string;
	/** Milliseconds since 1970; less is older. */
	readonly created: number;
}

export interface Claims {
	/** Returns the other claimants: what they may have has perhaps changed. */
	add(address: L4Address, claim: Claim): readonly Claim[];
	/** Returns the remaining claimants. */
	drop(address: L4Address, object: string): readonly Claim[];
	winner(address: L4Address): Claim | undefined;
}

export function createClaims(): Claims {
	/** The winner first. */
	const claims = new Map<L4Address, readonly Claim[]>();
	return {
		add(address, claim) {
			const others = claims.get(address) ?? [];
			claims.set(address, others.length === 0 ? [claim] : [...others, claim].sort(byAge));
			return others;
		},
		drop(address, object) {
			const others = (claims.get(address) ?? []).filter((claim) => claim.object !== object);
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

function byAge(a: Claim, b: Claim): number {
	if (a.created !== b.created) return a.created < b.created ? -1 : 1;
	return a.object < b.object ? -1 : 1;
}

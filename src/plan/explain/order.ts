// Who has an address that several want.

import { FRONTEND_KIND } from "../frontend_kind.ts";
import type { FrontendMode } from "../plan_types.ts";
import type { PolicyWant } from "./policy_wants.ts";
import type { ServiceWant, World } from "./wants.ts";

export type Want = ServiceWant | PolicyWant;

/** Cluster IPs and load balancers' addresses are given, external IPs are claimed by whoever writes a Service. */
const STRENGTH: Readonly<Record<FrontendMode, number>> = {
	Canary: 0,
	localRedirectService: 1,
	localRedirectAddress: 1,
	balancingPod: 2,
	balancingHostPort: 2,
	balancingNodeProxy: 2,
	balancingAddress: 2,
	ServiceClusterIP: 3,
	ServiceNodeport: 3,
	ServiceLoadbalancer: 4,
	ServiceExternalIP: 5,
};

/** The one that has it first: the earlier hub's, the stronger kind, the older, the first by name. */
export function inOrder(wants: readonly Want[]): readonly Want[] {
	return [...wants].sort((a, b) => a.rank - b.rank || STRENGTH[a.mode] - STRENGTH[b.mode] || byAge(a, b));
}

/** What has no time of creation that can be read is the youngest. */
function byAge(a: Want, b: Want): number {
	const [older, younger] = [timeOf(a), timeOf(b)];
	if (older !== younger) return older < younger ? -1 : 1;
	const [first, second] = [nameOf(a), nameOf(b)];
	if (first === second) return 0;
	return first < second ? -1 : 1;
}

function timeOf(want: Want): number {
	const time = Date.parse(want.kind === "service" ? want.service.created : want.policy.created);
	return Number.isNaN(time) ? Number.POSITIVE_INFINITY : time;
}

function nameOf(want: Want): string {
	return want.kind === "service" ? want.service.key : want.policy.name;
}

/** `Service demo/web`, `BalancingPolicy canary`. */
export function ownerOf(want: Want): string {
	return want.kind === "service" ? `Service ${want.service.key}` : `${want.policy.kind} ${want.policy.name}`;
}

/** Why it does not have the address; nothing of one that is merged with the winner. */
export function describeLoser(world: World, winner: Want, loser: Want): readonly string[] {
	if (isTwin(winner, loser)) return [];
	const why = winner.rank === loser.rank ? beats(winner, loser) : `is in hub ${winner.hub.name}, which goes before`;
	return [`${ownerOf(loser)}${inHub(world, loser)} wants it as well: ${ownerOf(winner)} ${why}`];
}

export function inHub({ hubs }: World, { hub }: Want): string {
	return hubs.length > 1 ? ` of hub ${hub.name}` : "";
}

/** Two that are merged want the same of an address that both have. */
function isTwin(winner: Want, other: Want): boolean {
	return (
		winner.kind === "service" &&
		other.kind === "service" &&
		winner.service.global &&
		other.service.global &&
		winner.service.key === other.service.key &&
		winner.port.name === other.port.name
	);
}

function beats(winner: Want, loser: Want): string {
	if (winner.kind === "policy") {
		if (loser.kind === "service") return "goes before, as every policy goes before Services";
		if (loser.policy.kind !== winner.policy.kind) return "goes before, as a redirect goes before a BalancingPolicy";
		return "is older, or the first by name (FrontendConflict)";
	}
	return winner.mode === loser.mode
		? "is older, or the first by name"
		: `has it as ${FRONTEND_KIND[winner.mode]}, which goes before ${FRONTEND_KIND[loser.mode]}`;
}

// Several Services at one address: one has it, the others have a Problem.

import { assertNever } from "../lib/assert_never.ts";
import { type L4Address, l4Parts } from "../model/address.ts";
import type { Problem } from "../model/problem.ts";
import type { Claim } from "./claims.ts";
import { FRONTEND_KIND } from "./frontend_kind.ts";
import { type Entry, entryOf, type HubMemory, type Memory, sourceOf, withSource } from "./memory.ts";
import type { Chunk, Frontend } from "./plan_types.ts";

/** The Service keeps the frontends that it has won, and has a Problem for each of the others. */
export function settleClaims(memory: Memory, claim: Claim): void {
	const hub = memory.hubs[claim.rank];
	const entry = entryOf(memory, claim);
	if (hub === undefined || entry?.claim !== claim) return;
	const source = sourceOf(memory.hubs, hub);
	const frontends: Frontend[] = [];
	const problems = [...entry.draft.problems];
	for (const frontend of entry.draft.frontends) {
		const winner = memory.claims.winner(frontend.address) ?? claim;
		if (winner === claim) frontends.push(frontend);
		else if (!isTwin(entry, entryOf(memory, winner), frontend)) problems.push(conflict(memory, entry, frontend));
	}
	const chunk: Chunk = { object: claim.object, frontends, ...(source === undefined ? {} : { hub: source }) };
	keep(memory.chunks, entry.key, frontends.length > 0 && chunk);
	keep(memory.problems, entry.key, problems.length > 0 && withSource(problems, source));
}

interface Kept<V> {
	set(key: string, value: V): unknown;
	delete(key: string): unknown;
}

/** False: nothing is kept under this key. */
function keep<V>(kept: Kept<V>, key: string, value: V | false): void {
	if (value === false) kept.delete(key);
	else kept.set(key, value);
}

/** Two that are merged want the same of an address that both have. */
function isTwin({ service }: Entry, other: Entry | undefined, { address, name }: Frontend): boolean {
	if (!service.global || !other?.service.global || other.service.key !== service.key) return false;
	return other.draft.frontends.some((frontend) => frontend.address === address && frontend.name === name);
}

function conflict(memory: Memory, entry: Entry, frontend: Frontend): Problem {
	const { claim } = entry;
	return {
		object: `Service ${claim.object}`,
		field: fieldOf(entry, frontend),
		reason: "FrontendConflict",
		message: `${shown(frontend)} ${whoseAddress(memory, claim, frontend)}`,
	};
}

/** Where the Service says it. */
function fieldOf({ service }: Entry, { address, mode }: Frontend): string {
	switch (mode) {
		case "ServiceClusterIP":
		case "Canary":
			return "spec.clusterIPs";
		case "localRedirectService":
		case "localRedirectAddress":
		case "balancingPod":
		case "balancingHostPort":
		case "balancingNodeProxy":
		case "balancingAddress":
			return "spec.frontend";
		case "ServiceLoadbalancer":
			return "status.loadBalancer.ingress";
		case "ServiceExternalIP":
			return "spec.externalIPs";
		case "ServiceNodeport":
			return `spec.ports[${nodePortIndex(service.ports, address)}].nodePort`;
		default:
			return assertNever(mode);
	}
}

function nodePortIndex(ports: Entry["service"]["ports"], address: L4Address): number {
	const { port, protocol } = l4Parts(address);
	return ports.findIndex((each) => each.nodePort === port && each.protocol === protocol);
}

/** The address that stands for node ports says nothing to anybody. */
function shown({ address, mode }: Frontend): string {
	const { port, protocol } = l4Parts(address);
	return mode === "ServiceNodeport" ? `Node port ${port}/${protocol}` : address;
}

/** The fact and the fix. */
function whoseAddress(memory: Memory, { rank }: Claim, frontend: Frontend): string {
	const { claims, hubs } = memory;
	const { address, mode } = frontend;
	const winner = claims.winner(address);
	const change = mode === "ServiceNodeport" ? "another node port" : "another address or port";
	if (winner === undefined || winner.rank < 0)
		return `is reserved for the agent's own check: give the Service ${change}`;
	const hub: HubMemory | undefined = winner.rank === rank ? undefined : hubs[winner.rank];
	return hub === undefined
		? `belongs to Service ${winner.object} (${groundOf(memory, winner, frontend)}): give the Service ${change}`
		: `belongs to Service ${winner.object} of ${hub.name}, an earlier hub: put this hub before it, or give one of the two another address`;
}

/** Why another Service of the same hub has it. */
function groundOf(memory: Memory, winner: Claim, { address, mode }: Frontend): string {
	const theirs = entryOf(memory, winner)?.draft.frontends.find((each) => each.address === address)?.mode ?? mode;
	return theirs === mode ? "older, or first by name" : `${FRONTEND_KIND[theirs]} goes before ${FRONTEND_KIND[mode]}`;
}

// Several objects at one address: one has it, and who should not have asked for it has a Problem.

import { assertNever } from "../lib/assert_never.ts";
import { type L4Address, l4Parts } from "../model/address.ts";
import type { Service } from "../model/cluster.ts";
import type { Problem } from "../model/problem.ts";
import { type Claimant, isDraining, rivalOf } from "./claims.ts";
import { FRONTEND_KIND } from "./frontend_kind.ts";
import { type Entry, entryOf, type Memory } from "./memory.ts";
import type { Frontend, FrontendMode } from "./plan_types.ts";
import { mayBeApart } from "./policy/hosts.ts";

/** Of a frontend that the object has not got; none if this is as it should be. */
export function conflictsOf(memory: Memory, entry: Entry, frontend: Frontend): readonly Problem[] {
	// Without a pod that serves it wants the address of nobody.
	if (isDraining(frontend)) return [];
	const rival = rivalOf(memory.claims.at(frontend.address), entry.claim);
	if (rival === undefined) return [];
	const other = entryOf(memory, rival.claim);
	if (isTwin(entry, other, frontend) || (memory.self.isWholeCluster && isElsewhere(entry, other))) return [];
	const message = `${shown(frontend)} ${whoseAddress(memory, { entry, frontend, rival })}`;
	return [{ object: nameOf(entry), field: fieldOf(entry, frontend), reason: "FrontendConflict", message }];
}

/** Two that are merged want the same of an address that both have. */
function isTwin(entry: Entry, other: Entry | undefined, { address, name }: Frontend): boolean {
	if (entry.kind !== "service" || other?.kind !== "service") return false;
	if (!entry.service.global || !other.service.global || other.service.key !== entry.service.key) return false;
	return other.draft.frontends.some((frontend) => frontend.address === address && frontend.name === name);
}

/** Policies of one address for one zone each, say. */
function isElsewhere(entry: Entry, other: Entry | undefined): boolean {
	if (entry.kind !== "policy" || other?.kind !== "policy") return false;
	return mayBeApart(entry.policy.hosts, other.policy.hosts);
}

/** As Problems have it. */
function nameOf({ kind, claim }: Entry): string {
	return kind === "service" ? `Service ${claim.object}` : claim.object;
}

/** Where the object says it. */
function fieldOf(entry: Entry, { address, mode }: Frontend): string {
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
			return `spec.ports[${entry.kind === "service" ? nodePortIndex(entry.service, address) : 0}].nodePort`;
		default:
			return assertNever(mode);
	}
}

function nodePortIndex({ ports }: Service, address: L4Address): number {
	const { port, protocol } = l4Parts(address);
	return ports.findIndex((each) => each.nodePort === port && each.protocol === protocol);
}

/** The address that stands for node ports says nothing to anybody. */
function shown({ address, mode }: Frontend): string {
	const { port, protocol } = l4Parts(address);
	return mode === "ServiceNodeport" ? `Node port ${port}/${protocol}` : address;
}

interface Conflict {
	readonly entry: Entry;
	readonly frontend: Frontend;
	readonly rival: Claimant;
}

/** The fact and the fix. */
function whoseAddress(memory: Memory, { entry, frontend, rival }: Conflict): string {
	const { rank } = entry.claim;
	const winner = rival.claim;
	const what = entry.kind === "service" ? "the Service" : "the policy";
	const change = frontend.mode === "ServiceNodeport" ? "another node port" : "another address or port";
	const theirs = entryOf(memory, winner);
	if (theirs === undefined) return `is reserved for the agent's own check: give ${what} ${change}`;
	const whose = `belongs to ${nameOf(theirs)}`;
	if (winner.rank === rank) return `${whose} (${groundOf(rival.mode, frontend.mode)}): give ${what} ${change}`;
	const fix = "put this hub before it, or give one of the two another address";
	return `${whose} of ${memory.hubs[winner.rank]?.name}, an earlier hub: ${fix}`;
}

/** Why another object of the same hub has it. */
function groundOf(theirs: FrontendMode, mode: FrontendMode): string {
	const isPolicy = !mode.startsWith("Service");
	return theirs === mode || isPolicy
		? "older, or first by name"
		: `${FRONTEND_KIND[theirs]} goes before ${FRONTEND_KIND[mode]}`;
}

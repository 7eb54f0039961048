// What became of each policy on this host, as data and for people.

import { table } from "../lib/table.ts";
import { type Policy, policyKey } from "../model/policy.ts";
import type { Problem, ProblemReason } from "../model/problem.ts";
import type { Plan } from "../plan/plan_types.ts";

export interface PolicyStatus {
	readonly kind: "LocalRedirectPolicy" | "BalancingPolicy";
	readonly name: string;
	/** If there are several. */
	readonly hub: string | null;
	/** Whether this host is one of those that it is for. */
	readonly holdsHere: boolean;
	/** That it has here, and distinct backends that new connections go to. */
	readonly frontends: number;
	readonly backends: number;
	/** Of its Problems, which are all told elsewhere, those of the kernel included; each once. */
	readonly reasons: readonly ProblemReason[];
}

/** `programmed`: it has an address here. `idle`: it is for this host, and has none. `elsewhere`: it is for others. */
export const POLICY_STATES = ["programmed", "idle", "elsewhere"] as const;
export type PolicyUse = (typeof POLICY_STATES)[number];

export function policyUse({ holdsHere, frontends }: PolicyStatus): PolicyUse {
	if (!holdsHere) return "elsewhere";
	return frontends > 0 ? "programmed" : "idle";
}

function compare(a: string, b: string): number {
	if (a === b) return 0;
	return a < b ? -1 : 1;
}

/** No object's name has a line break. */
function keyOf(object: string, hub: string | null): string {
	return `${object}\n${hub ?? ""}`;
}

/** Sorted by kind, name and hub. `others` are Problems that no plan knows of, as that there was no room. */
export function policyStatuses(policies: Plan["policies"], others: readonly Problem[]): readonly PolicyStatus[] {
	const known = new Map<string, ProblemReason[]>();
	for (const { object, source, reason } of others) {
		const key = keyOf(object, source ?? null);
		const reasons = known.get(key);
		if (reasons === undefined) known.set(key, [reason]);
		else reasons.push(reason);
	}
	const reasonsOf = (policy: Policy, hub: string | null) => known.get(keyOf(policyKey(policy), hub)) ?? [];
	return [...policies.values()]
		.map(({ policy, hub = null, holdsHere, frontends, backends, problems }) => ({
			kind: policy.kind,
			name: policy.name,
			hub,
			holdsHere,
			frontends,
			backends,
			reasons: [...new Set([...problems.map(({ reason }) => reason), ...reasonsOf(policy, hub)])].sort(),
		}))
		.sort((a, b) => compare(policyKey(a), policyKey(b)) || compare(a.hub ?? "", b.hub ?? ""));
}

/** A table, indented, where there are any. */
export function renderPolicies(policies: readonly PolicyStatus[]): string {
	if (policies.length === 0) return "";
	const hasHubs = policies.some(({ hub }) => hub !== null);
	const rows = policies.map((policy) => [
		policyKey(policy),
		...(hasHubs ? [policy.hub ?? ""] : []),
		policyUse(policy),
		String(policy.frontends),
		String(policy.backends),
		policy.reasons.join(" ") || "-",
	]);
	const text = table(["POLICY", ...(hasHubs ? ["HUB"] : []), "HERE", "FRONTENDS", "BACKENDS", "PROBLEMS"], rows);
	return text.replace(/^(?=.)/gm, "  ");
}

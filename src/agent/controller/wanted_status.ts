// What the status of each policy is to say, and whether an object is the one that it is about.

import { projectPolicy } from "../../admission/policy_object.ts";
import { planPolicies } from "../../admission/trial.ts";
import type { ObjectKind, ObjectPlace } from "../../hub/request/objects.ts";
import { isEqual } from "../../lib/equal.ts";
import type { Cluster } from "../../model/cluster.ts";
import type { Policy, PolicyKey } from "../../model/policy.ts";
import { field, isRaw, type Raw } from "../../model/raw.ts";
import { type Condition, conditionsIn, conditionsOf, mergeConditions, problemsByPolicy } from "./conditions.ts";

/** What a status is to say. */
export interface Wanted {
	readonly conditions: readonly Condition[];
	/** Undefined of what does not project: only the object itself tells. */
	readonly policy: Policy | undefined;
}

/** A change of one object's status. */
export interface StatusChange {
	/** Of the status; undefined: it says so already. */
	readonly status: Raw | undefined;
	/** Conditions that are worth an Event. */
	readonly news: readonly Condition[];
}

/** By policy, in the order of their keys. */
export function wantedOf(cluster: Cluster): ReadonlyMap<PolicyKey, Wanted> {
	const problems = problemsByPolicy([...cluster.problems, ...planPolicies(cluster).problems]);
	const keys = [...new Set([...cluster.policies.keys(), ...problems.keys()])].sort();
	return new Map(
		keys.map((key) => {
			const policy = cluster.policies.get(key);
			const own = problems.get(key) ?? [];
			return [key, { policy, conditions: conditionsOf(own, policy !== undefined) }];
		}),
	);
}

/** Undefined if the object is not the one that was judged: news of it are about to come. */
export function changeOf(key: PolicyKey, object: Raw, wanted: Wanted, now: string): StatusChange | undefined {
	const conditions = currentConditions(key, object, wanted);
	if (conditions === undefined) return undefined;
	const before = conditionsIn(object);
	const generation = generationOf(object);
	const after = mergeConditions(before, conditions, { now, generation });
	if (isEqual(after, before) && observedBy(object) === generation) return { status: undefined, news: [] };
	const former = (type: string) => before.find((each) => field(each, "type") === type);
	return {
		status: { observedGeneration: generation, conditions: after },
		news: conditions.filter((condition) => isNews(condition, former(condition.type))),
	};
}

/** What to say of the object as it is now; undefined if it is another one than the snapshot has, which is about to follow. */
function currentConditions(
	key: PolicyKey,
	object: Raw,
	{ policy, conditions }: Wanted,
): readonly Condition[] | undefined {
	if (policy !== undefined) return policy.generation === generationOf(object) ? conditions : undefined;
	const projection = projectPolicy(key.slice(0, key.indexOf(" ")), object);
	if (projection === undefined || projection.value !== undefined) return undefined;
	return conditionsOf(projection.problems, false);
}

/** A condition that is good from the beginning is no news. */
function isNews({ status, reason }: Condition, former: Raw | undefined): boolean {
	if (status === "Unknown") return false;
	if (former === undefined) return status === "False";
	const wasFalse = field(former, "status") === "False";
	return status === "True" ? wasFalse : !wasFalse || field(former, "reason") !== reason;
}

const API_VERSION = "balancing.elf.io/v1beta1";
const REDIRECT = { kind: "LocalRedirectPolicy", apiVersion: API_VERSION, resource: "localredirectpolicies" } as const;
const BALANCING = { kind: "BalancingPolicy", apiVersion: API_VERSION, resource: "balancingpolicies" } as const;
export const POLICY_KINDS: readonly ObjectKind[] = [REDIRECT, BALANCING];

export function placeOf(key: PolicyKey): ObjectPlace {
	const kind = key.startsWith(`${REDIRECT.kind} `) ? REDIRECT : BALANCING;
	return { ...kind, name: key.slice(kind.kind.length + 1) };
}

function generationOf(object: Raw): number {
	const meta = field(object, "metadata");
	const generation = isRaw(meta) ? field(meta, "generation") : undefined;
	return typeof generation === "number" ? generation : 0;
}

function observedBy(object: Raw): unknown {
	const status = field(object, "status");
	return isRaw(status) ? field(status, "observedGeneration") : undefined;
}

// A policy as an API server sends it: its kind, its projection, and what of it decides.

import { isEqual } from "../lib/equal.ts";
import { projectBalancingPolicy } from "../model/balancing_policy.ts";
import { projectLocalRedirectPolicy } from "../model/local_redirect_policy.ts";
import type { Policy } from "../model/policy.ts";
import { field, isRaw, type Raw } from "../model/raw.ts";
import type { Projection } from "../model/report.ts";
import type { Review } from "./review.ts";

export const POLICY_GROUP = "balancing.elf.io";

const PROJECTIONS: ReadonlyMap<string, (object: unknown) => Projection<Policy>> = new Map<
	string,
	(object: unknown) => Projection<Policy>
>([
	["LocalRedirectPolicy", projectLocalRedirectPolicy],
	["BalancingPolicy", projectBalancingPolicy],
]);

/** As agents and hubs do; undefined for another kind. */
export function projectPolicy(kind: string, object: unknown): Projection<Policy> | undefined {
	return PROJECTIONS.get(kind)?.(object);
}

export function isPolicyKind(group: string, kind: string): boolean {
	return group === POLICY_GROUP && PROJECTIONS.has(kind);
}

/** Whether it makes or changes a policy that is to stay; its status is not the policy. */
export function isPolicyWrite(review: Review): review is Review & { readonly object: Raw } {
	const { group, kind, operation, subresource, object } = review;
	const isWrite = (operation === "CREATE" || operation === "UPDATE") && subresource === "";
	return isWrite && isPolicyKind(group, kind) && object !== undefined && !isBeingDeleted(object);
}

export function metadataOf(object: Raw): Raw {
	const meta = field(object, "metadata");
	return isRaw(meta) ? meta : {};
}

export function annotationsOf(object: Raw): Raw {
	const annotations = field(metadataOf(object), "annotations");
	return isRaw(annotations) ? annotations : {};
}

/** It waits for finalizers. */
function isBeingDeleted(object: Raw): boolean {
	return (field(metadataOf(object), "deletionTimestamp") ?? undefined) !== undefined;
}

/** Whether what a plan reads of both is the same: labels, finalizers and other people's annotations are not. */
export function meansTheSame(a: Raw, b: Raw): boolean {
	return isEqual(field(a, "spec"), field(b, "spec")) && isEqual(ownAnnotations(a), ownAnnotations(b));
}

function ownAnnotations(object: Raw): Raw {
	const own = Object.entries(annotationsOf(object)).filter(([key]) => key.startsWith(`${POLICY_GROUP}/`));
	return Object.fromEntries(own);
}

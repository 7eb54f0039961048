// What a policy gets when it is written: an id for events, if it has none.

import type { Cluster } from "../model/cluster.ts";
import { SERVICE_ID } from "../model/policy_base.ts";
import { field, isRaw, type Raw } from "../model/raw.ts";
import { annotationsOf, isPolicyWrite, metadataOf } from "./policy_object.ts";
import { ALLOWED, type PatchOperation, type Review, type Verdict } from "./review.ts";

const MAX_UINT32 = 2 ** 32 - 1;
/** Ids that were given out and are not seen in the cluster yet; the oldest are forgotten. */
const REMEMBERED = 1000;

export interface Mutation {
	mutate(review: Review, cluster: Cluster | undefined): Verdict;
}

/** `random` gives numbers from 0 up to 1. */
export function createMutation(random: () => number): Mutation {
	const given = new Set<number>();

	/** From 1 to 2^32 - 1, none that a policy has. */
	function newId(cluster: Cluster | undefined): number {
		const taken = new Set([...(cluster?.policies.values() ?? [])].map(({ serviceId }) => serviceId));
		let id = 1 + Math.floor(random() * MAX_UINT32);
		while (taken.has(id) || given.has(id)) id = 1 + (id % MAX_UINT32);
		return id;
	}

	function remember(id: number): void {
		given.add(id);
		for (const first of given) if (given.size > REMEMBERED) given.delete(first);
	}

	return {
		mutate(review, cluster) {
			if (!isPolicyWrite(review) || hasId(review.object)) return ALLOWED;
			const { object, oldObject, dryRun } = review;
			// Whoever takes it away by leaving annotations out gets it back.
			const former = oldObject === undefined ? undefined : field(annotationsOf(oldObject), SERVICE_ID);
			if (typeof former === "string" && former !== "") return { ...ALLOWED, patch: patchFor(object, former) };
			const id = newId(cluster);
			if (!dryRun) remember(id);
			return { ...ALLOWED, patch: patchFor(object, String(id)) };
		},
	};
}

/** A wrong one is for validation to tell. */
function hasId(object: Raw): boolean {
	const id = field(annotationsOf(object), SERVICE_ID) ?? "";
	return id !== "";
}

function patchFor(object: Raw, id: string): readonly PatchOperation[] {
	// There may be no annotations, or null: then there is nothing to add one to.
	if (!isRaw(field(metadataOf(object), "annotations"))) {
		return [{ op: "add", path: "/metadata/annotations", value: { [SERVICE_ID]: id } }];
	}
	return [{ op: "add", path: `/metadata/annotations/${SERVICE_ID.replaceAll("/", "~1")}`, value: id }];
}

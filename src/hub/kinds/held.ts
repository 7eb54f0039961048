// What is kept of one object, and how a change of it gets into the view.

import { isEqual } from "../../lib/equal.ts";
import { titleOf } from "../../model/metadata.ts";
import type { Problem } from "../../model/problem.ts";
import { field, isRaw, ownString } from "../../model/raw.ts";
import type { ClusterView } from "./cluster_view.ts";
import type { Known, Need } from "./needs.ts";

export interface Held {
	/** Undefined if nothing sensible is left of it. */
	readonly known: Known | undefined;
	readonly problems: readonly Problem[];
}

const NO_PROBLEMS: readonly Problem[] = [];

/** The projection; `old`, what is held under this key already, if it says the same. */
export function readHeld(need: Need, object: unknown, old: Held | undefined): Held {
	const { value: known, problems } = need.project(object);
	const next: Held = { known, problems: problems.length === 0 ? NO_PROBLEMS : problems };
	return old !== undefined && isEqual(old, next) ? old : next;
}

/** What a copy or another source says of an object. */
export function heldOf(known: Known): Held {
	return { known, problems: NO_PROBLEMS };
}

/** Undefined before: it came; undefined after: it went. */
export function showHeld(
	{ need, view }: { readonly need: Need; readonly view: ClusterView },
	key: string,
	before: Held | undefined,
	after: Held | undefined,
): void {
	if (before === after) return;
	if (!isEqual(before?.known, after?.known)) view.change(before?.known, after?.known);
	if (!isEqual(before?.problems ?? NO_PROBLEMS, after?.problems ?? NO_PROBLEMS)) {
		view.complain(`${need.kind} ${key}`, after?.problems ?? NO_PROBLEMS);
	}
}

/**
 * `namespace/name` as the object has it, or the name of one that is in no namespace; one without a name gets the same key as all others
 * without.
 */
export function keyOf({ kind, namespaced }: Need, object: unknown): string {
	const metadata = isRaw(object) ? field(object, "metadata") : undefined;
	const name = isRaw(metadata) ? field(metadata, "name") : undefined;
	const namespace = isRaw(metadata) ? field(metadata, "namespace") : undefined;
	if (!namespaced && typeof name === "string") return ownString(name);
	if (typeof name === "string" && typeof namespace === "string") return ownString(`${namespace}/${name}`);
	return titleOf(kind, object);
}

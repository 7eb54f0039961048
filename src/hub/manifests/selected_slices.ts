// The slices of all Services with a selector: from Pods, within bounds, and only again where something changed.

import { isSameList } from "../../lib/equal.ts";
import type { EndpointSlice, Node, Service } from "../../model/cluster.ts";
import type { Pod } from "../../model/pod.ts";
import type { Problem } from "../../model/problem.ts";
import type { Selection } from "../../model/selection.ts";
import { indexPods } from "./pod_index.ts";
import { type Sliced, slicePods } from "./slicer.ts";

/** Endpoints that selectors may give in all: a few labels can make every Service select every Pod. */
export const MAX_SELECTED_ENDPOINTS = 1_000_000;
/** Problems of selected Pods that are listed; the rest is counted. */
const MAX_SLICING_PROBLEMS = 1000;

/** The slices of one Service, and what they were made from. */
export interface Derived {
	readonly service: Service;
	readonly selection: Selection;
	readonly pods: readonly Pod[];
	/** Of the Pods' nodes, "" where unknown; empty if nobody asks. */
	readonly zones: readonly string[];
	readonly sliced: Sliced;
}

/** All objects, by what they are. */
export interface Sorted {
	readonly services: ReadonlyMap<string, Service>;
	readonly selections: ReadonlyMap<string, Selection>;
	/** Slices that somebody wrote, by Service. */
	readonly written: ReadonlyMap<string, readonly EndpointSlice[]>;
	readonly pods: readonly Pod[];
	readonly nodes: ReadonlyMap<string, Node>;
}

/** Slices for the Services with a selector that nobody wrote slices for. `before` is given back where nothing changed. */
export function deriveSlices(sorted: Sorted, before: ReadonlyMap<string, Derived>): ReadonlyMap<string, Derived> {
	const derived = new Map<string, Derived>();
	const index = indexPods(sorted.pods);
	let total = 0;
	for (const [key, selection] of sorted.selections) {
		const service = sorted.services.get(key);
		if (service === undefined || sorted.written.has(key)) continue;
		const pods = index.select(key.slice(0, key.indexOf("/")), selection.labels);
		if (total + pods.length > MAX_SELECTED_ENDPOINTS) {
			derived.set(key, { service, selection, pods: [], zones: [], sliced: tooMany(service, pods.length) });
			continue;
		}
		total += pods.length;
		const zones = selection.prefer === "any" ? [] : pods.map(({ nodeName }) => sorted.nodes.get(nodeName)?.zone ?? "");
		derived.set(key, renew(before.get(key), { service, selection, pods, zones }));
	}
	return derived;
}

function renew(old: Derived | undefined, next: Omit<Derived, "sliced">): Derived {
	const { service, selection, pods, zones } = next;
	const same =
		old?.service === service &&
		old.selection === selection &&
		isSameList(old.pods, pods) &&
		isSameList(old.zones, zones);
	// What was over the bound had its Pods taken away, and is not the same.
	return same && pods.length > 0 ? old : { ...next, sliced: slicePods(service, selection, pods, zones) };
}

function tooMany(service: Service, count: number): Sliced {
	const message = `${count} more Pods selected, over ${MAX_SELECTED_ENDPOINTS} endpoints in all: narrow the selector`;
	return {
		slices: [],
		problems: [{ object: `Service ${service.key}`, field: "spec.selector", reason: "TooLarge", message }],
	};
}

/** What kept Pods out, with the lines of the objects; a Pod's own mistake is told once, whoever selects it. */
export function listProblems(
	derived: Iterable<Derived>,
	sourceOf: (id: string) => string | undefined,
): readonly Problem[] {
	const found = new Map<string, Problem>();
	for (const { sliced } of derived) {
		for (const problem of sliced.problems) found.set(`${problem.object} ${problem.message}`, problem);
	}
	const listed = [...found.values()].slice(0, MAX_SLICING_PROBLEMS).map((problem): Problem => {
		const source = sourceOf(problem.object);
		return source === undefined ? problem : { ...problem, source };
	});
	if (listed.length === found.size) return listed;
	const message = `${found.size - listed.length} more problems of selected Pods: correct these first`;
	return [...listed, { object: "Pods", reason: "Unsupported", message }];
}

// Objects as they come and go -> snapshots: what did not change is the identical value in the next one.

import { assertNever } from "../../lib/assert_never.ts";
import { isSameList } from "../../lib/equal.ts";
import { type Cluster, EMPTY_CLUSTER, type EndpointSlice, type Node, type Service } from "../../model/cluster.ts";
import type { Pod } from "../../model/pod.ts";
import type { Problem } from "../../model/problem.ts";
import { API_SERVER, createApiServerGuard } from "./api_server_guard.ts";
import type { Known } from "./needs.ts";
import { replaceSlice } from "./slice_list.ts";
import { createViewTable, type ViewTable } from "./view_table.ts";

export interface ClusterView {
	/** An object came (`before` undefined), changed, or went (`after` undefined). */
	change(before: Known | undefined, after: Known | undefined): void;
	/** What is wrong with one object, or with a kind; replaces what was said under this key. */
	complain(key: string, problems: readonly Problem[]): void;
	/** The identical value as before if nothing changed. */
	snapshot(): Cluster;
}

interface Tables {
	readonly services: ViewTable<string, Service>;
	readonly slices: ViewTable<string, readonly EndpointSlice[]>;
	readonly nodes: ViewTable<string, Node>;
	readonly pods: ViewTable<string, Pod>;
}

export function createClusterView(): ClusterView {
	const tables: Tables = {
		services: createViewTable(),
		slices: createViewTable(),
		nodes: createViewTable(),
		pods: createViewTable(),
	};
	const changeSlice = createSliceChange(tables.slices);
	const problems = createProblemList();
	let last: Cluster = EMPTY_CLUSTER;
	return {
		change(before, after) {
			const known = after ?? before;
			if (known === undefined) return;
			const isGone = after === undefined;
			switch (known.kind) {
				case "Service":
					// Without it clients in this cluster, we among them, would lose the API server.
					if (isGone && known.service.key === API_SERVER) return;
					return tables.services.put(known.service.key, isGone ? undefined : known.service);
				case "EndpointSlice":
					return changeSlice(sliceOf(before), sliceOf(after));
				case "Node":
					return tables.nodes.put(known.node.name, isGone ? undefined : known.node);
				case "Pod":
					return tables.pods.put(known.pod.key, isGone ? undefined : known.pod);
				default:
					assertNever(known);
			}
		},
		complain: problems.set,
		snapshot() {
			const next: Cluster = {
				...last,
				services: tables.services.snapshot(),
				slices: tables.slices.snapshot(),
				nodes: tables.nodes.snapshot(),
				pods: tables.pods.snapshot(),
				problems: problems.all(),
			};
			if (!isSameList(Object.values(next), Object.values(last))) last = next;
			return last;
		},
	};
}

function createSliceChange(slices: Tables["slices"]) {
	const guard = createApiServerGuard();

	function setSlice(service: string, key: string, after: EndpointSlice | undefined): void {
		const old = slices.get(service) ?? [];
		const next = service === API_SERVER ? guard.replace(old, key, after) : replaceSlice(old, key, after);
		if (!isSameList(next, old)) slices.put(service, next.length === 0 ? undefined : next);
	}

	return (before: EndpointSlice | undefined, after: EndpointSlice | undefined): void => {
		if (before !== undefined && before.service !== after?.service) setSlice(before.service, before.key, undefined);
		if (after !== undefined) setSlice(after.service, after.key, after);
	};
}

function createProblemList() {
	const problems = new Map<string, readonly Problem[]>();
	let last = EMPTY_CLUSTER.problems;
	let isDirty = false;
	return {
		set(key: string, found: readonly Problem[]): void {
			if (found.length === 0 && !problems.delete(key)) return;
			if (found.length > 0) problems.set(key, found);
			isDirty = true;
		},
		all(): readonly Problem[] {
			if (isDirty) last = [...problems.values()].flat();
			isDirty = false;
			return last;
		},
	};
}

function sliceOf(known: Known | undefined): EndpointSlice | undefined {
	return known?.kind === "EndpointSlice" ? known.slice : undefined;
}

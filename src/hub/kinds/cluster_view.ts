// Objects as they come and go -> snapshots: what did not change is the identical value in the next one.

import { assertNever } from "../../lib/assert_never.ts";
import { isSameList } from "../../lib/equal.ts";
import { type Cluster, EMPTY_CLUSTER, type EndpointSlice, type Node, type Service } from "../../model/cluster.ts";
import type { Pod } from "../../model/pod.ts";
import { type Policy, type PolicyKey, policyKey } from "../../model/policy.ts";
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
	readonly policies: ViewTable<PolicyKey, Policy>;
}

export function createClusterView(): ClusterView {
	const tables: Tables = {
		services: createViewTable(),
		slices: createViewTable(),
		nodes: createViewTable(),
		pods: createViewTable(),
		policies: createViewTable(),
	};
	const changeSlice = createSliceChange(tables.slices);

	function put(known: Known, isGone: boolean): void {
		switch (known.kind) {
			case "Service":
				// Without it clients in this cluster, we among them, would lose the API server.
				if (!isGone || known.service.key !== API_SERVER) tables.services.put(known.service.key, known.service, isGone);
				return;
			case "EndpointSlice":
				changeSlice(known.slice, isGone);
				return;
			case "Node":
				tables.nodes.put(known.node.name, known.node, isGone);
				return;
			case "Pod":
				tables.pods.put(known.pod.key, known.pod, isGone);
				return;
			case "LocalRedirectPolicy":
			case "BalancingPolicy":
				tables.policies.put(policyKey(known.policy), known.policy, isGone);
				return;
			default:
				assertNever(known);
		}
	}

	const problems = createProblemList();
	let last: Cluster = EMPTY_CLUSTER;
	return {
		change(before, after) {
			if (before !== undefined && (after === undefined || isMoved(before, after))) put(before, true);
			if (after !== undefined) put(after, false);
		},
		complain: problems.set,
		snapshot() {
			const next: Cluster = {
				...last,
				services: tables.services.snapshot(),
				slices: tables.slices.snapshot(),
				nodes: tables.nodes.snapshot(),
				pods: tables.pods.snapshot(),
				policies: tables.policies.snapshot(),
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
		if (!isSameList(next, old)) slices.put(service, next, next.length === 0);
	}

	return (slice: EndpointSlice, isGone: boolean): void =>
		setSlice(slice.service, slice.key, isGone ? undefined : slice);
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

/** From one Service to another. */
function isMoved(before: Known, after: Known): boolean {
	return before.kind === "EndpointSlice" && after.kind === before.kind && before.slice.service !== after.slice.service;
}

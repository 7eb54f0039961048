// Files' contents -> Cluster: who wins among duplicates, which slices belong to which Service, and what is identical to before.

import { assertNever } from "../../lib/assert_never.ts";
import { isEqual, isSameList, isSameMap } from "../../lib/equal.ts";
import type { Cluster, EndpointSlice, Node, Service } from "../../model/cluster.ts";
import type { Pod } from "../../model/pod.ts";
import { type Policy, type PolicyKey, policyKey } from "../../model/policy.ts";
import type { Problem } from "../../model/problem.ts";
import type { Selection } from "../../model/selection.ts";
import type { Declared, Entry, Manifest } from "./manifest_file.ts";
import { pickPods } from "./policy_pods.ts";
import { type Derived, deriveSlices, listProblems, type Sorted } from "./selected_slices.ts";

export interface Assembler {
	/** The snapshot of these files, in this order. The identical value as before if nothing changed. */
	assemble(manifests: readonly Manifest[], problems: readonly Problem[]): Cluster;
}

interface Kept {
	readonly declared: Declared;
	readonly source: string;
}

/** Remembers the last snapshot, to give unchanged values back as they were. `ownNode` is what the host's own Node is called. */
export function createAssembler(ownNode = ""): Assembler {
	let last: Cluster | undefined;
	let kept: ReadonlyMap<string, Kept> = new Map();
	let derived: ReadonlyMap<string, Derived> = new Map();

	return {
		assemble(manifests, problems) {
			const { winners, duplicates } = pickWinners(manifests);
			kept = keep(winners, kept);
			const { services, written, nodes, policies, ...sorted } = sortOut(kept);
			derived = deriveSlices({ ...sorted, services, written, nodes }, derived);
			const slices = collectSlices(written, derived, last?.slices ?? new Map());
			const found = [
				...problems,
				...manifests.flatMap((manifest) => manifest.problems),
				...duplicates,
				...listProblems(derived.values(), (id) => kept.get(id)?.source),
			];
			const pods = pickPods(sorted.pods, policies.values(), ownNode);
			last = renew(last, { services, slices, nodes, pods, policies, problems: found });
			return last;
		},
	};
}

/** What is the same is the identical value. */
function renew(before: Cluster | undefined, next: Cluster): Cluster {
	if (before === undefined) return next;
	const nodes = isSameMap(next.nodes, before.nodes) ? before.nodes : next.nodes;
	const pods = isSameMap(next.pods, before.pods) ? before.pods : next.pods;
	const policies = isSameMap(next.policies, before.policies) ? before.policies : next.policies;
	const same =
		nodes === before.nodes &&
		pods === before.pods &&
		policies === before.policies &&
		isSameMap(next.services, before.services) &&
		isSameMap(next.slices, before.slices);
	return same && isEqual(next.problems, before.problems) ? before : { ...next, nodes, pods, policies };
}

function pickWinners(manifests: readonly Manifest[]): {
	readonly winners: ReadonlyMap<string, Entry>;
	readonly duplicates: readonly Problem[];
} {
	const winners = new Map<string, Entry>();
	const duplicates: Problem[] = [];
	for (const { entries } of manifests) {
		for (const entry of entries) {
			const winner = winners.get(entry.id);
			if (winner === undefined) winners.set(entry.id, entry);
			else {
				const message = `Declared before at ${winner.source}, which is used: remove one of them`;
				duplicates.push({ object: entry.id, source: entry.source, reason: "Duplicate", message });
			}
		}
	}
	return { winners, duplicates };
}

function keep(winners: ReadonlyMap<string, Entry>, before: ReadonlyMap<string, Kept>): ReadonlyMap<string, Kept> {
	const kept = new Map<string, Kept>();
	for (const [id, { declared, source }] of winners) {
		const old = before.get(id)?.declared;
		kept.set(id, { declared: old === undefined ? declared : keepOld(old, declared), source });
	}
	return kept;
}

/** What is the same as before stays itself: a Service and its selection each for itself; slices are compared by Service. */
function keepOld(old: Declared, next: Declared): Declared {
	if (next.kind === "EndpointSlice") return next;
	if (old.kind !== "Service" || next.kind !== "Service") return isEqual(old, next) ? old : next;
	return {
		kind: "Service",
		service: isEqual(old.service, next.service) ? old.service : next.service,
		selection: isEqual(old.selection, next.selection) ? old.selection : next.selection,
	};
}

interface SortedOut extends Sorted {
	readonly policies: ReadonlyMap<PolicyKey, Policy>;
}

function sortOut(kept: ReadonlyMap<string, Kept>): SortedOut {
	const services = new Map<string, Service>();
	const selections = new Map<string, Selection>();
	const written = new Map<string, EndpointSlice[]>();
	const pods: Pod[] = [];
	const nodes = new Map<string, Node>();
	const policies = new Map<PolicyKey, Policy>();
	for (const { declared } of kept.values()) {
		switch (declared.kind) {
			case "Pod":
				pods.push(declared.pod);
				break;
			case "EndpointSlice":
				push(written, declared.slice);
				break;
			case "Node":
				nodes.set(declared.node.name, declared.node);
				break;
			case "Policy":
				policies.set(policyKey(declared.policy), declared.policy);
				break;
			case "Service":
				services.set(declared.service.key, declared.service);
				if (declared.selection !== undefined) selections.set(declared.service.key, declared.selection);
				break;
			default:
				assertNever(declared);
		}
	}
	for (const list of written.values()) list.sort(byKey);
	return { services, selections, written, pods: pods.sort(byKey), nodes, policies };
}

function push(written: Map<string, EndpointSlice[]>, slice: EndpointSlice): void {
	const list = written.get(slice.service);
	if (list === undefined) written.set(slice.service, [slice]);
	else list.push(slice);
}

function byKey(a: { readonly key: string }, b: { readonly key: string }): number {
	if (a.key === b.key) return 0;
	return a.key < b.key ? -1 : 1;
}

function collectSlices(
	written: ReadonlyMap<string, readonly EndpointSlice[]>,
	derived: ReadonlyMap<string, Derived>,
	before: Cluster["slices"],
): Cluster["slices"] {
	const slices = new Map<string, readonly EndpointSlice[]>();
	for (const [key, list] of written) slices.set(key, keepList(list, before.get(key)));
	for (const [key, { sliced }] of derived) {
		if (sliced.slices.length > 0) slices.set(key, keepList(sliced.slices, before.get(key)));
	}
	return slices;
}

/** The list of before if it holds the same slices, else a list of those slices of before that are the same, and the new ones. */
function keepList(
	list: readonly EndpointSlice[],
	before: readonly EndpointSlice[] | undefined,
): readonly EndpointSlice[] {
	if (before === undefined) return list;
	const old = new Map(before.map((slice) => [slice.key, slice]));
	const next = list.map((slice) => {
		const same = old.get(slice.key);
		return same !== undefined && isEqual(same, slice) ? same : slice;
	});
	return isSameList(next, before) ? before : next;
}

// A hub that does not show some kinds any more: they are as they were when it did, by the copy on disk.

import type { KindStatus } from "../hub/kinds/kind_state.ts";
import type { Log } from "../lib/log.ts";
import { type Cluster, EMPTY_CLUSTER } from "../model/cluster.ts";
import type { Pod } from "../model/pod.ts";
import type { Policy, PolicyKey } from "../model/policy.ts";

export interface RecallOptions {
	/** Of the hub, now. */
	readonly kinds: () => readonly KindStatus[];
	/** The copy of the cluster that the snapshots come from. */
	readonly read: () => Cluster | undefined;
	/** Our own. */
	readonly nodeName: string;
	readonly log: Log;
}

/** What the copy has of the kinds that are not shown. */
interface Recalled {
	readonly nodes: Cluster["nodes"];
	readonly pods: Cluster["pods"];
	readonly policies: Cluster["policies"];
}

const NOTHING: Recalled = { nodes: new Map(), pods: new Map(), policies: new Map() };

/**
 * The same snapshots. Without the right to see Nodes, Pods or policies an agent that is started anew would take what it programmed by them
 * from the kernel: a right that is lost by mistake must not cost more than news.
 */
export async function* recallKinds(
	snapshots: AsyncIterable<Cluster>,
	options: RecallOptions,
): AsyncGenerator<Cluster, void> {
	const recall = createRecall(options);
	const addPods = createMerge<string, Pod>();
	const addPolicies = createMerge<PolicyKey, Policy>();
	for await (const cluster of snapshots) {
		const recalled = recall();
		const nodes = recalled.nodes.size === 0 ? cluster.nodes : recalled.nodes;
		const pods = addPods(cluster.pods, recalled.pods);
		const policies = addPolicies(cluster.policies, recalled.policies);
		const isSame = nodes === cluster.nodes && pods === cluster.pods && policies === cluster.policies;
		yield isSame ? cluster : { ...cluster, nodes, pods, policies };
	}
}

/** What stands in for what the hub does not show now; the identical value as long as that is the same. */
function createRecall({ kinds, read, nodeName, log }: RecallOptions): () => Recalled {
	let copy: Cluster | undefined;
	let unseen = "";
	let recalled = NOTHING;
	return () => {
		const now = unseenKinds(kinds());
		if (now.join() === unseen) return recalled;
		unseen = now.join();
		copy ??= read() ?? EMPTY_CLUSTER;
		recalled = pick(copy, now, nodeName);
		const { nodes, pods, policies } = recalled;
		const counts = { nodes: nodes.size, pods: pods.size, policies: policies.size };
		if (Object.values(counts).some((count) => count > 0)) log.warn(counts, "Kinds are as the copy on disk has them");
		return recalled;
	};
}

/** Kinds of which the hub shows nothing at all. */
function unseenKinds(kinds: readonly KindStatus[]): readonly KindStatus["kind"][] {
	const shown = new Set(kinds.filter(({ isGivenUp }) => !isGivenUp).map(({ kind }) => kind));
	return [...new Set(kinds.map(({ kind }) => kind))].filter((kind) => !shown.has(kind));
}

function pick(copy: Cluster, unseen: readonly KindStatus["kind"][], nodeName: string): Recalled {
	const { nodes, pods, policies } = copy;
	return {
		nodes: unseen.includes("Node") ? nodes : NOTHING.nodes,
		pods: unseen.includes("Pod") ? pods : podsOfPolicies(pods, unseen, nodeName),
		policies: new Map([...policies].filter(([, { kind }]) => unseen.includes(kind))),
	};
}

/** Pods elsewhere are followed for policies: where these are not shown, those are not read. */
function podsOfPolicies(
	pods: Cluster["pods"],
	unseen: readonly KindStatus["kind"][],
	nodeName: string,
): Cluster["pods"] {
	if (!unseen.includes("BalancingPolicy")) return NOTHING.pods;
	return new Map([...pods].filter(([, pod]) => pod.nodeName !== nodeName));
}

/** What is shown, and what is recalled besides; the identical Map for the identical two. */
function createMerge<K, V>(): (shown: ReadonlyMap<K, V>, recalled: ReadonlyMap<K, V>) => ReadonlyMap<K, V> {
	let last: { shown: ReadonlyMap<K, V>; recalled: ReadonlyMap<K, V>; both: ReadonlyMap<K, V> } | undefined;
	return (shown, recalled) => {
		if (recalled.size === 0) return shown;
		if (last?.shown !== shown || last.recalled !== recalled) {
			last = { shown, recalled, both: new Map([...recalled, ...shown]) };
		}
		return last.both;
	};
}

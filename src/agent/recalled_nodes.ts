// A hub that does not show its Nodes any more: they are as they were when it did, by the copy on disk.

import type { KindStatus } from "../hub/kinds/kind_state.ts";
import type { Log } from "../lib/log.ts";
import type { Cluster } from "../model/cluster.ts";

export interface RecallOptions {
	/** Of the hub, now. */
	readonly kinds: () => readonly KindStatus[];
	/** The copy of the cluster that the snapshots come from. */
	readonly read: () => Cluster | undefined;
	readonly log: Log;
}

/**
 * The same snapshots. Without the right to see Nodes an agent that is started anew would take their node ports from the kernel, and what
 * it reaches over them: a right that is lost by mistake must not cost more than news.
 */
export async function* recallNodes(
	snapshots: AsyncIterable<Cluster>,
	{ kinds, read, log }: RecallOptions,
): AsyncGenerator<Cluster, void> {
	let recalled: Cluster["nodes"] | undefined;
	for await (const cluster of snapshots) {
		if (!kinds().some(({ kind, isGivenUp }) => kind === "Node" && isGivenUp)) {
			yield cluster;
			continue;
		}
		if (recalled === undefined) {
			recalled = read()?.nodes ?? new Map();
			if (recalled.size > 0) log.warn({ nodes: recalled.size }, "Nodes are as the copy on disk has them");
		}
		yield recalled.size === 0 ? cluster : { ...cluster, nodes: recalled };
	}
}

// The view as one of several watches sees it that may have the same Pods: one that it has no more stays as long as another has it.

import type { Problem } from "../../model/problem.ts";
import type { ClusterView } from "./cluster_view.ts";
import type { Held } from "./held.ts";
import type { Known } from "./needs.ts";

/** What a watch has by now. */
export interface Holder {
	get(key: string): Held | undefined;
}

/** All watches of Pods. */
export interface PodHolders {
	/** Those that count. */
	readonly holders: Set<Holder>;
	/** Of any holder. */
	find(key: string): Held | undefined;
}

export function createPodHolders(): PodHolders {
	const holders = new Set<Holder>();
	return {
		holders,
		find(key) {
			for (const holder of holders) {
				const held = holder.get(key);
				if (held !== undefined) return held;
			}
			return undefined;
		},
	};
}

const POD = "Pod ";

/** The view for watches of Pods; each has let go of an object when it says so. */
export function viewOfPods(view: ClusterView, { find }: PodHolders): ClusterView {
	return {
		change(before: Known | undefined, after: Known | undefined) {
			const key = before?.kind === "Pod" ? before.pod.key : undefined;
			view.change(before, after ?? (key === undefined ? undefined : find(key)?.known));
		},
		complain(key: string, problems: readonly Problem[]) {
			const isGone = problems.length === 0 && key.startsWith(POD);
			view.complain(key, isGone ? (find(key.slice(POD.length))?.problems ?? problems) : problems);
		},
		snapshot: view.snapshot,
	};
}

/** A view until the signal is aborted: what is said later is not heard. */
export function viewUntil(signal: AbortSignal, view: ClusterView): ClusterView {
	return {
		change(before, after) {
			if (!signal.aborted) view.change(before, after);
		},
		complain(key, problems) {
			if (!signal.aborted) view.complain(key, problems);
		},
		snapshot: view.snapshot,
	};
}

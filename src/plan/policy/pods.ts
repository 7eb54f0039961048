// What a policy's pods are good for.

import type { Pod } from "../../model/pod.ts";

export interface PodUses {
	/** New connections go to them: those that are ready, else those that terminate and still serve (KEP-1669). */
	readonly wanted: readonly Pod[];
	/** They keep the UDP flows that they have. */
	readonly others: readonly Pod[];
}

export function isReady({ ready, terminating, finished }: Pod): boolean {
	return ready && !terminating && !finished;
}

/** It keeps the flows that it has. */
export function isOld({ terminating, finished }: Pod): boolean {
	return terminating && !finished;
}

/** Those that have ended are good for nothing. */
export function sortPods(selected: readonly Pod[]): PodUses {
	const ready = selected.filter(isReady);
	const wanted = ready.length > 0 ? ready : selected.filter((pod) => pod.ready && !pod.finished);
	const news = new Set(wanted);
	return { wanted, others: selected.filter((pod) => isOld(pod) && !news.has(pod)) };
}

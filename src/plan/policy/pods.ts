// Which pods a policy selects, and what each of them is good for.

import { type LabelSelector, matchesLabels } from "../../model/label_selector.ts";
import { labelIn } from "../../model/labels.ts";
import type { Pod } from "../../model/pod.ts";

export interface PodUses {
	/** New connections go to them: those that are ready, else those that terminate and still serve (KEP-1669). */
	readonly wanted: readonly Pod[];
	/** They keep the UDP flows that they have. */
	readonly others: readonly Pod[];
}

export function isSelected({ labels }: Pod, selector: LabelSelector): boolean {
	return matchesLabels(selector, (key) => labelIn(labels, key));
}

/** Sorted by key. */
export function selectPods(pods: Iterable<Pod>, isMeant: (pod: Pod) => boolean): readonly Pod[] {
	const selected: Pod[] = [];
	for (const pod of pods) if (!pod.finished && isMeant(pod)) selected.push(pod);
	return selected.sort((a, b) => (a.key < b.key ? -1 : 1));
}

export function isReady({ ready, terminating }: Pod): boolean {
	return ready && !terminating;
}

export function sortPods(selected: readonly Pod[]): PodUses {
	const ready = selected.filter(isReady);
	const wanted = ready.length > 0 ? ready : selected.filter((pod) => pod.ready);
	const news = new Set(wanted);
	return { wanted, others: selected.filter((pod) => pod.terminating && !news.has(pod)) };
}

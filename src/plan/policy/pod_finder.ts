// Finds the pods that selectors select: of many pods for many policies, most of which name the value of a label.

import { type LabelSelector, matchesLabels } from "../../model/label_selector.ts";
import { labelIn } from "../../model/labels.ts";
import type { Pod } from "../../model/pod.ts";

/** Of pods that do not change any more. */
export interface PodFinder {
	/** Sorted by key. */
	find(selector: LabelSelector): readonly Pod[];
}

/** Questions: sorting pods by a label, so that those with other values need not be looked at, costs as much as looking at all of them a few times. */
const WORTH = 3;

export function createPodFinder(pods: Iterable<Pod>): PodFinder {
	/** By the label's key, then by its value. */
	const sorted = new Map<string, ReadonlyMap<string, readonly Pod[]>>();
	let asked = 0;

	function byLabel(key: string): ReadonlyMap<string, readonly Pod[]> {
		const known = sorted.get(key) ?? sortByLabel(pods, key);
		sorted.set(key, known);
		return known;
	}

	return {
		find(selector) {
			asked += 1;
			const named = asked < WORTH ? undefined : selector.find(({ operator }) => operator === "in");
			const candidates =
				named === undefined ? pods : [...new Set(named.values)].flatMap((value) => byLabel(named.key).get(value) ?? []);
			const found: Pod[] = [];
			for (const pod of candidates) if (isSelected(pod, selector)) found.push(pod);
			return found.sort(byKey);
		},
	};
}

function sortByLabel(pods: Iterable<Pod>, key: string): ReadonlyMap<string, readonly Pod[]> {
	const byValue = new Map<string, Pod[]>();
	for (const pod of pods) {
		const value = labelIn(pod.labels, key);
		if (value === undefined) continue;
		const some = byValue.get(value);
		if (some === undefined) byValue.set(value, [pod]);
		else some.push(pod);
	}
	return byValue;
}

function isSelected({ labels }: Pod, selector: LabelSelector): boolean {
	return matchesLabels(selector, (key) => labelIn(labels, key));
}

function byKey(a: Pod, b: Pod): number {
	return a.key < b.key ? -1 : 1;
}

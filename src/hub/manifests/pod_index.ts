// Finds the Pods that a selector selects without looking at all of them.

import { labelIn, labelsIn } from "../../model/labels.ts";
import type { Pod } from "../../model/pod.ts";

export interface PodIndex {
	/** The Pods of a namespace that have all these labels, in the order they were given. */
	select(namespace: string, labels: ReadonlyMap<string, string>): readonly Pod[];
}

export function indexPods(pods: Iterable<Pod>): PodIndex {
	const byLabel = new Map<string, Pod[]>();
	for (const pod of pods) {
		for (const [key, value] of labelsIn(pod.labels)) {
			const bucket = bucketOf(pod.namespace, key, value);
			const members = byLabel.get(bucket);
			if (members === undefined) byLabel.set(bucket, [pod]);
			else members.push(pod);
		}
	}
	return {
		select(namespace, labels) {
			let fewest: readonly Pod[] | undefined;
			for (const [key, value] of labels) {
				const members = byLabel.get(bucketOf(namespace, key, value)) ?? [];
				if (fewest === undefined || members.length < fewest.length) fewest = members;
			}
			return (fewest ?? []).filter((pod) => [...labels].every(([key, value]) => labelIn(pod.labels, key) === value));
		},
	};
}

/** Neither namespaces nor label keys may have "\n"; a value that has one is only found by the exact comparison. */
function bucketOf(namespace: string, key: string, value: string): string {
	return `${namespace}\n${key}\n${value}`;
}

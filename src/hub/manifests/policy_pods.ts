// Which Pods a snapshot shows: those of our node, and those that a policy selects; of the others nobody reads more than their slices.

import { type LabelSelector, matchesLabels } from "../../model/label_selector.ts";
import { labelIn, labelsIn } from "../../model/labels.ts";
import type { Pod } from "../../model/pod.ts";
import type { Policy } from "../../model/policy.ts";

/** By key, in the order of `pods`. */
export function pickPods(pods: readonly Pod[], policies: Iterable<Policy>, ownNode: string): ReadonlyMap<string, Pod> {
	const isSelected = compile([...policies].flatMap(selectorsOf));
	const isOwn = ({ nodeName }: Pod): boolean => ownNode !== "" && nodeName === ownNode;
	return new Map(pods.filter((pod) => isOwn(pod) || isSelected(pod)).map((pod) => [pod.key, pod]));
}

function selectorsOf(policy: Policy): readonly LabelSelector[] {
	if (policy.kind === "LocalRedirectPolicy") return [policy.pods];
	return policy.backend.kind === "pods" ? [policy.backend.pods] : [];
}

/** Selectors are found by a label that they ask for, so that many policies and many Pods need not meet each other. */
function compile(selectors: readonly LabelSelector[]): (pod: Pod) => boolean {
	const byLabel = new Map<string, LabelSelector[]>();
	const others: LabelSelector[] = [];
	for (const selector of selectors) {
		const asked = selector.find(({ operator }) => operator === "in");
		if (asked === undefined) others.push(selector);
		for (const value of asked?.values ?? []) {
			const label = `${asked?.key}=${value}`;
			const known = byLabel.get(label);
			if (known === undefined) byLabel.set(label, [selector]);
			else known.push(selector);
		}
	}
	return ({ labels }) => {
		const matches = (selector: LabelSelector): boolean => matchesLabels(selector, (key) => labelIn(labels, key));
		if (others.some(matches)) return true;
		for (const [key, value] of labelsIn(labels)) if (byLabel.get(`${key}=${value}`)?.some(matches)) return true;
		return false;
	};
}

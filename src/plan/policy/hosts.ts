// On which hosts a policy holds.

import { matchesLabels } from "../../model/label_selector.ts";
import { labelIn, NO_LABELS } from "../../model/labels.ts";
import type { Policy } from "../../model/policy.ts";
import type { Self } from "../plan_types.ts";
import type { Vantage } from "../vantage.ts";

/** A node of the policy's own cluster: as its labels say. Any other host is outside of it. */
export function holdsHere({ hosts }: Policy, { nodes }: Vantage, { nodeName, isWholeCluster }: Self): boolean {
	if (isWholeCluster) return true;
	const own = nodes.get(nodeName);
	if (own === undefined) return hosts.outCluster;
	const labels = own.labels ?? NO_LABELS;
	return matchesLabels(hosts.nodes, (key) => labelIn(labels, key));
}

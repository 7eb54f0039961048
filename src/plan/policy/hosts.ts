// On which hosts a policy holds.

import { isEqual } from "../../lib/equal.ts";
import { matchesLabels } from "../../model/label_selector.ts";
import { labelIn, NO_LABELS } from "../../model/labels.ts";
import type { Policy, PolicyHosts } from "../../model/policy.ts";
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

/** Whether it takes a host to tell if both hold on it: then only agents know of a conflict. */
export function mayBeApart(a: PolicyHosts, b: PolicyHosts): boolean {
	if (a.outCluster && b.outCluster) return false;
	return a.nodes.length > 0 && b.nodes.length > 0 && !isEqual(a.nodes, b.nodes);
}

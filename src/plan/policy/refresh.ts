// Drafts policies anew when something that they look at has changed.

import { keysBetween } from "../../lib/layered_map.ts";
import type { Cluster, Service } from "../../model/cluster.ts";
import type { Pod } from "../../model/pod.ts";
import { type Policy, policyKey } from "../../model/policy.ts";
import { ageOf, type Claim } from "../claims.ts";
import { enter, forget } from "../entries.ts";
import { chunkKeyOf, type Entry, type HubMemory, type Memory } from "../memory.ts";
import { draftPolicy } from "./draft.ts";
import { holdsHere } from "./hosts.ts";
import { createPodFinder, type PodFinder } from "./pod_finder.ts";
import type { PolicySubject } from "./subject.ts";

/** Those in `stale` in any case. Claims whose chunk may be another one now are noted in `touched`. */
export function refreshPolicies(memory: Memory, hub: HubMemory, stale: ReadonlySet<Entry>, touched: Set<Claim>): void {
	const { cluster, planned } = hub;
	if (cluster === planned && hub.vantage === hub.plannedVantage && stale.size === 0) return;
	const changed = createPodFinder(changedPods(planned.pods, cluster.pods));
	const pods = createPodFinder({ [Symbol.iterator]: () => cluster.pods.values() });
	for (const policy of cluster.policies.values()) {
		const entry = hub.policies.get(policyKey(policy));
		const service = serviceOf(policy, cluster);
		const isKnown = entry !== undefined && entry.policy === policy && entry.service === service && !stale.has(entry);
		if (isKnown && !selectsAny(policy, changed) && seesTheSame(policy, hub, memory)) continue;
		enter(memory, hub, draft(memory, hub, { policy, service, pods }), touched);
	}
	forgetGone(memory, hub, touched);
}

/** All of the snapshot are in: if there are more, some are gone. */
function forgetGone(memory: Memory, hub: HubMemory, touched: Set<Claim>): void {
	const { policies } = hub.cluster;
	if (hub.policies.size === policies.size) return;
	for (const entry of [...hub.policies.values()])
		if (!policies.has(policyKey(entry.policy))) forget(memory, hub, entry, touched);
}

function serviceOf({ frontend }: Policy, { services }: Cluster): Service | undefined {
	return frontend.kind === "service" ? services.get(frontend.service) : undefined;
}

type Input = Pick<PolicySubject, "policy" | "service" | "pods">;

function draft(memory: Memory, { rank, name, vantage }: HubMemory, { policy, service, pods }: Input): Entry {
	const object = policyKey(policy);
	const claim: Claim = { rank, object, created: ageOf(policy.created) };
	const subject = { policy, rank, hub: name, service, pods, vantage };
	const drafted = draftPolicy(subject, memory.self, memory.quarantine);
	return { kind: "policy", policy, service, draft: drafted, claim, key: chunkKeyOf(rank, object) };
}

/** Each that came or went, and of each that changed both. */
function changedPods(before: ReadonlyMap<string, Pod>, after: ReadonlyMap<string, Pod>): readonly Pod[] {
	const keys = keysBetween(before, after) ?? new Set([...before.keys(), ...after.keys()]);
	return [...keys].flatMap((key) => {
		const [old, now] = [before.get(key), after.get(key)];
		return old === now ? [] : [old ?? [], now ?? []].flat();
	});
}

function selectsAny(policy: Policy, pods: PodFinder): boolean {
	if (policy.kind === "LocalRedirectPolicy") return pods.find(policy.pods).length > 0;
	return policy.backend.kind === "pods" && pods.find(policy.backend.pods).length > 0;
}

/** Of the nodes. */
function seesTheSame(policy: Policy, { vantage, plannedVantage }: HubMemory, { self }: Memory): boolean {
	if (vantage === plannedVantage) return true;
	if (policy.kind === "BalancingPolicy" && policy.backend.kind === "pods" && policy.backend.mode !== "podEndpoint")
		return false;
	return holdsHere(policy, vantage, self) === holdsHere(policy, plannedVantage, self);
}

// What a plan would say of a policy if it were there: the planner itself, on as much of the cluster as policies look at.

import { isEqual } from "../lib/equal.ts";
import { type Cluster, EMPTY_CLUSTER, type Service } from "../model/cluster.ts";
import type { LabelSelector } from "../model/label_selector.ts";
import { type Policy, type PolicyKey, policyKey } from "../model/policy.ts";
import type { Problem } from "../model/problem.ts";
import { planFresh } from "../plan/plan.ts";
import type { Plan, Self } from "../plan/plan_types.ts";

/** Of no host: conditions and admission speak of the cluster as a whole. */
const WHOLE_CLUSTER: Self = { nodeName: "", reach: "auto", addresses: [], isWholeCluster: true };

export interface Trial {
	/** Of the policy itself. */
	readonly problems: readonly Problem[];
	/** Others that would lose an address to it, as `BalancingPolicy b`. */
	readonly losers: readonly string[];
	/** Policies of the other kind with an address of it: `LocalRedirectPolicy r`, and one such address. */
	readonly shared: readonly { readonly policy: PolicyKey; readonly address: string }[];
}

/** Backends are known of Pods that a policy selects already, and of no others. */
const OF_PODS: ReadonlySet<Problem["reason"]> = new Set(["NoBackends", "HostPortMissing", "Unreachable"]);

/** Pure: nothing is remembered. */
export function tryPolicy(cluster: Cluster, policy: Policy): Trial {
	const key = policyKey(policy);
	const others = rivalsOf(cluster, policy);
	const without = planPolicies(cluster, others).problems;
	const within = planPolicies(cluster, new Map([...others, [key, policy]])).problems;
	const hadConflict = new Set(without.filter(isConflict).map(({ object }) => object));
	const losers = within.filter((problem) => isConflict(problem) && problem.object !== key);
	const isKnown = knowsPods(cluster, policy);
	return {
		problems: within.filter(({ object, reason }) => object === key && (isKnown || !OF_PODS.has(reason))),
		losers: [...new Set(losers.map(({ object }) => object))].filter((object) => !hadConflict.has(object)),
		shared: findShared(cluster.services, policy, [...others.values()]),
	};
}

/** Those that want an address of it. The backends of all others are not looked for: nobody shall wait for that. */
function rivalsOf({ services, policies }: Cluster, policy: Policy): Cluster["policies"] {
	const own = addressesOf(services, policy);
	const meets = (other: Policy) => [...addressesOf(services, other)].some((address) => own.has(address));
	const key = policyKey(policy);
	return new Map([...policies].filter(([other, each]) => other !== key && meets(each)));
}

function isConflict({ reason }: Problem): boolean {
	return reason === "FrontendConflict";
}

/** What a plan says of policies. Services that none of them names, and all endpoints, have no part in it. */
export function planPolicies(cluster: Cluster, policies = cluster.policies): Plan {
	const services = new Map<string, Service>();
	for (const { frontend } of policies.values()) {
		const service = frontend.kind === "service" ? cluster.services.get(frontend.service) : undefined;
		if (service !== undefined) services.set(service.key, service);
	}
	const { nodes, pods } = cluster;
	return planFresh([{ name: "", cluster: { ...EMPTY_CLUSTER, services, nodes, pods, policies } }], WHOLE_CLUSTER);
}

function podsOf(policy: Policy): LabelSelector | undefined {
	if (policy.kind === "LocalRedirectPolicy") return policy.pods;
	return policy.backend.kind === "pods" ? policy.backend.pods : undefined;
}

function knowsPods({ policies }: Cluster, policy: Policy): boolean {
	const wanted = podsOf(policy);
	if (wanted === undefined) return true;
	return [...policies.values()].some((other) => isEqual(podsOf(other), wanted));
}

type Services = Cluster["services"];

/** A redirect goes before a balancing policy, which whoever made only one of both may not know. */
function findShared(services: Services, policy: Policy, others: readonly Policy[]): Trial["shared"] {
	const own = addressesOf(services, policy);
	return others.flatMap((other) => {
		if (other.kind === policy.kind) return [];
		const theirs = addressesOf(services, other);
		const address = [...own].find((each) => theirs.has(each));
		return address === undefined ? [] : [{ policy: policyKey(other), address }];
	});
}

function addressesOf(services: Services, { frontend }: Policy): ReadonlySet<string> {
	const service = frontend.kind === "service" ? services.get(frontend.service) : undefined;
	const ips = frontend.kind === "service" ? (service?.clusterIps ?? []) : [frontend.ip];
	const ports = frontend.ports.length > 0 ? frontend.ports : (service?.ports ?? []);
	return new Set(ips.flatMap((ip) => ports.map(({ port, protocol }) => `${ip} port ${port}/${protocol}`)));
}

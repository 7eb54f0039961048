// What a LocalRedirectPolicy asks for: connections to a Service or an address arrive at pods of the client's own node.

import { ipFamily, l4Address } from "../../model/address.ts";
import type { Pod } from "../../model/pod.ts";
import { type LocalRedirectPolicy, policyKey } from "../../model/policy.ts";
import type { Backends } from "../endpoints.ts";
import type { Frontend, GuardedPod, Self } from "../plan_types.ts";
import { complainOfEmpty, frontendOf, type Owner } from "./frontend.ts";
import type { Place } from "./places.ts";
import { isOld, isReady } from "./pods.ts";
import type { Complain, PolicySubject } from "./subject.ts";

/** Clients that a redirect lets past. */
export interface Guard {
	readonly group: string;
	/** Sorted by name; none of them if it has no frontend. */
	readonly pods: readonly GuardedPod[];
}

export interface RedirectDraft {
	readonly frontends: readonly Frontend[];
	readonly guard: Guard;
}

/** Where no pod serves now new connections are as if there were no policy, and without any pod all of them. */
export function draftRedirect(
	subject: PolicySubject<LocalRedirectPolicy>,
	places: readonly Place[],
	to: { readonly self: Self; readonly complain: Complain },
): RedirectDraft {
	const { policy, pods } = subject;
	const { self, complain } = to;
	const local = pods.find(policy.pods).filter((pod) => isLocal(pod, self));
	const ready = local.filter(isReady);
	const old = local.filter(isOld);
	const mode = policy.frontend.kind === "service" ? "localRedirectService" : "localRedirectAddress";
	const owner: Owner = { policy, mode, complain };
	const group = guardGroup(subject);
	const redirect = { guard: group, limit: policy.qosLimit ?? self.redirectLimit ?? 0 };
	const all = places.map((place) => ({ ...frontendOf(owner, place, backendsOf(place, ready, old)), redirect }));
	// Seen from no host, a policy that nobody can serve is a mistake, and keeps the younger ones from its addresses.
	if (self.isWholeCluster) complainOfEmpty(all, "let a pod that the selector selects become ready", complain);
	const frontends = self.isWholeCluster ? all : all.filter(serves);
	const families = new Set(places.map(({ family }) => family));
	const serving = ready.filter(({ ips }) => ips.some((ip) => families.has(ipFamily(ip))));
	return { frontends, guard: { group, pods: serving.map(guardedPod) } };
}

/** Its last pod may be on its way out: then it keeps the flows that it has, and new connections are for who is next. */
function serves({ active, terminating }: Frontend): boolean {
	return active.length + terminating.length > 0;
}

function isLocal({ nodeName }: Pod, self: Self): boolean {
	return self.isWholeCluster || (nodeName !== "" && nodeName === self.nodeName);
}

function backendsOf(place: Place, ready: readonly Pod[], old: readonly Pod[]): Backends {
	const active = addressesOf(place, ready);
	const terminating = addressesOf(place, old);
	for (const address of active) terminating.delete(address);
	return { active: [...active].sort(), terminating: [...terminating].sort() };
}

function addressesOf({ family, target, protocol }: Place, pods: readonly Pod[]) {
	const ips = pods.flatMap((pod) => pod.ips.find((ip) => ipFamily(ip) === family) ?? []);
	return new Set(ips.map((ip) => l4Address(ip, target, protocol)));
}

/** Policies of one name in several hubs have backends of their own. */
export function guardGroup({ policy, rank, hub }: PolicySubject): string {
	const key = policyKey(policy);
	return rank === 0 ? key : `${key} of ${hub}`;
}

function guardedPod({ key, uid, ips, hostNetwork }: Pod): GuardedPod {
	return { pod: key, uid, ips, hostNetwork };
}

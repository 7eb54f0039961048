// What a BalancingPolicy asks for: connections to a Service or an address arrive at pods anywhere, or at addresses that it lists.

import { ipFamily, type L4Address, l4Address } from "../../model/address.ts";
import type { Pod } from "../../model/pod.ts";
import type { BalancingPolicy, PolicyBackend, RedirectMode } from "../../model/policy.ts";
import type { Backends } from "../endpoints.ts";
import type { Frontend, FrontendMode, Quarantine } from "../plan_types.ts";
import { examine, type Probes } from "../probes.ts";
import { repeatByWeight } from "../weights.ts";
import { complainOfEmpty, frontendOf, type Owner } from "./frontend.ts";
import type { Place } from "./places.ts";
import { sortPods } from "./pods.ts";
import type { Complain, PolicySubject } from "./subject.ts";
import { type Obstacle, wayOf } from "./ways.ts";

export interface BalancingDraft {
	readonly frontends: readonly Frontend[];
	readonly probes: ReadonlyMap<L4Address, Probes>;
}

/** A place without backends is claimed none the less: a policy says where connections go, and nowhere else. */
export function draftBalancing(
	subject: PolicySubject<BalancingPolicy>,
	places: readonly Place[],
	to: { readonly quarantine: Quarantine; readonly complain: Complain },
): BalancingDraft {
	const { policy } = subject;
	const { complain, quarantine } = to;
	const lost = new Map<string, Obstacle>();
	const find = finderOf(subject, lost);
	const owner: Owner = { policy, mode: modeOf(policy.backend), complain };
	const probes = new Map<L4Address, Probes>();
	const frontends = places.map((place) => {
		const found = find(place);
		const examined = examine(found.active, policy.healthCheck, quarantine);
		if (examined.probes.size > 0) probes.set(place.address, examined.probes);
		const active = weigh(examined.active, found.weights);
		return frontendOf(owner, place, { active, terminating: found.terminating });
	});
	complainOfLost(lost, complain);
	complainOfEmpty(frontends, FIXES[policy.backend.kind], complain);
	return { frontends, probes };
}

const FIXES: Readonly<Record<PolicyBackend["kind"], string>> = {
	pods: "let a pod that the selector selects become ready and reachable, or delete the policy",
	addresses: "give an address of its family with a weight above 0, or delete the policy",
};

const MODES: Readonly<Record<RedirectMode, FrontendMode>> = {
	podEndpoint: "balancingPod",
	hostPort: "balancingHostPort",
	nodeProxy: "balancingNodeProxy",
};

function modeOf(backend: PolicyBackend): FrontendMode {
	return backend.kind === "pods" ? MODES[backend.mode] : "balancingAddress";
}

/** `active` is sorted and distinct. */
interface Found extends Backends {
	readonly weights: ReadonlyMap<L4Address, number>;
}

type Finder = (place: Place) => Found;

function finderOf({ policy, pods, vantage }: PolicySubject<BalancingPolicy>, lost: Map<string, Obstacle>): Finder {
	const { backend } = policy;
	if (backend.kind === "addresses")
		return ({ family, target, protocol }) => {
			const listed = backend.addresses.filter(({ ip }) => ipFamily(ip) === family);
			return sortOut(
				listed.map(({ ip, weight }) => [l4Address(ip, target, protocol), weight] as const),
				[],
			);
		};
	const selected = pods.find(backend.pods);
	const missed = new Set(sortPods(selected).wanted);
	const way = wayOf(backend.mode, vantage);
	return (place) => {
		const ways = new Map<Pod, readonly L4Address[]>();
		for (const pod of selected) {
			const reached = way(pod, place);
			if (!isAddresses(reached)) {
				if (missed.has(pod)) lost.set(`${reached.reason} ${pod.key}`, reached);
			} else if (reached.length > 0) ways.set(pod, reached);
		}
		// Who cannot be reached there does not keep others from being used.
		const uses = sortPods([...ways.keys()]);
		const wanted = uses.wanted.flatMap((pod) => {
			// Several pods may share a proxy, whatever their weights.
			const weight = backend.mode === "nodeProxy" ? 1 : (pod.weight ?? 1);
			return (ways.get(pod) ?? []).map((address) => [address, weight] as const);
		});
		return sortOut(
			wanted,
			uses.others.flatMap((pod) => ways.get(pod) ?? []),
		);
	};
}

function isAddresses(reached: readonly L4Address[] | Obstacle): reached is readonly L4Address[] {
	return Array.isArray(reached);
}

/** Of an address that is there twice the greater weight counts. One without weight keeps the flows that it has. */
function sortOut(wanted: readonly (readonly [L4Address, number])[], others: readonly L4Address[]): Found {
	const weights = new Map<L4Address, number>();
	for (const [address, weight] of wanted) weights.set(address, Math.max(weight, weights.get(address) ?? 0));
	const known = [...weights.keys()].sort();
	const active = known.filter((address) => weights.get(address) !== 0);
	const terminating = new Set([...known, ...others]);
	for (const address of active) terminating.delete(address);
	return { active, terminating: [...terminating].sort(), weights };
}

/** `active` itself where all are alike. */
function weigh(active: readonly L4Address[], weights: ReadonlyMap<L4Address, number>): readonly L4Address[] {
	const [first] = active;
	const usual = first && weights.get(first);
	if (active.every((address) => weights.get(address) === usual)) return active;
	return repeatByWeight(new Map(active.map((address) => [address, weights.get(address) ?? 1])));
}

/** One Problem for each reason: a pod is lost for each port and family. */
function complainOfLost(lost: ReadonlyMap<string, Obstacle>, complain: Complain): void {
	for (const reason of ["HostPortMissing", "Unreachable"] as const) {
		const some = [...lost.values()].filter((each) => each.reason === reason);
		const [first] = some.sort((a, b) => (a.pod < b.pod ? -1 : 1));
		if (first === undefined) continue;
		const count = some.length === 1 ? "One pod is" : `${some.length} pods are`;
		const field =
			reason === "HostPortMissing" ? "spec.backend.serviceEndpoint.toPorts" : "spec.backend.serviceEndpoint";
		complain(field, reason, `${count} left out: ${first.message}`);
	}
}

// The backends of a BalancingPolicy at one place, and what each of them weighs.

import { ipFamily, type L4Address, l4Address } from "../../model/address.ts";
import type { Pod } from "../../model/pod.ts";
import type { BalancingPolicy, PolicyBackend } from "../../model/policy.ts";
import type { Backends } from "../endpoints.ts";
import type { Place } from "./places.ts";
import { sortPods } from "./pods.ts";
import type { PolicySubject } from "./subject.ts";
import { type Obstacle, wayOf } from "./ways.ts";

/** `active` is sorted and distinct. */
export interface Found extends Backends {
	/** Of all that new connections would go to; 0: they do not. */
	readonly weights: ReadonlyMap<L4Address, number>;
}

export type BackendFinder = (place: Place) => Found;

/** Pods that new connections would go to, but that cannot be reached, are noted in `lost`, by reason and name. */
export function backendFinder(subject: PolicySubject<BalancingPolicy>, lost: Map<string, Obstacle>): BackendFinder {
	const { backend } = subject.policy;
	return backend.kind === "addresses" ? (place) => findAddresses(backend, place) : findPods(subject, { backend, lost });
}

function findAddresses({ addresses }: Backend<"addresses">, { family, target, protocol }: Place): Found {
	const listed = addresses.filter(({ ip }) => ipFamily(ip) === family);
	const weighed = listed.map(({ ip, weight }) => [l4Address(ip, target, protocol), weight] as const);
	return sortOut(weighed, []);
}

type Backend<Kind extends PolicyBackend["kind"]> = Extract<PolicyBackend, { kind: Kind }>;

interface Selection {
	readonly backend: Backend<"pods">;
	readonly lost: Map<string, Obstacle>;
}

function findPods({ pods, vantage }: PolicySubject, { backend, lost }: Selection): BackendFinder {
	const selected = pods.find(backend.pods);
	const missed = new Set(sortPods(selected).wanted);
	const way = wayOf(backend.mode, vantage);
	// Several pods may share a proxy, whatever their weights.
	const weightOf = (pod: Pod) => (backend.mode === "nodeProxy" ? 1 : (pod.weight ?? 1));
	return (place) => {
		const ways = new Map<Pod, readonly L4Address[]>();
		for (const pod of selected) {
			const reached = way(pod, place);
			if (isAddresses(reached)) ways.set(pod, reached);
			else if (missed.has(pod)) lost.set(`${reached.reason} ${pod.key}`, reached);
		}
		const addressesOf = (pod: Pod) => ways.get(pod) ?? [];
		// Who cannot be reached there does not keep others from being used.
		const uses = sortPods(selected.filter((pod) => addressesOf(pod).length > 0));
		const wanted = uses.wanted.flatMap((pod) => addressesOf(pod).map((address) => [address, weightOf(pod)] as const));
		return sortOut(wanted, uses.others.flatMap(addressesOf));
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

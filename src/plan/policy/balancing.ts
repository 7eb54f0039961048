// What a BalancingPolicy asks for: connections to a Service or an address arrive at pods anywhere, or at addresses that it lists.

import type { L4Address } from "../../model/address.ts";
import type { BalancingPolicy, PolicyBackend, RedirectMode } from "../../model/policy.ts";
import type { Frontend, FrontendMode, Quarantine } from "../plan_types.ts";
import { examine, type Probes } from "../probes.ts";
import { repeatByWeight } from "../weights.ts";
import { backendFinder } from "./backends.ts";
import { complainOfEmpty, frontendOf, type Owner } from "./frontend.ts";
import type { Place } from "./places.ts";
import type { Complain, PolicySubject } from "./subject.ts";
import type { Obstacle } from "./ways.ts";

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
	const find = backendFinder(subject, lost);
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

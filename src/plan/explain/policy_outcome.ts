// A connection to an address that a policy has: where it goes.

import { ipFamily, l4Address, l4Parts } from "../../model/address.ts";
import type { BalancingPolicy, Policy } from "../../model/policy.ts";
import type { ConsideredEndpoint, DecidingFrontend, Outcome, Verdict } from "./explanation.ts";
import { considerPods, considerTargets, type PodsAsked } from "./policy_pods.ts";
import { textOf } from "./policy_ports.ts";
import type { PolicyWant } from "./policy_wants.ts";
import { verdictOf, withoutQuarantined } from "./verdict.ts";
import type { World } from "./wants.ts";

export function policyOutcome(world: World, want: PolicyWant): Outcome {
	const { policy, hub, back } = want;
	const steps: string[] = [];
	const note = (step: string) => steps.push(step);
	const family = ipFamily(l4Parts(want.address).ip);
	const asked = { hub, self: world.self, family, back };
	const endpoints =
		policy.kind === "LocalRedirectPolicy"
			? considerTargets(policy, asked)
			: withoutQuarantined(considerBackend(policy, asked, note), policy.healthCheck, world.quarantine, note);
	const verdict = verdictOf(endpoints);
	return { verdict, because: becauseOf(policy, endpoints, verdict), frontend: frontendOf(want), steps, endpoints };
}

/** `10.96.0.1:80/TCP is balanced by BalancingPolicy canary, port http 80/TCP to http 8080/TCP of Pods (hostPort)`. */
export function describePolicyWant({ hubs }: World, { policy, hub, address, front, back }: PolicyWant): string {
	const verb = policy.kind === "LocalRedirectPolicy" ? "redirected" : "balanced";
	const where = hubs.length > 1 ? ` of hub ${hub.name}` : "";
	const owner = policy.frontend.kind === "service" ? ` (a port of Service ${policy.frontend.service})` : "";
	return `${address}${owner} is ${verb} by ${policy.kind} ${policy.name}${where}, port ${textOf(front)} to ${textOf(back)} of ${membersOf(policy)}`;
}

function membersOf(policy: Policy): string {
	if (policy.kind === "LocalRedirectPolicy") return "ready Pods on this node";
	return policy.backend.kind === "addresses" ? "its addresses" : `Pods (${policy.backend.mode})`;
}

function considerBackend(
	{ backend }: BalancingPolicy,
	asked: PodsAsked,
	note: (step: string) => unknown,
): readonly ConsideredEndpoint[] {
	if (backend.kind === "pods") return considerPods(backend, asked, note);
	const { hub, family, back } = asked;
	return backend.addresses.map(({ ip, weight }): ConsideredEndpoint => {
		const address = l4Address(ip, back.port, back.protocol);
		const facts = { address, hub: hub.name, node: "" };
		if (ipFamily(ip) !== family) return { ...facts, use: "none", through: [], why: `no ${family} address` };
		if (weight === 0) return { ...facts, use: "flows", through: [address], weight, why: "its weight is 0" };
		const listed = { ...facts, use: "new", through: [address], why: "listed" } as const;
		return weight === 1 ? listed : { ...listed, weight };
	});
}

function frontendOf({ policy, hub, address, mode, front }: PolicyWant): DecidingFrontend {
	const name = `${policy.name}:${front.name === "" ? front.port : front.name}`;
	const facts = { address, name, hub: hub.name, mode };
	const healthCheck = policy.kind === "BalancingPolicy" ? policy.healthCheck : undefined;
	return healthCheck === undefined ? facts : { ...facts, healthCheck };
}

function becauseOf({ kind, name }: Policy, endpoints: readonly ConsideredEndpoint[], verdict: Verdict): string {
	const policy = `${kind} ${name}`;
	const many = (count: number, noun: string) => `${count} ${noun}${count === 1 ? "" : "s"}`;
	if (verdict.kind === "translate") {
		const count = verdict.active.length;
		return kind === "LocalRedirectPolicy"
			? `${policy} has ${many(count, "ready Pod")} on this node`
			: `${policy} has ${many(count, "backend")} for new connections`;
	}
	if (endpoints.length === 0) return `${policy} leads nowhere: it selects no Pod, and lists no address`;
	const reasons = [...new Set(endpoints.map(({ why }) => why))].sort();
	return `no backend of ${policy} takes new connections (${reasons.join("; ")})`;
}

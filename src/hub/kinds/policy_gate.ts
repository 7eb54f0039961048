// Policies wait for the Pods that they select: until these are known, what was shown before stays, with its Pods.

import { formatLabelSelector, type LabelSelector } from "../../model/label_selector.ts";
import { type Policy, type PolicyKey, policyKey } from "../../model/policy.ts";
import type { ClusterView } from "./cluster_view.ts";
import type { Audience, Known } from "./needs.ts";
import type { SelectedPods } from "./selected_pods.ts";

export type KnownPolicy = Extract<Known, { readonly policy: Policy }>;

export interface PolicyGate {
	/** A policy came (`before` undefined), changed, or went (`after` undefined). */
	change(before: KnownPolicy | undefined, after: KnownPolicy | undefined): void;
	/** Shows what may be shown by now, and has those Pods followed that are asked for. Cheap where nothing is under way. */
	review(): void;
}

export interface PolicyGateOptions {
	readonly audience: Audience;
	readonly view: Pick<ClusterView, "change" | "complain">;
	readonly pods: SelectedPods;
}

interface Entry {
	readonly known: KnownPolicy;
	/** Of the Pods that it needs besides those that are followed in any case; undefined: none. */
	readonly selector: string | undefined;
}

export function createPolicyGate({ audience, view, pods }: PolicyGateOptions): PolicyGate {
	/** As the hub has them. */
	const real = new Map<PolicyKey, Entry>();
	const shown = new Map<PolicyKey, Entry>();
	const complained = new Set<PolicyKey>();
	let isDue = false;

	function hide(key: PolicyKey): void {
		view.change(shown.get(key)?.known, undefined);
		shown.delete(key);
		complain(key, false);
	}

	/** False if it has to wait for its Pods. */
	function showInTime(key: PolicyKey, entry: Entry): boolean {
		const { selector, known } = entry;
		const isTooMany = selector !== undefined && !pods.isFollowed(selector);
		complain(key, isTooMany);
		const before = shown.get(key);
		if (before === entry) return true;
		if (selector !== undefined && !isTooMany && !pods.isSettled(selector)) return false;
		view.change(before?.known, known);
		shown.set(key, entry);
		return true;
	}

	function complain(key: PolicyKey, isTooMany: boolean): void {
		if (isTooMany === complained.has(key)) return;
		if (isTooMany) complained.add(key);
		else complained.delete(key);
		const fix = "give policies the same endpointSelector, or narrow the hub with --namespaces";
		const message = `Its pods are not read: over ${pods.most} watches for what policies select; ${fix}`;
		view.complain(`${key}: its pods`, isTooMany ? [{ object: key, reason: "TooLarge", message }] : []);
	}

	/** Of the older policies first: which ones are too many does not depend on the order in which they came. */
	function wanted(): ReadonlySet<string> {
		const entries = [...real.values()].sort(byAge);
		return new Set(entries.flatMap(({ selector }) => selector ?? []));
	}

	return {
		change(before, after) {
			isDue = true;
			const known = after ?? before;
			if (known === undefined) return;
			const key = policyKey(known.policy);
			if (after === undefined) real.delete(key);
			else real.set(key, { known: after, selector: selectorOf(after.policy, audience) });
		},
		review() {
			if (!isDue) return;
			const needed = wanted();
			pods.follow(needed, new Set([...shown.values()].flatMap(({ selector }) => selector ?? [])));
			for (const key of shown.keys()) if (!real.has(key)) hide(key);
			const waiting = [...real].filter(([key, entry]) => !showInTime(key, entry));
			isDue = waiting.length > 0;
			if (!isDue) pods.follow(needed, new Set());
		},
	};
}

/** A redirect leads to Pods of the agent's own node, which are followed in any case. */
function selectorOf(policy: Policy, { kind }: Audience): string | undefined {
	const selector = podsOf(policy, kind);
	return selector === undefined ? undefined : formatLabelSelector(selector);
}

function podsOf(policy: Policy, audience: Audience["kind"]): LabelSelector | undefined {
	if (policy.kind === "LocalRedirectPolicy") return audience === "cluster" ? policy.pods : undefined;
	return policy.backend.kind === "pods" ? policy.backend.pods : undefined;
}

function byAge(a: Entry, b: Entry): number {
	const [first, second] = [a, b].map(({ known: { policy } }) => `${policy.created || "~"} ${policyKey(policy)}`);
	return first === second ? 0 : (first ?? "") < (second ?? "") ? -1 : 1;
}

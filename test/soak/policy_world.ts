// Random changes of Nodes, Pods and policies of a hub.

import type { TestHub } from "../support/hub/hub.ts";
import type { Dice } from "./dice.ts";
import { broken, type Named, STEADY_PODS } from "./objects.ts";
import {
	anyNode,
	anyNodeName,
	anyPod,
	anyPodPlace,
	anyPolicy,
	anyPolicyPlace,
	anySteadyPod,
	anySteadyPolicy,
	anySteadyPolicyPlace,
	type Made,
	POLICY_KINDS,
	type PolicyKind,
	steadyPodPlace,
} from "./policies.ts";

export interface PolicyWorld {
	change(): void;
	/** As many as there usually are. */
	fill(): void;
}

/** False while the kind's definition is away: the hub has nothing of it then. */
export function isServed(hub: TestHub, kind: string): boolean {
	return !isPolicy(kind) || hub.get("CustomResourceDefinition", undefined, definitionOf(kind)) !== undefined;
}

export function definitionOf(kind: PolicyKind): string {
	return `${kind.toLowerCase().replace(/y$/, "ies")}.balancing.elf.io`;
}

function isPolicy(kind: string): kind is PolicyKind {
	return POLICY_KINDS.some((each) => each === kind);
}

export function createPolicyWorld(hub: TestHub, dice: Dice): PolicyWorld {
	const put = (object: Made): void => {
		if (isServed(hub, object.kind)) hub.put(object.kind, object);
	};
	const remove = (kind: string, { namespace, name }: { readonly namespace?: string; readonly name: string }): void => {
		if (isServed(hub, kind) && hub.get(kind, namespace, name) !== undefined) hub.delete(kind, namespace, name);
	};

	function putPolicy(): void {
		const { kind, name } = anyPolicyPlace(dice);
		put(anyPolicy(dice, kind, name));
	}

	function putPod(): void {
		put(anyPod(dice, anyPodPlace(dice)));
	}

	function putSteadyPolicy(): void {
		const { kind, name } = anySteadyPolicyPlace(dice);
		put(anySteadyPolicy(dice, kind, name));
	}

	function removeSteadyPolicy(): void {
		const { kind, name } = anySteadyPolicyPlace(dice);
		remove(kind, { name });
	}

	function putSteadyPod(): void {
		put(anySteadyPod(dice, dice.pick(STEADY_PODS)));
	}

	/** Values somewhere in it that no API server would take. */
	function spoil(object: Made): void {
		const { metadata } = object;
		const whole: Named & Made = { ...object, metadata: { ...metadata, namespace: metadata.namespace ?? "" } };
		put({ ...object, ...broken(dice, whole), kind: object.kind, metadata });
	}

	const changes: readonly (() => void)[] = [
		...Array.from({ length: 6 }, () => putPod),
		...Array.from({ length: 5 }, () => putPolicy),
		putSteadyPolicy,
		putSteadyPolicy,
		removeSteadyPolicy,
		putSteadyPod,
		putSteadyPod,
		() => remove("Pod", steadyPodPlace(dice.pick(STEADY_PODS))),
		() => remove("Pod", anyPodPlace(dice)),
		() => {
			const { kind, name } = anyPolicyPlace(dice);
			remove(kind, { name });
		},
		// Away and back within one event loop turn.
		() => {
			const { kind, name } = anyPolicyPlace(dice);
			remove(kind, { name });
			put(anyPolicy(dice, kind, name));
		},
		() => put(anyNode(dice, anyNodeName(dice))),
		() => remove("Node", { name: anyNodeName(dice) }),
		() => {
			const { kind, name } = anyPolicyPlace(dice);
			spoil(anyPolicy(dice, kind, name));
		},
		() => spoil(anyPod(dice, anyPodPlace(dice))),
	];

	return {
		change: () => dice.pick(changes)(),
		fill() {
			put(anyNode(dice, "here"));
			for (let count = 0; count < 20; count++) putPod();
			for (let count = 0; count < 10; count++) putPolicy();
			for (const name of STEADY_PODS) put(anySteadyPod(dice, name));
			put(anySteadyPolicy(dice, "LocalRedirectPolicy", "steady-1"));
		},
	};
}

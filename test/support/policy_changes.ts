// Random changes of policies and Pods: labels, selectors, nodes, comings and goings.

import type { TestHub } from "./hub/hub.ts";
import { podPolicy, policyPod } from "./policies.ts";

const POLICIES = 6;
const PODS = 30;
const APPS = 4;
const NODES = ["edge-1", "n1", "n2"];

/** A number from 0 up to a bound. */
type Random = (below: number) => number;

export function changePolicies(hub: TestHub, random: Random): void {
	if (random(4) === 0) changePolicy(hub, random);
	else changePod(hub, random);
}

function changePolicy(hub: TestHub, random: Random): void {
	const name = `p${random(POLICIES)}`;
	const isThere = hub.get("BalancingPolicy", undefined, name) !== undefined;
	if (isThere && random(3) === 0) hub.delete("BalancingPolicy", undefined, name);
	else hub.apply(podPolicy(name, { app: `a${random(APPS)}` }));
}

function changePod(hub: TestHub, random: Random): void {
	const name = `pod${random(PODS)}`;
	const known = hub.get("Pod", "demo", name);
	if (known !== undefined && random(4) === 0) hub.delete("Pod", "demo", name);
	else {
		// Where it is nobody changes.
		const node = known === undefined ? NODES[random(NODES.length)] : undefined;
		const given: unknown = Reflect.get(Object(known?.spec), "nodeName");
		const ip = `10.1.${random(200)}.${1 + random(200)}`;
		hub.apply(policyPod(name, { labels: { app: `a${random(APPS)}` }, node: node ?? String(given), ip }));
	}
}

// What a hub has and what a client shows of it, as text that is equal if they agree.

import { type Cluster, EMPTY_CLUSTER } from "../../src/model/cluster.ts";
import { formatLabelSelector } from "../../src/model/label_selector.ts";
import type { Policy } from "../../src/model/policy.ts";
import type { TestHub } from "./hub/hub.ts";
import { at } from "./hub/object.ts";

/** A client, as far as it shows. */
interface Showing {
	services(): readonly string[] | undefined;
	ips(service: string): readonly string[];
	readonly seen: readonly Cluster[];
}

/**
 * `demo/s1: 10.1.0.1,10.1.0.2`, sorted: each Service of `demo` and the endpoints of its one slice; `n1: 10.0.0.1`: each Node; policies, and
 * the Pods that are on the agent's node or that one of them selects by its one label.
 */
export function truth(hub: TestHub): string {
	const slices = new Map(hub.list("EndpointSlice").map((slice) => [slice.metadata.name, slice]));
	const lines = hub
		.list("Service")
		.filter(({ metadata }) => metadata.namespace === "demo")
		.map(({ metadata: { name } }) => {
			const endpoints: unknown = Reflect.get(slices.get(`${name}-1`) ?? {}, "endpoints");
			const ips = (Array.isArray(endpoints) ? endpoints : []).map((endpoint) => endpoint.addresses[0]);
			return `demo/${name}: ${ips}`;
		});
	const nodes = hub.list("Node").map(({ metadata: { name }, status }) => `${name}: ${addressesOf(status)}`);
	return [...lines, ...nodes, ...policiesAndPods(hub)].sort().join("\n");
}

function addressesOf(status: unknown): readonly string[] {
	const addresses: unknown = Reflect.get(Object(status), "addresses");
	return Array.isArray(addresses) ? addresses.map(({ address }) => String(address)) : [];
}

export function shown(client: Showing): string {
	const lines = (client.services() ?? []).map((key) => `${key}: ${client.ips(key)}`);
	const nodes = [...(client.seen.at(-1)?.nodes.values() ?? [])].map(({ name, ips }) => `${name}: ${ips}`);
	const { policies, pods } = client.seen.at(-1) ?? EMPTY_CLUSTER;
	const selecting = [...policies.values()].map((policy) => `${policy.kind} ${policy.name}: ${selectorIn(policy)}`);
	const known = [...pods.values()].map(({ key, ips, labels }) => `Pod ${key}: ${ips} ${labels.trim()}`);
	return [...lines, ...nodes, ...selecting, ...known].sort().join("\n");
}

function selectorIn(policy: Policy): string {
	if (policy.kind !== "BalancingPolicy" || policy.backend.kind !== "pods") return "";
	return formatLabelSelector(policy.backend.pods);
}

function policiesAndPods(hub: TestHub): readonly string[] {
	const policies = hub.list("BalancingPolicy").map(({ metadata: { name }, spec }) => {
		const selector = at(spec, "backend", "serviceEndpoint", "endpointSelector", "matchLabels");
		return { name, selector: Object.entries(Object(selector)).map(([key, value]) => `${key}=${value}`) };
	});
	const pods = hub.list("Pod").flatMap(({ metadata: { name, labels }, spec, status }) => {
		const own = Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`);
		const isOurs = at(spec, "nodeName") === "edge-1";
		const isSelected = policies.some(
			({ selector }) => selector.length > 0 && selector.every((each) => own.includes(each)),
		);
		return isOurs || isSelected ? [`Pod demo/${name}: ${at(status, "podIP")} ${own}`] : [];
	});
	return [...policies.map(({ name, selector }) => `BalancingPolicy ${name}: ${selector}`), ...pods];
}

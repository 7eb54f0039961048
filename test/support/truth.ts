// What a hub has and what a client shows of it, as text that is equal if they agree.

import type { Cluster } from "../../src/model/cluster.ts";
import type { TestHub } from "./hub/hub.ts";

/** A client, as far as it shows. */
interface Showing {
	services(): readonly string[] | undefined;
	ips(service: string): readonly string[];
	readonly seen: readonly Cluster[];
}

/** `demo/s1: 10.1.0.1,10.1.0.2`, sorted: each Service of `demo` and the endpoints of its one slice; `n1: 10.0.0.1`: each Node. */
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
	return [...lines, ...nodes].sort().join("\n");
}

function addressesOf(status: unknown): readonly string[] {
	const addresses: unknown = Reflect.get(Object(status), "addresses");
	return Array.isArray(addresses) ? addresses.map(({ address }) => String(address)) : [];
}

export function shown(client: Showing): string {
	const lines = (client.services() ?? []).map((key) => `${key}: ${client.ips(key)}`);
	const nodes = [...(client.seen.at(-1)?.nodes.values() ?? [])].map(({ name, ips }) => `${name}: ${ips}`);
	return [...lines, ...nodes].sort().join("\n");
}

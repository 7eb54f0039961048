// What a hub has and what a client shows of it, as text that is equal if they agree.

import type { TestHub } from "./hub/hub.ts";

/** A client, as far as it shows. */
interface Showing {
	services(): readonly string[] | undefined;
	ips(service: string): readonly string[];
}

/** `demo/s1: 10.1.0.1,10.1.0.2`, sorted: each Service of `demo` and the endpoints of its one slice. */
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
	return lines.sort().join("\n");
}

export function shown(client: Showing): string {
	const lines = (client.services() ?? []).map((key) => `${key}: ${client.ips(key)}`);
	return lines.sort().join("\n");
}

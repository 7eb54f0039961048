// Two clusters for one agent: their API servers, and what they have of one Service that is global.

import { parse, stringify } from "yaml";
import { startHub, type TestHub } from "./hub/hub.ts";

export interface Clusters extends AsyncDisposable {
	readonly east: TestHub;
	readonly west: TestHub;
}

export async function twoClusters(): Promise<Clusters> {
	await using stack = new AsyncDisposableStack();
	const east = stack.use(await startHub({ kubernetes: false }));
	const west = stack.use(await startHub({ kubernetes: false }));
	const all = stack.move();
	return { east, west, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

interface Kubeconfig {
	readonly clusters: readonly unknown[];
	readonly users: readonly { readonly name: string; readonly user: unknown }[];
	readonly contexts: readonly { readonly name: string; readonly context: object }[];
}

/** One file with the contexts east (the current one) and west. */
export function sharedKubeconfig({ east, west }: Clusters): string {
	const parts = Object.entries({ east, west }).map(([name, hub]) => {
		const { clusters, users, contexts }: Kubeconfig = parse(hub.kubeconfig({ name }));
		return {
			clusters,
			users: users.map(({ user }) => ({ name: `admin-${name}`, user })),
			contexts: contexts.map(({ context }) => ({ name, context: { ...context, user: `admin-${name}` } })),
		};
	});
	return stringify({
		apiVersion: "v1",
		kind: "Config",
		clusters: parts.flatMap(({ clusters }) => clusters),
		users: parts.flatMap(({ users }) => users),
		contexts: parts.flatMap(({ contexts }) => contexts),
		"current-context": "east",
	});
}

export interface Shop {
	readonly ip: string;
	/** Default: true. */
	readonly global?: boolean;
	readonly ready?: readonly string[];
	/** They terminate, and do not serve any more. */
	readonly stopping?: readonly string[];
}

/** Service demo/shop over TCP (80 to 8080) and UDP (53 to 5353), and its slice. */
export function shop({ ip, global = true, ready = [], stopping = [] }: Shop): readonly object[] {
	const endpoint = (address: string, conditions: object) => ({ addresses: [address], conditions });
	return [
		{
			apiVersion: "v1",
			kind: "Service",
			metadata: {
				name: "shop",
				namespace: "demo",
				...(global ? { annotations: { "balancing.elf.io/global": "true" } } : {}),
			},
			spec: {
				clusterIP: ip,
				clusterIPs: [ip],
				ports: [
					{ name: "http", port: 80, protocol: "TCP" },
					{ name: "dns", port: 53, protocol: "UDP" },
				],
			},
		},
		{
			apiVersion: "discovery.k8s.io/v1",
			kind: "EndpointSlice",
			metadata: { name: "shop-1", namespace: "demo", labels: { "kubernetes.io/service-name": "shop" } },
			addressType: "IPv4",
			endpoints: [
				...ready.map((address) => endpoint(address, { ready: true, serving: true, terminating: false })),
				...stopping.map((address) => endpoint(address, { ready: false, serving: false, terminating: true })),
			],
			ports: [
				{ name: "http", port: 8080, protocol: "TCP" },
				{ name: "dns", port: 5353, protocol: "UDP" },
			],
		},
	];
}

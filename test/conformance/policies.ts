// Pods and the two policies as users would write them.

import { type HostName, hostNamed } from "./network.ts";
import type { Fields, Place } from "./objects.ts";
import type { Protocol } from "./row.ts";

export type Labels = Readonly<Record<string, string>>;

export interface PodOptions {
	readonly labels?: Labels;
	/** Default true. */
	readonly ready?: boolean;
	/** It is being deleted. */
	readonly terminating?: boolean;
	/** Ports that its node opens for it. */
	readonly hostPorts?: readonly number[];
	readonly annotations?: Labels;
}

/** A Pod that has this host's addresses, on the node that the host is on. */
export function podObject({ namespace, name }: Place, host: HostName, options: PodOptions): Fields {
	const { labels = {}, ready = true, terminating = false, hostPorts = [], annotations = {} } = options;
	const { v4, v6, node } = hostNamed(host);
	const ports = hostPorts.flatMap((hostPort) =>
		(["TCP", "UDP"] as const).map((protocol) => ({ containerPort: 8080, hostPort, protocol })),
	);
	return {
		apiVersion: "v1",
		kind: "Pod",
		metadata: {
			namespace,
			name,
			labels,
			annotations,
			...(terminating ? { deletionTimestamp: "2026-01-01T00:00:00Z", deletionGracePeriodSeconds: 30 } : {}),
		},
		spec: { nodeName: node, hostNetwork: host === node, containers: [{ name: "server", image: "server", ports }] },
		status: {
			phase: "Running",
			podIP: v4,
			podIPs: [{ ip: v4 }, { ip: v6 }],
			conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
		},
	};
}

export interface PortPair {
	readonly name: string;
	readonly port: number;
}

/** Entries of `toPorts`. */
export function toPorts(protocol: Protocol, ports: readonly PortPair[]): readonly Fields[] {
	return ports.map(({ name, port }) => ({ name, port: String(port), protocol }));
}

export interface PolicyOptions {
	readonly annotations?: Labels;
	readonly created?: string;
	/** spec.config. */
	readonly config?: Fields;
}

export function policyObject(
	kind: "LocalRedirectPolicy" | "BalancingPolicy",
	name: string,
	spec: Fields,
	{ annotations, created, config }: PolicyOptions = {},
): Fields {
	return {
		apiVersion: "balancing.elf.io/v1beta1",
		kind,
		metadata: {
			name,
			...(annotations === undefined ? {} : { annotations }),
			...(created === undefined ? {} : { creationTimestamp: created }),
		},
		spec: { ...(config === undefined ? {} : { config }), ...spec },
	};
}

// A cluster as it is seen from this node: where we stand in it, and where its nodes are.

import type { Ip } from "../model/address.ts";
import type { Cluster, Node } from "../model/cluster.ts";

/** The identical (===) one means: nothing of it has changed. */
export interface Vantage {
	readonly nodes: ReadonlyMap<string, Node>;
	/** This host is one of its nodes. */
	readonly isNode: boolean;
	/** It is, or the cluster has no nodes at all, as one that a folder of manifests describes: its pods are reached as they are. */
	readonly isInside: boolean;
	/** Of our own Node; "" if there is none, or none is known. */
	readonly zone: string;
	/** All nodes' addresses. */
	readonly nodeIps: () => ReadonlySet<Ip>;
}

export function vantageOf({ nodes }: Cluster, nodeName: string): Vantage {
	const own = nodes.get(nodeName);
	let ips: ReadonlySet<Ip> | undefined;
	return {
		nodes,
		isNode: own !== undefined,
		isInside: own !== undefined || nodes.size === 0,
		zone: own?.zone ?? "",
		// Few ask: only from outside a cluster, or with a reach of their own.
		nodeIps() {
			ips ??= new Set([...nodes.values()].flatMap((node) => node.ips));
			return ips;
		},
	};
}

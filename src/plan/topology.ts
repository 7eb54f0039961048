// Which of the ready endpoints are meant for clients on this node: kube-proxy's rules (pkg/proxy/topology.go, 1.33 and later).

import type { Endpoint } from "../model/cluster.ts";

/** Where the client is. */
export interface Location {
	readonly nodeName: string;
	/** "": nobody knows. */
	readonly zone: string;
}

/**
 * Whether an endpoint is for us. Hints count only if all ready endpoints have them, and one of them is for us: those for nodes before
 * those for zones. `ready` are all that a port of a Service has in one family.
 */
export function hintFilter(ready: readonly Endpoint[], { nodeName, zone }: Location): (endpoint: Endpoint) => boolean {
	// "" is no node's name and no zone's.
	const forNode = ({ hints }: Endpoint): boolean => nodeName !== "" && hints?.nodes.includes(nodeName) === true;
	const forZone = ({ hints }: Endpoint): boolean => zone !== "" && hints?.zones.includes(zone) === true;
	if (ready.every(({ hints }) => hints !== undefined && hints.nodes.length > 0) && ready.some(forNode)) return forNode;
	if (ready.every(({ hints }) => hints !== undefined && hints.zones.length > 0) && ready.some(forZone)) return forZone;
	return () => true;
}

// From the EndpointSlices of a Service to the backends of one of its ports.

import type { L4Address, Protocol } from "../model/address.ts";
import { l4Address } from "../model/address.ts";
import type { Endpoint, EndpointSlice } from "../model/cluster.ts";

/** Of one Service in one cluster. */
export type Slices = readonly EndpointSlice[];

/** Which endpoints are asked for. */
export interface Want {
	readonly family: EndpointSlice["addressType"];
	/** The ServicePort's name and protocol: an EndpointPort must have the same. */
	readonly portName: string;
	readonly protocol: Protocol;
	/** Only endpoints on this node (traffic policy Local); undefined: on any. "" is no node's name. */
	readonly nodeName: string | undefined;
}

export interface Backends {
	/** Sorted, distinct. */
	readonly active: readonly L4Address[];
	/** Sorted, distinct, none of `active`. */
	readonly terminating: readonly L4Address[];
}

/** What an endpoint is good for. */
type Use = "new" | "fallback" | "old";
const BEST_FIRST: readonly Use[] = ["new", "fallback", "old"];

/**
 * New connections go to ready endpoints; if there is none, to those that terminate and still serve (KEP-1669). Of several clusters the
 * first one that has such endpoints gets them. All others that still serve or terminate keep the UDP flows they have, so that a
 * switch from cluster to cluster and back breaks none. While slices are rewritten one endpoint may stand in two of them: the
 * better state counts.
 */
export function chooseBackends(clusters: readonly Slices[], want: Want): Backends {
	const uses = clusters.map((slices) => usesOf(slices, want));
	const active = addressesOf(uses, "new") ?? addressesOf(uses, "fallback") ?? [];
	const old = new Set(uses.flatMap((cluster) => [...cluster.keys()]));
	for (const address of active) old.delete(address);
	return { active: active.sort(), terminating: [...old].sort() };
}

/** Of the first cluster that has any. */
function addressesOf(clusters: readonly ReadonlyMap<L4Address, Use>[], wanted: Use): L4Address[] | undefined {
	for (const uses of clusters) {
		const found = [...uses].flatMap(([address, use]) => (use === wanted ? address : []));
		if (found.length > 0) return found;
	}
	return undefined;
}

function usesOf(slices: Slices, want: Want): ReadonlyMap<L4Address, Use> {
	const uses = new Map<L4Address, Use>();
	for (const slice of slices) if (slice.addressType === want.family) collect(slice, want, uses);
	return uses;
}

function collect(slice: EndpointSlice, want: Want, uses: Map<L4Address, Use>): void {
	const port = slice.ports.find(({ name, protocol }) => name === want.portName && protocol === want.protocol);
	if (port === undefined) return;
	for (const endpoint of slice.endpoints) {
		const use = isWanted(endpoint, want.nodeName) ? useOf(endpoint) : undefined;
		if (use === undefined) continue;
		const address = l4Address(endpoint.ip, port.port, port.protocol);
		const other = uses.get(address);
		if (other === undefined || BEST_FIRST.indexOf(use) < BEST_FIRST.indexOf(other)) uses.set(address, use);
	}
}

/** Ready is what its condition says, even while terminating: so publishNotReadyAddresses wants it. */
function useOf({ ready, serving, terminating }: Endpoint): Use | undefined {
	if (ready) return "new";
	if (serving && terminating) return "fallback";
	return serving || terminating ? "old" : undefined;
}

function isWanted(endpoint: Endpoint, nodeName: string | undefined): boolean {
	return nodeName === undefined || (nodeName !== "" && endpoint.nodeName === nodeName);
}

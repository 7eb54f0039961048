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
	const all = clusters.map((slices) => sortedByUse(slices, want));
	const active = all.find((uses) => uses.new.length > 0)?.new ?? all.find(hasFallback)?.fallback ?? [];
	const rest: L4Address[] = [];
	for (const uses of all) for (const use of BEST_FIRST) if (uses[use] !== active) rest.push(...uses[use]);
	// Within one cluster nothing stands in two of the lists.
	const terminating = all.length > 1 ? without(rest, active) : rest;
	return { active: active.sort(), terminating: terminating.sort() };
}

type ByUse = Readonly<Record<Use, L4Address[]>>;

function hasFallback({ fallback }: ByUse): boolean {
	return fallback.length > 0;
}

function without(addresses: readonly L4Address[], others: readonly L4Address[]): L4Address[] {
	const left = new Set(addresses);
	for (const address of others) left.delete(address);
	return [...left];
}

function sortedByUse(slices: Slices, want: Want): ByUse {
	const uses = new Map<L4Address, Use>();
	for (const slice of slices) if (slice.addressType === want.family) collect(slice, want, uses);
	const byUse: ByUse = { new: [], fallback: [], old: [] };
	for (const [address, use] of uses) byUse[use].push(address);
	return byUse;
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

// From the EndpointSlices of a Service to the backends of one of its ports.

import type { L4Address } from "../model/address.ts";
import { l4Address } from "../model/address.ts";
import type { Endpoint, EndpointSlice } from "../model/cluster.ts";
import { endpointsIn } from "../model/endpoint_list.ts";
import type { Part, Slices, Want } from "./part.ts";
import type { Self } from "./plan_types.ts";
import { arrive, chooseWay, type Destination, isAlwaysDirect, type Lost, reachOf, type Way } from "./reach.ts";
import { hintFilter } from "./topology.ts";

export interface Backends {
	/** Sorted, distinct. */
	readonly active: readonly L4Address[];
	/** Sorted, distinct, none of `active`. */
	readonly terminating: readonly L4Address[];
}

/** What of a vantage was looked at: our own zone, or all nodes. That of `isInside` always is. */
export type Reads = "nothing" | "zone" | "nodes";

export interface Choice extends Backends {
	/** To endpoints on other nodes, in the cluster of the Service itself. */
	readonly way: Way;
	/** Those of that cluster that new connections would go to, if there were a way. */
	readonly lost: readonly Lost[];
	readonly reads: Reads;
}

/** What an endpoint is good for. */
type Use = "new" | "fallback" | "old";
const BEST_FIRST: readonly Use[] = ["new", "fallback", "old"];

/**
 * New connections go to ready endpoints (of these to the ones that are meant for us); if there is none, to those that terminate and still
 * serve (KEP-1669). Of several clusters the first one that has such endpoints gets them. All others that still serve or terminate keep
 * the UDP flows they have, so that a switch from cluster to cluster and back breaks none. While slices are rewritten one endpoint may
 * stand in two of them: the better state counts, then the earlier slice. How an endpoint is reached is asked last.
 */
export function chooseBackends(parts: readonly Part[], want: Want, self: Self): Choice {
	const all = parts.map((part) => candidatesOf(part, want, self));
	const first = all.find(({ uses }) => uses.new.length > 0) ?? all.find(({ uses }) => uses.fallback.length > 0);
	const active = first?.wanted ?? [];
	// A million arguments would be too many for push().
	const rest = all.flatMap((each) => (each === first ? each.others : [...each.wanted, ...each.others]));
	const own = all[parts.findIndex(({ service }) => service === want.service)];
	const isPlain = all.length === 1 && own?.way === "pod";
	return {
		// Within one cluster, reached as they are, nothing stands in two of the lists.
		active: [...(isPlain ? active : new Set(active))].sort(),
		terminating: (isPlain ? rest : without(rest, active)).sort(),
		way: own?.way ?? "pod",
		lost: own?.lost ?? [],
		reads: mostOf(all.map(({ reads }) => reads)),
	};
}

export function mostOf(reads: readonly Reads[]): Reads {
	if (reads.includes("nodes")) return "nodes";
	return reads.includes("zone") ? "zone" : "nothing";
}

function without(addresses: readonly L4Address[], others: readonly L4Address[]): L4Address[] {
	const left = new Set(addresses);
	for (const address of others) left.delete(address);
	return [...left];
}

/** Of one part; where its endpoints are reached. */
interface Candidates {
	readonly uses: ByUse;
	/** What is good for new connections here, whatever other parts have. */
	readonly wanted: readonly L4Address[];
	readonly others: readonly L4Address[];
	readonly way: Way;
	readonly lost: readonly Lost[];
	readonly reads: Reads;
}

type Endpoints = ReadonlyMap<L4Address, Endpoint>;
type ByUse = Readonly<Record<Use, L4Address[]>>;

function candidatesOf(part: Part, want: Want, self: Self): Candidates {
	const found = findEndpoints(part.slices, want, self.nodeName);
	const hinted = !want.isLocal && found.isHinted;
	const uses = sortByUse(found.endpoints, hinted ? { nodeName: self.nodeName, zone: part.vantage.zone } : undefined);
	const wanted = uses.new.length > 0 ? uses.new : uses.fallback;
	const others = BEST_FIRST.flatMap((use) => (uses[use] === wanted ? [] : uses[use]));
	const reach = reachOf(part, self);
	if (want.isLocal || isAlwaysDirect(reach, part.vantage))
		return { uses, wanted, others, way: "pod", lost: [], reads: hinted ? "zone" : "nothing" };
	return { uses, ...reached({ found: found.endpoints, wanted, others }, { part, want, self }), reads: "nodes" };
}

interface Selection {
	readonly found: Endpoints;
	readonly wanted: readonly L4Address[];
	readonly others: readonly L4Address[];
}

function reached({ found, wanted, others }: Selection, { part, want, self }: Destination) {
	const to = { part, want, self };
	const endpointsOf = (addresses: readonly L4Address[]) =>
		addresses.flatMap((address) => {
			const endpoint = found.get(address);
			return endpoint === undefined ? [] : { address, endpoint };
		});
	const way = chooseWay(to, endpointsOf(wanted));
	const news = arrive(to, way, endpointsOf(wanted));
	const olds = arrive(to, way, endpointsOf(others));
	return { wanted: news.addresses, others: olds.addresses, way, lost: news.lost };
}

interface Search {
	readonly want: Want;
	readonly nodeName: string;
	readonly endpoints: Map<L4Address, Endpoint>;
	/** Some of them have hints. */
	isHinted: boolean;
}

function findEndpoints(slices: Slices, want: Want, nodeName: string): Search {
	const search: Search = { want, nodeName, endpoints: new Map(), isHinted: false };
	for (const slice of slices) if (slice.addressType === want.family) collect(slice, search);
	return search;
}

function collect(slice: EndpointSlice, search: Search): void {
	const { want, nodeName, endpoints } = search;
	const port = slice.ports.find(({ name, protocol }) => name === want.port.name && protocol === want.port.protocol);
	if (port === undefined) return;
	for (const endpoint of endpointsIn(slice.endpoints)) {
		// "" is no node's name.
		if (want.isLocal && (nodeName === "" || endpoint.nodeName !== nodeName)) continue;
		const address = l4Address(endpoint.ip, port.port, port.protocol);
		if (!isBetter(endpoint, endpoints.get(address))) continue;
		endpoints.set(address, endpoint);
		if (endpoint.hints !== undefined) search.isHinted = true;
	}
}

/** Than another one of the same address, or than none. */
function isBetter(endpoint: Endpoint, other: Endpoint | undefined): boolean {
	const use = useOf(endpoint);
	const than = other && useOf(other);
	return use !== undefined && (than === undefined || BEST_FIRST.indexOf(use) < BEST_FIRST.indexOf(than));
}

/** Ready ones that are not meant for clients at this location are good for the flows they have. */
function sortByUse(found: Endpoints, location: Parameters<typeof hintFilter>[1] | undefined): ByUse {
	const byUse: ByUse = { new: [], fallback: [], old: [] };
	const ready = location && [...found.values()].filter((endpoint) => useOf(endpoint) === "new");
	const isForUs = ready && hintFilter(ready, location);
	for (const [address, endpoint] of found) {
		const use = useOf(endpoint) ?? "old";
		byUse[use === "new" && isForUs?.(endpoint) === false ? "old" : use].push(address);
	}
	return byUse;
}

/** Ready is what its condition says, even while terminating: so publishNotReadyAddresses wants it. */
function useOf({ ready, serving, terminating }: Endpoint): Use | undefined {
	if (ready) return "new";
	if (serving && terminating) return "fallback";
	return serving || terminating ? "old" : undefined;
}

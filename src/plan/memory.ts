// What a planner remembers: of each hub, of each Service and policy, and who claims which address.

import { createLayeredMap, keysBetween, type LayeredMap } from "../lib/layered_map.ts";
import { type Cluster, EMPTY_CLUSTER, type Service } from "../model/cluster.ts";
import type { Policy } from "../model/policy.ts";
import type { Problem } from "../model/problem.ts";
import { CANARY, CANARY_OBJECT } from "./canary.ts";
import type { Claim, Claims } from "./claims.ts";
import { createClaims } from "./claims.ts";
import type { Draft, ServiceDraft } from "./draft.ts";
import { createKeptMap, type KeptMap } from "./kept_map.ts";
import { createKnownAddresses, type KnownAddresses } from "./known_addresses.ts";
import type { Part } from "./part.ts";
import type { Chunk, GuardedPod, HubSnapshot, Plan, PolicyState, Quarantine, Self } from "./plan_types.ts";
import type { PolicyDraft } from "./policy/draft.ts";
import { createProbeCounts, NO_QUARANTINE, type ProbeCounts } from "./probes.ts";
import { type Vantage, vantageOf } from "./vantage.ts";

interface EntryBase {
	readonly claim: Claim;
	/** The chunk's in the plan. */
	readonly key: string;
	readonly draft: Draft;
}

/** What is remembered of one Service. */
export interface ServiceEntry extends EntryBase {
	readonly kind: "service";
	readonly service: Service;
	/** In its own cluster; of a global Service that others have as well in all of theirs, in the order of hubs. */
	parts: readonly Part[];
	readonly draft: ServiceDraft;
}

/** What is remembered of one policy. */
export interface PolicyEntry extends EntryBase {
	readonly kind: "policy";
	readonly policy: Policy;
	/** The one that its frontend names. */
	readonly service: Service | undefined;
	readonly draft: PolicyDraft;
}

export type Entry = ServiceEntry | PolicyEntry;

export interface HubMemory {
	readonly name: string;
	readonly rank: number;
	/** By key. */
	readonly services: Map<string, ServiceEntry>;
	readonly policies: Map<string, PolicyEntry>;
	cluster: Cluster;
	/** The one of the last plan. */
	planned: Cluster;
	/** Of the cluster, and of the one of the last plan. */
	vantage: Vantage;
	plannedVantage: Vantage;
	/** The keys of its global Services. */
	globals: readonly string[];
	/** Of the cluster, with the hub's name if there are several. */
	problems: readonly Problem[];
}

export interface Memory {
	readonly self: Self;
	readonly hubs: readonly HubMemory[];
	readonly claims: Claims;
	/** By the plan's keys. */
	readonly chunks: LayeredMap<Chunk>;
	readonly addresses: KnownAddresses;
	readonly guards: KeptMap<readonly GuardedPod[]>;
	readonly probes: ProbeCounts;
	readonly policies: KeptMap<PolicyState>;
	/** Of objects, and of what they lost to others; by the chunks' keys, and none of them empty. */
	readonly problems: Map<string, readonly Problem[]>;
	/** Those whose backends are probed. */
	readonly probed: Set<Entry>;
	quarantine: Quarantine;
	/** The last one. */
	plan: Plan | undefined;
}

/** Before all hubs. */
const CANARY_CLAIM: Claim = { rank: -1, object: CANARY.object, created: Number.NEGATIVE_INFINITY };

export function createMemory(hubs: readonly HubSnapshot[], self: Self): Memory {
	const claims = createClaims();
	for (const frontend of CANARY.frontends) claims.add(frontend, CANARY_CLAIM);
	const chunks = createLayeredMap<Chunk>();
	chunks.set(CANARY_OBJECT, CANARY);
	return {
		self,
		hubs: hubs.map(({ name }, rank) => createHubMemory(name, rank)),
		claims,
		chunks,
		addresses: createKnownAddresses(),
		guards: createKeptMap(),
		probes: createProbeCounts(),
		policies: createKeptMap(),
		problems: new Map(),
		probed: new Set(),
		quarantine: NO_QUARANTINE,
		plan: undefined,
	};
}

function createHubMemory(name: string, rank: number): HubMemory {
	const cluster = EMPTY_CLUSTER;
	const vantage = vantageOf(cluster, "");
	return {
		name,
		rank,
		services: new Map(),
		policies: new Map(),
		cluster,
		planned: cluster,
		vantage,
		plannedVantage: vantage,
		globals: [],
		problems: [],
	};
}

/** Whether a plan for these hubs can go on from it. */
export function isMemoryOf(memory: Memory, hubs: readonly HubSnapshot[], self: Self): boolean {
	return (
		isSameButAddresses(memory.self, self) &&
		memory.hubs.length === hubs.length &&
		memory.hubs.every(({ name }, rank) => name === hubs[rank]?.name)
	);
}

/** Addresses of the host's own may come and go. */
function isSameButAddresses(a: Self, b: Self): boolean {
	return (
		a.nodeName === b.nodeName &&
		a.reach === b.reach &&
		(a.refusesExternalIps ?? false) === (b.refusesExternalIps ?? false) &&
		(a.redirectLimit ?? 0) === (b.redirectLimit ?? 0) &&
		(a.isWholeCluster ?? false) === (b.isWholeCluster ?? false)
	);
}

export function entryOf({ hubs }: Memory, { rank, object }: Claim): Entry | undefined {
	const hub = hubs[rank];
	// No Service's key is a policy's.
	return hub?.services.get(object) ?? hub?.policies.get(object);
}

/** Takes the hubs' snapshots in. */
export function takeSnapshots({ hubs, self }: Memory, snapshots: readonly HubSnapshot[]): void {
	for (const hub of hubs) {
		const cluster = snapshots[hub.rank]?.cluster ?? EMPTY_CLUSTER;
		if (cluster === hub.cluster) continue;
		// Through all Services, which most changes leave alone: they are of endpoints.
		if (hubs.length > 1 && cluster.services !== hub.cluster.services) hub.globals = globalsOf(cluster);
		if (cluster.problems !== hub.cluster.problems) hub.problems = withSource(cluster.problems, sourceOf(hubs, hub));
		if (cluster.nodes !== hub.cluster.nodes) hub.vantage = vantageOf(cluster, self.nodeName);
		hub.cluster = cluster;
	}
}

/** The keys of Services that may be other ones than in the last plan; those of `stale` are. */
export function keysToRefresh(hub: HubMemory, stale: ReadonlySet<Entry>): Iterable<string> {
	const { cluster, planned, globals, vantage, plannedVantage } = hub;
	// Which Services look at nodes is known to each of them.
	if (vantage !== plannedVantage) return cluster.services.keys();
	const others = stale.size === 0 ? globals : [...globals, ...staleServices(hub, stale)];
	// In a hub that is the same only those can have changed that are merged.
	if (cluster === planned) return others;
	const services = keysBetween(planned.services, cluster.services);
	const slices = keysBetween(planned.slices, cluster.slices);
	if (services === undefined || slices === undefined) return cluster.services.keys();
	return new Set([...services, ...slices, ...others]);
}

function staleServices({ services }: HubMemory, stale: ReadonlySet<Entry>): readonly string[] {
	return [...stale].flatMap((entry) => (services.get(entry.claim.object) === entry ? entry.claim.object : []));
}

/** A chunk's in a plan. No name of a Service ends in a blank and a number, and no policy's key is a Service's. */
export function chunkKeyOf(rank: number, key: string): string {
	return rank === 0 ? key : `${key} ${rank}`;
}

/** What tells a hub's objects from those of others; undefined if there are no others. */
export function sourceOf(hubs: readonly HubMemory[], hub: HubMemory): string | undefined {
	return hubs.length > 1 ? hub.name : undefined;
}

export function withSource(problems: readonly Problem[], source: string | undefined): readonly Problem[] {
	if (source === undefined) return problems;
	return problems.map((problem) => (problem.source === undefined ? { ...problem, source } : problem));
}

function globalsOf({ services }: Cluster): readonly string[] {
	const keys: string[] = [];
	for (const [key, service] of services) if (service.global) keys.push(key);
	return keys;
}

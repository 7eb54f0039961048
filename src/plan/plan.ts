// From a snapshot of the cluster to the whole wanted state: pure in its meaning, quick by remembering.

import type { L4Address } from "../model/address.ts";
import type { Cluster, EndpointSlice, Service } from "../model/cluster.ts";
import type { Problem } from "../model/problem.ts";
import { CANARY } from "./canary.ts";
import type { Claims } from "./claims.ts";
import { createClaims } from "./claims.ts";
import type { Draft } from "./draft.ts";
import { draftService } from "./draft.ts";
import type { Chunk, Frontend, Plan, Self } from "./plan_types.ts";

export type Planner = (cluster: Cluster, self: Self) => Plan;

/** What is remembered of one Service. */
interface Entry {
	readonly service: Service;
	readonly slices: readonly EndpointSlice[];
	readonly draft: Draft;
	chunk: Chunk;
	/** Of the Service itself and of what it lost to others. */
	problems: readonly Problem[];
}

interface Memory {
	readonly nodeName: string;
	readonly entries: Map<string, Entry>;
	readonly claims: Claims;
	/** The last one, and the problems of the cluster that are in it. */
	plan: Plan | undefined;
	clusterProblems: readonly Problem[];
}

const NO_SLICES: readonly EndpointSlice[] = [];
const NO_CHUNK: Chunk = { object: "", frontends: [] };

/**
 * A planner remembers its last plan: an unchanged Service with unchanged slices (both ===) gives the identical chunk, and
 * if nothing changed at all the identical plan comes back. What it says is always what `planFresh` says.
 */
export function createPlanner(): Planner {
	let memory: Memory | undefined;
	return (cluster, self) => {
		if (memory?.nodeName !== self.nodeName) memory = createMemory(self.nodeName);
		return plan(memory, cluster, self);
	};
}

/** The plan without any memory: total, the same for equal arguments. */
export function planFresh(cluster: Cluster, self: Self): Plan {
	return plan(createMemory(self.nodeName), cluster, self);
}

function createMemory(nodeName: string): Memory {
	const claims = createClaims();
	for (const { address } of CANARY.frontends)
		claims.add(address, { object: CANARY.object, created: Number.NEGATIVE_INFINITY });
	return { nodeName, entries: new Map(), claims, plan: undefined, clusterProblems: [] };
}

function plan(memory: Memory, cluster: Cluster, self: Self): Plan {
	const touched = refresh(memory, cluster, self);
	const { plan: last, clusterProblems } = memory;
	if (last !== undefined && touched.size === 0 && clusterProblems === cluster.problems) return last;
	for (const key of touched) settleClaims(memory, key);
	memory.plan = collect(memory, cluster);
	memory.clusterProblems = cluster.problems;
	return memory.plan;
}

/** Drafts what is new or changed and forgets what is gone; returns the keys whose chunk may be another one now. */
function refresh(memory: Memory, cluster: Cluster, self: Self): ReadonlySet<string> {
	const { entries } = memory;
	const touched = new Set<string>();
	for (const [key, service] of cluster.services) {
		const slices = cluster.slices.get(key) ?? NO_SLICES;
		const entry = entries.get(key);
		if (entry?.service === service && entry.slices === slices) continue;
		const draft = draftService(service, slices, self);
		enter(memory, { service, slices, draft, chunk: NO_CHUNK, problems: [] }, touched);
	}
	// All of the snapshot are in: if there are more, some are gone.
	const gone =
		entries.size > cluster.services.size ? [...entries.keys()].filter((key) => !cluster.services.has(key)) : [];
	for (const key of gone) forget(memory, key, touched);
	return touched;
}

/** Adds a Service, or replaces it. */
function enter(memory: Memory, entry: Entry, touched: Set<string>): void {
	const { claim, frontends } = entry.draft;
	forget(memory, claim.object, touched);
	memory.entries.set(claim.object, entry);
	for (const { address } of frontends) for (const { object } of memory.claims.add(address, claim)) touched.add(object);
	touched.add(claim.object);
}

function forget(memory: Memory, key: string, touched: Set<string>): void {
	const entry = memory.entries.get(key);
	if (entry === undefined) return;
	for (const { address } of entry.draft.frontends)
		for (const { object } of memory.claims.drop(address, key)) touched.add(object);
	memory.entries.delete(key);
	touched.add(key);
}

/** The Service keeps the frontends that it has won, and has a Problem for each of the others. */
function settleClaims(memory: Memory, key: string): void {
	const entry = memory.entries.get(key);
	if (entry === undefined) return;
	const frontends: Frontend[] = [];
	const problems = [...entry.draft.problems];
	for (const frontend of entry.draft.frontends) {
		const winner = memory.claims.winner(frontend.address)?.object;
		if (winner === undefined || winner === key) frontends.push(frontend);
		else problems.push(conflict(key, frontend.address, winner));
	}
	entry.chunk = { object: key, frontends };
	entry.problems = problems;
}

function collect(memory: Memory, cluster: Cluster): Plan {
	const chunks = new Map<string, Chunk>([[CANARY.object, CANARY]]);
	const problems = [...cluster.problems];
	for (const key of cluster.services.keys()) {
		const entry = memory.entries.get(key);
		if (entry === undefined) continue;
		if (entry.chunk.frontends.length > 0) chunks.set(key, entry.chunk);
		problems.push(...entry.problems);
	}
	return { chunks, problems: problems.sort(byObject) };
}

function conflict(key: string, address: L4Address, winner: string): Problem {
	const owner =
		winner === CANARY.object
			? "is reserved for the agent's own check"
			: `belongs to Service ${winner} (older, or first by name)`;
	return {
		object: `Service ${key}`,
		field: "spec.clusterIPs",
		reason: "FrontendConflict",
		message: `${address} ${owner}: give the Service another address or port`,
	};
}

function byObject(a: Problem, b: Problem): number {
	return (
		compareText(a.object, b.object) || compareText(a.message, b.message) || compareText(a.source ?? "", b.source ?? "")
	);
}

function compareText(a: string, b: string): number {
	if (a === b) return 0;
	return a < b ? -1 : 1;
}

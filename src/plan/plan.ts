// From the hubs' snapshots to the whole wanted state: pure in its meaning, quick by remembering.

import type { L4Address } from "../model/address.ts";
import type { Service } from "../model/cluster.ts";
import type { Problem } from "../model/problem.ts";
import type { Claim } from "./claims.ts";
import { ageOf } from "./claims.ts";
import { draftService } from "./draft.ts";
import type { Slices } from "./endpoints.ts";
import {
	createMemory,
	type Entry,
	entryOf,
	type HubMemory,
	isMemoryOf,
	keysToRefresh,
	type Memory,
	sourceOf,
	takeSnapshots,
	withSource,
} from "./memory.ts";
import type { Frontend, HubSnapshot, Plan, Self } from "./plan_types.ts";

/** In the order in which the hubs win. A hub of which nothing is known yet has an empty cluster. */
export type Planner = (hubs: readonly HubSnapshot[], self: Self) => Plan;

const NO_SLICES: Slices = [];

/**
 * A planner remembers its last plan: an unchanged Service with unchanged slices (both ===) gives the identical chunk, and
 * if nothing changed at all the identical plan comes back. What it says is always what `planFresh` says.
 */
export function createPlanner(): Planner {
	let memory: Memory | undefined;
	return (hubs, self) => {
		if (memory === undefined || !isMemoryOf(memory, hubs, self)) memory = createMemory(hubs, self);
		return plan(memory, hubs, self);
	};
}

/** The plan without any memory: total, the same for equal arguments. */
export function planFresh(hubs: readonly HubSnapshot[], self: Self): Plan {
	return plan(createMemory(hubs, self), hubs, self);
}

function plan(memory: Memory, hubs: readonly HubSnapshot[], self: Self): Plan {
	const before = memory.hubs.map(({ problems }) => problems);
	takeSnapshots(memory, hubs);
	const touched = refresh(memory, self);
	const isSame = touched.size === 0 && memory.hubs.every(({ problems }, rank) => problems === before[rank]);
	if (memory.plan !== undefined && isSame) return memory.plan;
	for (const claim of touched) settleClaims(memory, claim);
	memory.plan = collect(memory);
	return memory.plan;
}

/** Drafts what is new or changed and forgets what is gone; returns the claims whose chunk may be another one now. */
function refresh(memory: Memory, self: Self): ReadonlySet<Claim> {
	const touched = new Set<Claim>();
	const groups = groupsOf(memory.hubs);
	for (const hub of memory.hubs) {
		const { services } = hub.cluster;
		for (const key of keysToRefresh(hub)) {
			const service = services.get(key);
			if (service === undefined) forget(memory, hub, key, touched);
			else refreshService(memory, { hub, service, group: groups.get(key), self }, touched);
		}
		// All of the snapshot are in: if there are more, some are gone.
		const gone = hub.entries.size > services.size ? [...hub.entries.keys()].filter((key) => !services.has(key)) : [];
		for (const key of gone) forget(memory, hub, key, touched);
		hub.planned = hub.cluster;
	}
	return touched;
}

/** The slices of each Service that is global in several hubs, one list for each of these hubs. */
function groupsOf(hubs: readonly HubMemory[]): ReadonlyMap<string, readonly Slices[]> {
	const groups = new Map<string, Slices[]>();
	for (const { globals, cluster } of hubs)
		for (const key of globals) {
			const slices = cluster.slices.get(key) ?? NO_SLICES;
			const group = groups.get(key);
			if (group === undefined) groups.set(key, [slices]);
			else group.push(slices);
		}
	return groups;
}

interface Input {
	readonly hub: HubMemory;
	readonly service: Service;
	readonly group: readonly Slices[] | undefined;
	readonly self: Self;
}

function refreshService(memory: Memory, { hub, service, group, self }: Input, touched: Set<Claim>): void {
	const { key } = service;
	const own = hub.cluster.slices.get(key) ?? NO_SLICES;
	const entry = hub.entries.get(key);
	const clusters = service.global ? group : undefined;
	if (entry?.service === service && isSame(entry.clusters, clusters, own)) return;
	const all = clusters ?? [own];
	const claim: Claim = { rank: hub.rank, object: key, created: ageOf(service.created) };
	const draft = draftService(service, all, self);
	enter(memory, hub, { service, clusters: all, draft, claim, key: chunkKeyOf(hub, key) }, touched);
}

/** No name of a Service has a blank. */
function chunkKeyOf({ rank }: HubMemory, key: string): string {
	return rank === 0 ? key : `${key} ${rank}`;
}

function isSame(before: readonly Slices[], group: readonly Slices[] | undefined, own: Slices): boolean {
	if (group === undefined) return before.length === 1 && before[0] === own;
	return before.length === group.length && before.every((slices, index) => slices === group[index]);
}

/** Adds a Service, or replaces it. */
function enter(memory: Memory, hub: HubMemory, entry: Entry, touched: Set<Claim>): void {
	const { claim, draft } = entry;
	forget(memory, hub, claim.object, touched);
	hub.entries.set(claim.object, entry);
	for (const { address } of draft.frontends) for (const other of memory.claims.add(address, claim)) touched.add(other);
	touched.add(claim);
}

function forget(memory: Memory, hub: HubMemory, key: string, touched: Set<Claim>): void {
	const entry = hub.entries.get(key);
	if (entry === undefined) return;
	for (const { address } of entry.draft.frontends)
		for (const other of memory.claims.drop(address, entry.claim)) touched.add(other);
	hub.entries.delete(key);
	memory.chunks.delete(entry.key);
	memory.problems.delete(entry.key);
	touched.add(entry.claim);
}

/** The Service keeps the frontends that it has won, and has a Problem for each of the others. */
function settleClaims(memory: Memory, claim: Claim): void {
	const hub = memory.hubs[claim.rank];
	const entry = entryOf(memory, claim);
	if (hub === undefined || entry?.claim !== claim) return;
	const source = sourceOf(memory.hubs, hub);
	const frontends: Frontend[] = [];
	const problems = [...entry.draft.problems];
	for (const frontend of entry.draft.frontends) {
		const winner = memory.claims.winner(frontend.address) ?? claim;
		if (winner === claim) frontends.push(frontend);
		else if (!isTwin(entry, entryOf(memory, winner), frontend))
			problems.push(conflict(memory, entry, frontend.address));
	}
	const chunk = { object: claim.object, frontends, ...(source === undefined ? {} : { hub: source }) };
	keep(memory.chunks, entry.key, frontends.length > 0 && chunk);
	keep(memory.problems, entry.key, problems.length > 0 && withSource(problems, source));
}

interface Kept<V> {
	set(key: string, value: V): unknown;
	delete(key: string): unknown;
}

/** False: nothing is kept under this key. */
function keep<V>(kept: Kept<V>, key: string, value: V | false): void {
	if (value === false) kept.delete(key);
	else kept.set(key, value);
}

/** Two that are merged want the same of an address that both have. */
function isTwin({ service }: Entry, other: Entry | undefined, { address, name }: Frontend): boolean {
	if (!service.global || !other?.service.global || other.service.key !== service.key) return false;
	return other.draft.frontends.some((frontend) => frontend.address === address && frontend.name === name);
}

function collect(memory: Memory): Plan {
	const problems: Problem[] = [];
	for (const hub of memory.hubs) for (const problem of hub.problems) problems.push(problem);
	for (const some of memory.problems.values()) for (const problem of some) problems.push(problem);
	return { chunks: memory.chunks.snapshot(), addresses: memory.addresses, problems: problems.sort(byObject) };
}

function conflict(memory: Memory, { claim }: Entry, address: L4Address): Problem {
	return {
		object: `Service ${claim.object}`,
		field: "spec.clusterIPs",
		reason: "FrontendConflict",
		message: `${address} ${whoseAddress(memory, claim, address)}`,
	};
}

/** The fact and the fix. */
function whoseAddress(memory: Memory, { rank }: Claim, address: L4Address): string {
	const winner = memory.claims.winner(address);
	if (winner === undefined || winner.rank < 0)
		return "is reserved for the agent's own check: give the Service another address or port";
	const hub = winner.rank === rank ? undefined : memory.hubs[winner.rank];
	return hub === undefined
		? `belongs to Service ${winner.object} (older, or first by name): give the Service another address or port`
		: `belongs to Service ${winner.object} of ${hub.name}, an earlier hub: put this hub before it, or give one of the two another address`;
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

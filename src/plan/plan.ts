// From the hubs' snapshots to the whole wanted state: pure in its meaning, quick by remembering.

import { createTidying } from "../lib/garbage.ts";
import type { Service } from "../model/cluster.ts";
import type { Problem } from "../model/problem.ts";
import type { Claim } from "./claims.ts";
import { ageOf } from "./claims.ts";
import { draftService } from "./draft.ts";
import type { Reads } from "./endpoints.ts";
import { enter, forget, takeQuarantine } from "./entries.ts";
import {
	chunkKeyOf,
	createMemory,
	type Entry,
	type HubMemory,
	isMemoryOf,
	keysToRefresh,
	type Memory,
	type ServiceEntry,
	takeSnapshots,
} from "./memory.ts";
import type { Part, Slices } from "./part.ts";
import type { HubSnapshot, Plan, Quarantine, Self } from "./plan_types.ts";
import { refreshPolicies } from "./policy/refresh.ts";
import { NO_QUARANTINE } from "./probes.ts";
import { byObject } from "./problem_order.ts";
import { settleClaims } from "./settle.ts";

/** Hubs in the order in which they win; without a quarantine nothing has failed. A hub of which nothing is known yet has an empty cluster. */
export type Planner = (hubs: readonly HubSnapshot[], self: Self, quarantine?: Quarantine) => Plan;

const NO_SLICES: Slices = [];

/**
 * A planner remembers its last plan: an unchanged Service with unchanged slices (both ===) gives the identical chunk, and
 * if nothing changed at all the identical plan comes back. What it says is always what `planFresh` says.
 */
export function createPlanner(): Planner {
	let memory: Memory | undefined;
	return (hubs, self, quarantine = NO_QUARANTINE) => {
		if (memory === undefined || !isMemoryOf(memory, hubs, self)) memory = createMemory(hubs, self);
		return plan(memory, hubs, { self, quarantine });
	};
}

/** The plan without any memory: total, the same for equal arguments. */
export function planFresh(hubs: readonly HubSnapshot[], self: Self, quarantine = NO_QUARANTINE): Plan {
	return plan(createMemory(hubs, self), hubs, { self, quarantine });
}

/** What is known besides what hubs say. */
interface Knowledge {
	readonly self: Self;
	readonly quarantine: Quarantine;
}

function plan(memory: Memory, hubs: readonly HubSnapshot[], { self, quarantine }: Knowledge): Plan {
	const before = memory.hubs.map(({ problems }) => problems);
	takeSnapshots(memory, hubs);
	const touched = refresh(memory, takeQuarantine(memory, quarantine));
	const vantages = memory.hubs.map(({ vantage }) => vantage);
	const addresses = memory.addresses.settle(vantages, self);
	const isSame =
		addresses === memory.plan?.addresses &&
		touched.size === 0 &&
		memory.hubs.every(({ problems }, rank) => problems === before[rank]);
	if (memory.plan !== undefined && isSame) return memory.plan;
	const tidy = createTidying();
	for (const claim of touched) {
		settleClaims(memory, claim);
		tidy();
	}
	memory.plan = {
		chunks: (touched.size === 0 && memory.plan?.chunks) || memory.chunks.snapshot(),
		addresses,
		guards: memory.guards.snapshot(),
		probes: memory.probes.snapshot(),
		policies: memory.policies.snapshot(),
		problems: problemsOf(memory),
	};
	return memory.plan;
}

/** Drafts what is new or changed and forgets what is gone; returns the claims whose chunk may be another one now. */
function refresh(memory: Memory, stale: ReadonlySet<Entry>): ReadonlySet<Claim> {
	const touched = new Set<Claim>();
	const tidy = createTidying();
	const groups = groupsOf(memory.hubs);
	for (const hub of memory.hubs) {
		const { services } = hub.cluster;
		for (const key of keysToRefresh(hub, stale)) {
			const service = services.get(key);
			if (service === undefined) forget(memory, hub, hub.services.get(key), touched);
			else if (refreshService(memory, { hub, service, group: groups.get(key), stale }, touched)) tidy();
		}
		forgetGone(memory, hub, touched);
		refreshPolicies(memory, hub, stale, touched);
		hub.planned = hub.cluster;
		hub.plannedVantage = hub.vantage;
	}
	return touched;
}

/** All of the snapshot are in: if there are more, some are gone. */
function forgetGone(memory: Memory, hub: HubMemory, touched: Set<Claim>): void {
	const { services, cluster } = hub;
	if (services.size <= cluster.services.size) return;
	for (const [key, entry] of [...services]) if (!cluster.services.has(key)) forget(memory, hub, entry, touched);
}

/** What each Service that is global has in each of the hubs where it is. */
function groupsOf(hubs: readonly HubMemory[]): ReadonlyMap<string, readonly Part[]> {
	const groups = new Map<string, Part[]>();
	for (const { globals, cluster, vantage } of hubs)
		for (const key of globals) {
			const service = cluster.services.get(key);
			if (service === undefined) continue;
			const part = { service, slices: cluster.slices.get(key) ?? NO_SLICES, vantage };
			const group = groups.get(key);
			if (group === undefined) groups.set(key, [part]);
			else group.push(part);
		}
	return groups;
}

interface Input {
	readonly hub: HubMemory;
	readonly service: Service;
	readonly group: readonly Part[] | undefined;
	readonly stale: ReadonlySet<Entry>;
}

/** Whether it was drafted anew. */
function refreshService(memory: Memory, { hub, service, group, stale }: Input, touched: Set<Claim>): boolean {
	const { key } = service;
	const { cluster, vantage, rank, name } = hub;
	const slices = cluster.slices.get(key) ?? NO_SLICES;
	const known = hub.services.get(key);
	const entry = known !== undefined && stale.has(known) ? undefined : known;
	const [only] = entry?.parts ?? [];
	const isAlone = group === undefined || !service.global;
	// Most are this, and all of them are looked at after a large change.
	if (isAlone && entry?.parts.length === 1 && isIdentical(only, { service, slices, vantage })) return false;
	const parts = isAlone ? [{ service, slices, vantage }] : group;
	if (entry !== undefined && isSame(entry, parts)) {
		// What it does not look at has changed at most; the former nodes are not kept for its sake.
		entry.parts = parts;
		return false;
	}
	const claim: Claim = { rank, object: key, created: ageOf(service.created) };
	const draft = draftService({ service, rank, hub: name, parts }, memory.self, memory.quarantine);
	enter(memory, hub, { kind: "service", service, parts, draft, claim, key: chunkKeyOf(rank, key) }, touched);
	return true;
}

/** Whether a draft would say the same again. */
function isSame({ parts, draft }: ServiceEntry, next: readonly Part[]): boolean {
	if (parts.length !== next.length) return false;
	return parts.every((part, index) => {
		const other = next[index];
		return other !== undefined && isSamePart(part, other, draft.reads);
	});
}

function isIdentical(a: Part | undefined, b: Part): boolean {
	return a?.service === b.service && a.slices === b.slices && a.vantage === b.vantage;
}

function isSamePart(a: Part, b: Part, reads: Reads): boolean {
	if (isIdentical(a, b)) return true;
	if (a.service !== b.service || a.slices !== b.slices) return false;
	if (reads === "nodes" || a.vantage.isInside !== b.vantage.isInside) return false;
	return reads === "nothing" || a.vantage.zone === b.vantage.zone;
}

function problemsOf(memory: Memory): readonly Problem[] {
	const problems: Problem[] = [];
	for (const hub of memory.hubs) for (const problem of hub.problems) problems.push(problem);
	for (const some of memory.problems.values()) for (const problem of some) problems.push(problem);
	return problems.sort(byObject);
}

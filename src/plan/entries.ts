// Puts what an object asks for into the planner's memory, and takes it out again.

import type { Claim } from "./claims.ts";
import type { Entry, HubMemory, Memory, PolicyEntry, ServiceEntry } from "./memory.ts";
import type { Quarantine } from "./plan_types.ts";
import { changedKeys } from "./probes.ts";

/** Adds it, or replaces what was there under its key. All claims that this touches, its own among them, are noted in `touched`. */
export function enter(memory: Memory, hub: HubMemory, entry: Entry, touched: Set<Claim>): void {
	const { claim, draft } = entry;
	const former = entry.kind === "service" ? hub.services.get(claim.object) : hub.policies.get(claim.object);
	if (former !== undefined) release(memory, former, touched);
	if (entry.kind === "service") enterService(memory, hub, entry, former);
	else hub.policies.set(claim.object, entry);
	for (const frontend of draft.frontends) for (const other of memory.claims.add(frontend, claim)) touched.add(other);
	if (draft.probes !== undefined) memory.probed.add(entry);
	touched.add(claim);
}

/** Does nothing if there is none. */
export function forget(memory: Memory, hub: HubMemory, entry: Entry | undefined, touched: Set<Claim>): void {
	if (entry === undefined) return;
	const { key, claim } = entry;
	release(memory, entry, touched);
	if (entry.kind === "service") {
		hub.services.delete(claim.object);
		memory.addresses.drop(entry.service, hub.rank);
	} else {
		hub.policies.delete(claim.object);
		memory.policies.delete(key);
		if (entry.draft.guard !== undefined) memory.guards.delete(entry.draft.guard.group);
	}
	memory.chunks.delete(key);
	memory.problems.delete(key);
	memory.probes.ask(key, []);
	touched.add(claim);
}

function enterService(memory: Memory, hub: HubMemory, entry: ServiceEntry, former: Entry | undefined): void {
	if (former?.kind === "service") memory.addresses.drop(former.service, hub.rank);
	hub.services.set(entry.claim.object, entry);
	memory.addresses.add(entry.service, hub.rank);
}

/** Its addresses are the others'. */
function release(memory: Memory, entry: Entry, touched: Set<Claim>): void {
	for (const { address } of entry.draft.frontends)
		for (const other of memory.claims.drop(address, entry.claim)) touched.add(other);
	memory.probed.delete(entry);
}

/** Takes in what probes have found; returns those that something else has been found for. */
export function takeQuarantine(memory: Memory, quarantine: Quarantine): ReadonlySet<Entry> {
	const changed = changedKeys(memory.quarantine, quarantine);
	memory.quarantine = quarantine;
	if (changed.size === 0) return NO_ENTRIES;
	return new Set([...memory.probed].filter((entry) => isConcerned(entry, changed)));
}

const NO_ENTRIES: ReadonlySet<ServiceEntry | PolicyEntry> = new Set();

function isConcerned({ draft }: Entry, changed: Quarantine): boolean {
	for (const probes of draft.probes?.values() ?? []) for (const key of probes.keys()) if (changed.has(key)) return true;
	return false;
}

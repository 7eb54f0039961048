// What an object gets of what it asks for, when all have said what they ask for.

import { isEqual, isSameList } from "../lib/equal.ts";
import type { L4Address } from "../model/address.ts";
import type { Problem } from "../model/problem.ts";
import { type Claim, heirOf } from "./claims.ts";
import { conflictsOf } from "./conflicts.ts";
import { type Entry, entryOf, type Memory, type PolicyEntry, sourceOf, withSource } from "./memory.ts";
import type { Chunk, Frontend } from "./plan_types.ts";
import type { Probes } from "./probes.ts";
import { byObject } from "./problem_order.ts";

/** The frontends that it has won are its chunk; each that it has lost by a conflict is a Problem. */
export function settleClaims(memory: Memory, claim: Claim): void {
	const hub = memory.hubs[claim.rank];
	const entry = entryOf(memory, claim);
	if (hub === undefined || entry?.claim !== claim) return;
	const source = sourceOf(memory.hubs, hub);
	const outcome = outcomeOf(memory, entry);
	const problems = withSource(outcome.problems, source);
	const chunk: Chunk = {
		object: claim.object,
		// One list for both, where nothing was lost.
		frontends: isSameList(outcome.frontends, entry.draft.frontends) ? entry.draft.frontends : outcome.frontends,
		...(source === undefined ? {} : { hub: source }),
	};
	if (chunk.frontends.length === 0) memory.chunks.delete(entry.key);
	else keepChunk(memory, entry.key, chunk);
	if (problems.length === 0) memory.problems.delete(entry.key);
	else memory.problems.set(entry.key, problems);
	memory.probes.ask(entry.key, outcome.probes);
	if (entry.kind === "policy") settlePolicy(memory, entry, { ...outcome, problems, source });
}

interface Outcome {
	/** It has them. */
	readonly frontends: readonly Frontend[];
	/** Those, and the ones that it has next after a redirect. */
	readonly inUse: readonly Frontend[];
	/** Of the backends of all that are in use. */
	readonly probes: readonly Probes[];
	readonly problems: readonly Problem[];
}

function outcomeOf(memory: Memory, entry: Entry): Outcome {
	const { draft, claim } = entry;
	const [frontends, inUse, probes]: [Frontend[], Frontend[], Probes[]] = [[], [], []];
	const problems = [...draft.problems];
	for (const frontend of draft.frontends) {
		const claimants = memory.claims.at(frontend.address);
		const hasIt = claimants[0]?.claim === claim;
		if (hasIt) frontends.push(withNext(memory, frontend));
		else problems.push(...conflictsOf(memory, entry, frontend));
		if (!hasIt && heirOf(claimants)?.claim !== claim) continue;
		inUse.push(frontend);
		const some = draft.probes?.get(frontend.address);
		if (some !== undefined) probes.push(some);
	}
	return { frontends, inUse, probes, problems };
}

/** A redirect leads on to whoever would have the address without redirects. */
function withNext(memory: Memory, frontend: Frontend): Frontend {
	if (frontend.redirect === undefined) return frontend;
	const { address, redirect } = frontend;
	const heir = heirOf(memory.claims.at(address));
	const next = heir && entryOf(memory, heir.claim)?.draft.frontends.find((each) => each.address === address);
	return next === undefined ? frontend : { ...frontend, redirect: { ...redirect, next } };
}

/** The identical one if it says the same. */
function keepChunk({ chunks }: Memory, key: string, chunk: Chunk): void {
	const old = chunks.get(key);
	if (old === undefined || !isEqual(old, chunk)) chunks.set(key, chunk);
}

function settlePolicy(
	memory: Memory,
	{ policy, draft, key }: PolicyEntry,
	{ frontends, inUse, problems, source }: Outcome & { readonly source: string | undefined },
): void {
	const backends = new Set<L4Address>();
	for (const { active } of inUse) for (const address of active) backends.add(address);
	memory.policies.set(key, {
		policy,
		...(source === undefined ? {} : { hub: source }),
		holdsHere: draft.holdsHere,
		frontends: inUse.length,
		backends: backends.size,
		problems: [...problems].sort(byObject),
	});
	if (draft.guard === undefined) return;
	// Without a frontend there is nothing that anybody could be let past.
	if (frontends.length === 0) memory.guards.delete(draft.guard.group);
	else memory.guards.set(draft.guard.group, draft.guard.pods);
}

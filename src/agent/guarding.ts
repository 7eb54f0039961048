// Keeps redirects from their own backends: finds out by what the kernel knows these pods, and goes on looking for those it does not.

import { errnoName } from "bun-ffi-libbpf";
import type { Failure } from "../datapath/apply.ts";
import type { ReadonlyElements } from "../datapath/elements.ts";
import type { Guards, WantedGuards } from "../datapath/guards.ts";
import type { FoundPod, PodFinder } from "../datapath/pod_identity.ts";
import { type Clock, systemClock } from "../lib/clock.ts";
import type { Problem } from "../model/problem.ts";
import { EMPTY_PLAN, type GuardedPod, type Plan } from "../plan/plan_types.ts";

/** Milliseconds until a pod that was not found is looked for again: at first, and at most. */
const SHORTEST = 1000;
const LONGEST = 30_000;

export interface Guarding {
	/** Before frontends are written: a redirect is not to be there before those are known who go past it. */
	protect(guards: Plan["guards"]): void;
	/** After all frontends were written, with those that the kernel has: nobody goes past a redirect who has no part in it. */
	release(frontends: ReadonlyElements): void;
	/** What the kernel holds may have been changed by others. */
	resync(): void;
	/** Pods that cannot be told from other clients, and what the kernel refused. */
	problems(): readonly Problem[];
}

export interface GuardingOptions {
	/** The kernel's map of them. */
	readonly guards: Guards;
	readonly finder: PodFinder;
	/** It is time to look again: protect() is to be called. */
	readonly onDue: () => void;
	/** Aborted, it is never due again. */
	readonly signal: AbortSignal;
	readonly clock?: Clock;
}

/** Its name alone may be another one's in another hub, or its successor's. */
function keyOf({ pod, uid, ips, hostNetwork }: GuardedPod): string {
	return [pod, uid, hostNetwork, ...ips].join(" ");
}

/** A look that finds less than the one before is of a pod that is about to go: no id of the kernel's comes twice. */
function merge(before: FoundPod | undefined, now: FoundPod): FoundPod {
	if (before === undefined || now.missing === undefined) return now;
	const kept = before.identities.filter(({ kind }) => now.identities.every((one) => one.kind !== kind));
	const identities = [...now.identities, ...kept];
	return before.missing === undefined ? { identities } : { identities, missing: now.missing };
}

/** Says once at a time that it is due. */
function createAlarm({ onDue, signal: ended, clock = systemClock }: GuardingOptions) {
	let at = Number.POSITIVE_INFINITY;
	let waiting = new AbortController();

	async function wait(milliseconds: number, { signal }: AbortController): Promise<void> {
		await clock.sleep(milliseconds, signal);
		if (!signal.aborted) onDue();
	}

	function stop(): void {
		waiting.abort();
		at = Number.POSITIVE_INFINITY;
	}

	ended.addEventListener("abort", stop, { once: true });
	return {
		rings: () => clock.now() >= at,
		set(milliseconds: number) {
			stop();
			if (ended.aborted) return;
			waiting = new AbortController();
			at = clock.now() + milliseconds;
			void wait(milliseconds, waiting);
		},
		stop,
	};
}

function problemOf(group: string, { pod }: GuardedPod, missing: string | undefined): readonly Problem[] {
	if (missing === undefined) return [];
	return [
		{
			object: `Pod ${pod}`,
			reason: "Unguarded",
			message: `What it connects to itself is redirected by ${group} as well: ${missing}; balancing doctor says what the agent lacks`,
		},
	];
}

/** `2 of them (the first: put in guards: E2BIG)`. */
function refusalOf(failures: readonly Failure[]): readonly Problem[] {
	const [first] = failures;
	if (first === undefined) return [];
	const fact = `${first.verb} in ${first.map}: ${errnoName(-first.errno)}`;
	const message = `Redirects may catch their own backends: ${failures.length} of these could not be written (the first: ${fact})`;
	return [{ object: "guards", reason: "Unguarded", message }];
}

/** Nothing happens before protect(). */
export function createGuarding(options: GuardingOptions): Guarding {
	const { guards: store, finder } = options;
	const alarm = createAlarm(options);
	let guards: Plan["guards"] = EMPTY_PLAN.guards;
	let known: ReadonlyMap<string, FoundPod> = new Map();
	let wanted: WantedGuards = new Map();
	let pause = SHORTEST;
	let failures: readonly Failure[] = [];

	function look(): void {
		const pods = new Map([...guards.values()].flat().map((pod) => [keyOf(pod), pod]));
		const found = finder.find([...pods.values()]);
		const next = new Map<string, FoundPod>();
		for (const [at, key] of [...pods.keys()].entries()) {
			const now = found[at];
			if (now !== undefined) next.set(key, merge(known.get(key), now));
		}
		known = next;
		wanted = new Map(
			Array.from(guards, ([group, pods]) => [group, pods.flatMap((pod) => known.get(keyOf(pod))?.identities ?? [])]),
		);
	}

	/** A pod that was found may be given another sandbox under its name: it is looked at now and then. */
	function lookAgainLater(): void {
		if (known.size === 0) {
			alarm.stop();
			return;
		}
		const isComplete = [...known.values()].every(({ missing }) => missing === undefined);
		alarm.set(isComplete ? LONGEST : pause);
		pause = isComplete ? SHORTEST : Math.min(LONGEST, pause * 2);
	}

	return {
		protect(now) {
			if (now !== guards) pause = SHORTEST;
			if (now !== guards || alarm.rings()) {
				guards = now;
				look();
				lookAgainLater();
			}
			failures = store.add(wanted);
		},
		release(frontends) {
			// Who could not be taken away goes past a redirect in vain: the next round tries again.
			store.prune(wanted, frontends);
		},
		resync: store.resync,
		problems() {
			const pods = [...guards].flatMap(([group, members]) =>
				members.flatMap((pod) => problemOf(group, pod, known.get(keyOf(pod))?.missing)),
			);
			return [...pods, ...refusalOf(failures)];
		},
	};
}

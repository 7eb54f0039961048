// One round of the loop: snapshot, plan, write, and what is to be said about it.

import { errnoName } from "bun-ffi-libbpf";
import type { Failure } from "../datapath/apply.ts";
import type { Contents } from "../datapath/contents.ts";
import type { MapName } from "../datapath/maps.ts";
import { countFrontends } from "../datapath/view.ts";
import type { Writer, Written } from "../datapath/writer.ts";
import { collectGarbage } from "../lib/garbage.ts";
import type { Log } from "../lib/log.ts";
import type { Problem } from "../model/problem.ts";
import type { WriteStatus } from "../observe/status.ts";
import { CANARY_OBJECT } from "../plan/canary.ts";
import { createPlanner } from "../plan/plan.ts";
import { EMPTY_PLAN, type Plan, type Self } from "../plan/plan_types.ts";
import type { Guarding } from "./guarding.ts";
import type { PlanHealth } from "./health.ts";
import type { Hubs } from "./hubs.ts";
import { createProblemLog } from "./problem_log.ts";

export interface Sync {
	/** Never throws: what failed is logged, and `again` asks for another round. */
	run(resync: boolean): "done" | "again";
	lastWrite(): WriteStatus | null;
	problems(): readonly Problem[];
	/** Since the start. */
	failures(): number;
	/** Elements that the maps hold. */
	entries(): Readonly<Record<MapName, number>>;
	/** What became of policies in the last plan; the identical map as long as nothing of it changes. */
	policies(): Plan["policies"];
	/** What users wrote, without our canaries: in the plan, and what the maps hold of it. */
	counts(): { readonly planned: number; readonly frontends: number; readonly backends: number };
	/** Why the kernel does not hold what is wanted; null if the last round left nothing to do. */
	unsettled(): string | null;
}

export interface SyncOptions {
	readonly hubs: Hubs;
	readonly writer: Writer;
	/** Who goes past redirects. */
	readonly guarding: Guarding;
	/** As it is now. */
	readonly self: () => Self;
	readonly health: PlanHealth;
	readonly log: Log;
	/** Called when names of frontends changed. */
	readonly onNames: () => void;
	/** Called when frontends, their backends or the addresses that lead to them changed in the kernel. */
	readonly onFrontends: () => void;
}

/** Elements: so many are not written but at the start, or when a hub has become another one. */
const LARGE = 20_000;
/** Objects with frontends that a plan has more than the last one: likewise. */
const MANY = 5000;
const NOTHING_WRITTEN = "what the hubs have is not written yet";

function operations({ changes }: Written): number {
	return Object.values(changes).reduce((sum, { puts, deletes }) => sum + puts + deletes, 0);
}

function countPlanned({ chunks }: Plan): number {
	let sum = 0;
	for (const { object, frontends } of chunks.values()) if (object !== CANARY_OBJECT) sum += frontends.length;
	return sum;
}

function sizesOf({ backends, slots, names, frontends, addresses }: Contents): Readonly<Record<MapName, number>> {
	return {
		backends: backends.size,
		slots: slots.size,
		names: names.size,
		frontends: frontends.size,
		addresses: addresses.size,
	};
}

function countsOf(plan: Plan, { frontends, backends }: Contents): ReturnType<Sync["counts"]> {
	return { planned: countPlanned(plan), frontends: countFrontends(frontends), backends: backends.size };
}

/** Of a round that began at that time of performance.now(). */
function writeStatus(written: Written, started: number): WriteStatus {
	return {
		at: new Date().toISOString(),
		milliseconds: Math.round((performance.now() - started) * 10) / 10,
		operations: operations(written),
		failures: written.failures.length,
	};
}

/** `put to backends: E2BIG`. */
function describe({ map, verb, errno }: Failure): string {
	return `${verb} in ${map}: ${errnoName(-errno)}`;
}

function whyUnsettled({ failures, pending }: Written, synced: boolean): string | null {
	const [first] = failures;
	if (first) return `${failures.length} elements could not be written (the first: ${describe(first)})`;
	if (pending > 0) return `${pending} elements are not as wanted yet`;
	// A round without the hubs' word has written our canaries, and nothing that anybody waits for.
	return synced ? null : NOTHING_WRITTEN;
}

/** What keeps failing is tried every second, and told once. */
function createFailureLog(log: Log): (failure: string | null, err?: unknown) => void {
	let told: string | null = null;
	return (failure, err) => {
		if (failure === told) return;
		if (failure === null) log.info({}, "Everything is written again");
		else log.error(err === undefined ? { failure } : { failure, err }, "Cannot write everything");
		told = failure;
	};
}

function createPlanning({ hubs, self, health }: SyncOptions): () => Plan {
	const planner = createPlanner();
	return () => {
		const [snapshots, ourselves] = [hubs.snapshots(), self()];
		const plan = planner(snapshots, ourselves, health.quarantine());
		// Whoever is distrusted from the first must not be written even for a moment.
		return health.follow(plan) ? planner(snapshots, ourselves, health.quarantine()) : plan;
	};
}

/** Nothing happens until the first run. */
export function createSync(options: SyncOptions): Sync {
	const { hubs, writer, guarding, log, onNames, onFrontends } = options;
	const planNow = createPlanning(options);
	const sayProblems = createProblemLog(log);
	const sayFailure = createFailureLog(log);
	let last: WriteStatus | null = null;
	let problems: readonly Problem[] = [];
	let failures = 0;
	let isLarge = false;
	let planned: Plan | undefined;
	let unsettled: string | null = NOTHING_WRITTEN;

	function write(): Written {
		const started = performance.now();
		const plan = planNow();
		isLarge = plan.chunks.size - (planned?.chunks.size ?? 0) > MANY;
		planned = plan;
		const synced = hubs.synced();
		guarding.protect(plan.guards);
		const written = writer.write(plan, { synced });
		unsettled = whyUnsettled(written, synced);
		if (unsettled === null) guarding.release(writer.actual().frontends);
		problems = [...plan.problems, ...written.problems, ...guarding.problems()];
		failures += written.failures.length;
		last = writeStatus(written, started);
		return written;
	}

	function tell(written: Written): void {
		if (written.changes.names.puts + written.changes.names.deletes > 0) onNames();
		const { frontends: some, addresses } = written.changes;
		if (some.puts + some.deletes + addresses.deletes > 0) onFrontends();
		sayProblems(problems);
		if (last && last.operations > 0) {
			const { frontends, backends } = written.changes;
			log.info({ milliseconds: last.milliseconds, operations: last.operations, frontends, backends }, "Written");
		}
		sayFailure(written.failures.length === 0 ? null : unsettled);
	}

	return {
		run(resync) {
			if (resync) {
				writer.resync();
				guarding.resync();
			}
			try {
				const written = write();
				tell(written);
				if (resync || isLarge || operations(written) > LARGE) collectGarbage();
				return written.again ? "again" : "done";
			} catch (err) {
				const fact = err instanceof Error ? err.message : String(err);
				unsettled = `the kernel's maps could not be written: ${fact}`;
				sayFailure(unsettled, err);
				return "again";
			}
		},
		lastWrite: () => last,
		problems: () => problems,
		failures: () => failures,
		entries: () => sizesOf(writer.actual()),
		policies: () => (planned ?? EMPTY_PLAN).policies,
		counts: () => countsOf(planned ?? EMPTY_PLAN, writer.actual()),
		unsettled: () => unsettled,
	};
}

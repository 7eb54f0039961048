// One round of the loop: snapshot, plan, write, and what is to be said about it.

import type { MapName } from "../datapath/maps.ts";
import type { Writer, Written } from "../datapath/writer.ts";
import type { Log } from "../lib/log.ts";
import type { Problem } from "../model/problem.ts";
import { problemLine, type WriteStatus } from "../observe/status.ts";
import { createPlanner } from "../plan/plan.ts";
import type { Self } from "../plan/plan_types.ts";
import type { Hubs } from "./hubs.ts";

export interface Sync {
	/** Never throws: what failed is logged, and `again` asks for another round. */
	run(resync: boolean): "done" | "again";
	lastWrite(): WriteStatus | null;
	problems(): readonly Problem[];
	/** Since the start. */
	failures(): number;
	/** Elements that the maps hold. */
	entries(): Readonly<Record<MapName, number>>;
	/** The last round left nothing to do. */
	settled(): boolean;
}

export interface SyncOptions {
	readonly hubs: Hubs;
	readonly writer: Writer;
	readonly self: Self;
	readonly log: Log;
	/** Called when names of frontends changed. */
	readonly onNames: () => void;
}

function operations({ changes }: Written): number {
	return Object.values(changes).reduce((sum, { puts, deletes }) => sum + puts + deletes, 0);
}

/** Says each problem once, and once more that it is gone. */
function createProblemLog(log: Log): (problems: readonly Problem[]) => void {
	let known = new Set<string>();
	return (problems) => {
		const now = new Set(problems.map(problemLine));
		for (const line of now) if (!known.has(line)) log.warn({ problem: line }, "problem");
		for (const line of known) if (!now.has(line)) log.info({ problem: line }, "problem is gone");
		known = now;
	};
}

/** Nothing happens until the first run. */
export function createSync({ hubs, writer, self, log, onNames }: SyncOptions): Sync {
	const planner = createPlanner();
	const sayProblems = createProblemLog(log);
	let last: WriteStatus | null = null;
	let problems: readonly Problem[] = [];
	let failures = 0;
	let settled = false;

	function write(): Written {
		const started = performance.now();
		const plan = planner(hubs.cluster(), self);
		const written = writer.write(plan, { synced: hubs.synced() });
		problems = [...plan.problems, ...written.problems];
		failures += written.failures.length;
		const milliseconds = Math.round((performance.now() - started) * 10) / 10;
		last = {
			at: new Date().toISOString(),
			milliseconds,
			operations: operations(written),
			failures: written.failures.length,
		};
		return written;
	}

	function say(written: Written): void {
		sayProblems(problems);
		if (!last || (last.operations === 0 && last.failures === 0)) return;
		const { frontends, backends } = written.changes;
		log.info({ milliseconds: last.milliseconds, operations: last.operations, frontends, backends }, "written");
		const [first] = written.failures;
		if (first) {
			const { map, verb, errno } = first;
			log.error({ failures: written.failures.length, first: { map, verb, errno } }, "some elements were not written");
		}
	}

	return {
		run(resync) {
			if (resync) writer.resync();
			try {
				const written = write();
				say(written);
				if (written.changes.names.puts + written.changes.names.deletes > 0) onNames();
				settled = written.pending === 0 && hubs.synced();
				return written.again ? "again" : "done";
			} catch (err) {
				settled = false;
				log.error({ err }, "cannot write to the kernel's maps");
				return "again";
			}
		},
		lastWrite: () => last,
		problems: () => problems,
		failures: () => failures,
		entries() {
			const { backends, slots, names, frontends } = writer.actual();
			return { backends: backends.size, slots: slots.size, names: names.size, frontends: frontends.size };
		},
		settled: () => settled,
	};
}

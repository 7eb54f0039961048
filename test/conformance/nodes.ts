// Inside the first node's network namespace: tries all rows, and writes each result as a line of JSON.

import { openCase } from "./case.ts";
import { createMeeting, type Meeting, NO_MEETING } from "./meeting.ts";
import type { Result } from "./result.ts";
import { expectedOf } from "./result.ts";
import type { FamilyName, Protocol, Row, Trial } from "./row.ts";
import { ROWS } from "./rows.ts";
import { openWorld, type World } from "./world.ts";

/** Rows at a time: most of their time they wait for the agents' next round, which they share. */
const AT_ONCE = 12;

interface Task {
	readonly row: Row;
	readonly trial: Trial;
	readonly family: FamilyName;
	readonly protocol: Protocol;
	readonly place: number;
}

function tasksOf(rows: readonly Row[]): readonly Task[] {
	let place = 0;
	return rows.flatMap((row) => {
		const { trial } = row;
		if ("notApplicable" in trial) {
			place += 1;
			return [];
		}
		return trial.families.flatMap((family) =>
			trial.protocols.map((protocol) => ({ row, trial, family, protocol, place: place++ })),
		);
	});
}

async function attempt(world: World, { row, trial, family, protocol }: Task, meeting: Meeting): Promise<Result> {
	const head = { id: row.id, title: row.title, source: row.source, family, protocol };
	try {
		await using one = openCase(world, { id: row.id, family, protocol, meeting });
		await trial.run(one);
		return { ...head, verdict: "pass", reason: trial.note };
	} catch (error) {
		const reason = error instanceof Error ? error.message : String(error);
		return { ...head, verdict: "fail", reason: Bun.stripANSI(reason).replaceAll(/\s+/g, " ").trim() };
	}
}

type Results = Map<number, Result>;

/** All that share the world, some at a time. */
async function tryCrowd(world: World, tasks: readonly Task[], run: Run): Promise<void> {
	const left = tasks.filter(({ trial }) => !trial.alone);
	async function work(): Promise<void> {
		for (let task = left.shift(); task !== undefined && !run.signal.aborted; task = left.shift())
			run.results.set(task.place, await attempt(world, task, NO_MEETING));
	}
	await Promise.all(Array.from({ length: AT_ONCE }, work));
}

/** Row by row those that have it for themselves, all cases of a row at once. */
async function tryAlone(world: World, tasks: readonly Task[], run: Run): Promise<void> {
	for (const row of new Set(tasks.map((task) => task.row))) {
		if (run.signal.aborted) return;
		const cases = tasks.filter((task) => task.row === row && task.trial.alone);
		const meeting = createMeeting(cases.length);
		await Promise.all(cases.map(async (task) => run.results.set(task.place, await attempt(world, task, meeting))));
	}
}

interface Run {
	readonly results: Results;
	readonly signal: AbortSignal;
}

/** A line of JSON for each, in the order of the rows. */
function write(rows: readonly Row[], results: Results): void {
	let place = 0;
	for (const row of rows)
		for (const head of expectedOf(row)) {
			const { trial } = row;
			const isTried = !("notApplicable" in trial);
			const result: Result | undefined = isTried
				? results.get(place)
				: { ...head, verdict: "not applicable", reason: trial.notApplicable };
			console.log(JSON.stringify(result));
			place += 1;
		}
}

async function main([namespace, only = ""]: readonly string[]): Promise<void> {
	if (namespace === undefined) throw new Error("Usage: nodes.ts NETNS [ID,ID...]");
	const stop = new AbortController();
	// What was set up has to be taken away: the cases at hand are finished first.
	for (const name of ["SIGINT", "SIGTERM"]) process.on(name, () => stop.abort());
	const rows = ROWS.filter(({ id }) => only === "" || only.split(",").includes(id));
	const tasks = tasksOf(rows);
	const run: Run = { results: new Map(), signal: stop.signal };
	{
		await using world = await openWorld(namespace);
		await tryCrowd(world, tasks, run);
		await tryAlone(world, tasks, run);
	}
	if (run.signal.aborted) throw new Error("Stopped before all rows were tried");
	write(rows, run.results);
}

if (import.meta.main) await main(process.argv.slice(2));

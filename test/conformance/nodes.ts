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
	const head = { id: row.id, title: row.title, family, protocol };
	try {
		await using one = openCase(world, { id: row.id, family, protocol, meeting });
		await trial.run(one);
		return { ...head, verdict: "pass", reason: trial.note };
	} catch (error) {
		const reason = error instanceof Error ? error.message : String(error);
		return { ...head, verdict: "fail", reason: Bun.stripANSI(reason).replaceAll(/\s+/g, " ").trim() };
	}
}

async function main([namespace, only]: readonly string[]): Promise<void> {
	if (namespace === undefined) throw new Error("Usage: nodes.ts NETNS [ID,ID...]");
	const wanted = only === undefined || only === "" ? undefined : only.split(",");
	const rows = ROWS.filter(({ id }) => wanted === undefined || wanted.includes(id));
	const results = new Map<number, Result>();
	const tasks = tasksOf(rows);
	{
		await using world = await openWorld(namespace);
		const crowd = tasks.filter(({ trial }) => !trial.alone);
		const worker = async (): Promise<void> => {
			for (let task = crowd.shift(); task !== undefined; task = crowd.shift())
				results.set(task.place, await attempt(world, task, NO_MEETING));
		};
		await Promise.all(Array.from({ length: AT_ONCE }, worker));
		for (const row of rows) {
			const alone = tasks.filter((task) => task.row === row && task.trial.alone);
			const meeting = createMeeting(alone.length);
			await Promise.all(alone.map(async (task) => results.set(task.place, await attempt(world, task, meeting))));
		}
	}
	let place = 0;
	for (const row of rows)
		for (const head of expectedOf(row)) {
			const { trial } = row;
			const result: Result | undefined =
				"notApplicable" in trial
					? { ...head, verdict: "not applicable", reason: trial.notApplicable }
					: results.get(place);
			console.log(JSON.stringify(result));
			place += 1;
		}
}

if (import.meta.main) await main(process.argv.slice(2));

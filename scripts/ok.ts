// bun run ok: the quick checks and the unit tests; no root. With --fix, formats and repairs what can be.

import { buildForTests, startChecks } from "./checks.ts";
import { type Outcome, sum, tell, totalsLine } from "./outcome.ts";
import { endChildrenWithUs } from "./run.ts";
import { findTests, runTests } from "./tests.ts";

export interface QuickChecks {
	/** Formats and repairs instead of complaining, where a tool can. */
	readonly fix: boolean;
	/** Of the tests. */
	readonly environment: Readonly<Record<string, string>>;
	/** Takes each outcome as it comes. */
	readonly add: (outcome: Outcome) => void;
}

/** Builds what tests load, then runs the checks and the unit tests. */
export async function runQuickChecks({ fix, environment, add }: QuickChecks): Promise<void> {
	add(await buildForTests());
	for (const outcome of startChecks(fix)) add(await outcome);
	const { unit } = findTests();
	add(await runTests({ name: "unit tests", files: unit, timeoutSeconds: 600, environment }));
}

if (import.meta.main) {
	process.chdir(`${import.meta.dir}/..`);
	endChildrenWithUs();
	const unknown = process.argv.slice(2).filter((argument) => argument !== "--fix");
	if (unknown.length > 0) {
		console.error(`Unknown option ${unknown[0]}\nUsage: bun run ok [--fix]`);
		process.exit(2);
	}
	const outcomes: Outcome[] = [];
	await runQuickChecks({
		fix: process.argv.includes("--fix"),
		environment: {},
		add(outcome) {
			outcomes.push(outcome);
			tell(outcome);
		},
	});
	const totals = sum(outcomes);
	console.log(totalsLine(totals));
	process.exitCode = totals.failed > 0 ? 1 : 0;
}

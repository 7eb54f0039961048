// bun run ok: the quick checks and the unit tests; no root. With --fix, formats and repairs what can be.

import { buildForTests, startChecks } from "./checks.ts";
import { type Outcome, sum, tell, totalsLine } from "./outcome.ts";
import { endChildrenWithUs } from "./run.ts";
import { findTests, runTests } from "./tests.ts";

/** Runs the checks and unit tests, telling each as it ends. */
export async function runQuickChecks(fix: boolean, environment: Readonly<Record<string, string>>): Promise<Outcome[]> {
	const outcomes: Outcome[] = [];
	const add = (outcome: Outcome) => {
		outcomes.push(outcome);
		tell(outcome);
	};
	add(await buildForTests());
	for (const outcome of startChecks(fix)) add(await outcome);
	const { unit } = findTests();
	add(await runTests({ name: "unit tests", files: unit, timeoutSeconds: 600, environment }));
	return outcomes;
}

if (import.meta.main) {
	process.chdir(`${import.meta.dir}/..`);
	endChildrenWithUs();
	const unknown = process.argv.slice(2).filter((argument) => argument !== "--fix");
	if (unknown.length > 0) {
		console.error(`Unknown option ${unknown[0]}\nUsage: bun run ok [--fix]`);
		process.exit(2);
	}
	const totals = sum(await runQuickChecks(process.argv.includes("--fix"), {}));
	console.log(totalsLine(totals));
	process.exitCode = totals.failed > 0 ? 1 : 0;
}

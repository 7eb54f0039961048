// Every check and test, after scripts/test has set the machine up. The last line is `N passed, M failed, K skipped`.

import { buildProduct } from "./checks.ts";
import { endProcesses, findLeftovers, MARK } from "./leftovers.ts";
import { runQuickChecks } from "./ok.ts";
import { type Outcome, sum, tell, totalsLine } from "./outcome.ts";
import { endChildrenWithUs } from "./run.ts";
import { findTests, runTests } from "./tests.ts";

process.chdir(`${import.meta.dir}/..`);
endChildrenWithUs();
const outcomes: Outcome[] = [];
try {
	await runEverything(`${process.pid}-${Date.now()}`);
} catch (error) {
	// Our own fault; the totals must say so.
	const details = error instanceof Error ? (error.stack ?? error.message) : String(error);
	add({ name: "scripts/test.ts", passed: 0, failed: 1, skipped: 0, seconds: 0, details });
}
const totals = sum(outcomes);
console.log(totalsLine(totals));
process.exitCode = totals.failed > 0 ? 1 : 0;

async function runEverything(mark: string): Promise<void> {
	const environment = { [MARK]: mark };
	const before = findLeftovers(mark);
	for (const leftover of before) console.log(`from an earlier run: ${leftover}`);
	add(await buildProduct());
	await runQuickChecks({ fix: false, environment, add });
	const { kernel } = findTests();
	if (kernel.length === 0) add(await runTests({ name: "kernel tests", files: [], timeoutSeconds: 1 }));
	for (const file of kernel) add(await runTests({ name: file, files: [file], timeoutSeconds: 300, environment }));
	const found = findLeftovers(mark).filter((leftover) => !before.includes(leftover));
	endProcesses(mark);
	const failed = found.length > 0 ? 1 : 0;
	const details = found.join("\n");
	add({ name: "nothing left behind", passed: 1 - failed, failed, skipped: 0, seconds: 0, details });
}

function add(outcome: Outcome): void {
	outcomes.push(outcome);
	tell(outcome);
}

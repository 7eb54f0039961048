// Problems in the log: each once, and once more that it is gone.

import type { Log } from "../lib/log.ts";
import type { Problem, ProblemReason } from "../model/problem.ts";
import { problemLine } from "../observe/status.ts";

/** Their messages count and name pods and endpoints, which come and go: in a rollout each of them would be another Problem. */
const COUNTING: ReadonlySet<ProblemReason> = new Set(["NoBackends", "HostPortMissing", "Unreachable"]);

/** What makes two of them the same. */
function identityOf(problem: Problem): string {
	return COUNTING.has(problem.reason) ? problemLine({ ...problem, message: "" }) : problemLine(problem);
}

/** To be called with all that there are. */
export function createProblemLog(log: Log): (problems: readonly Problem[]) => void {
	let known: ReadonlyMap<string, string> = new Map();

	function tell(identity: string, line: string): void {
		const before = known.get(identity);
		if (before === undefined) log.warn({ problem: line }, "Problem");
		else if (before !== line) log.debug({ problem: line }, "Problem, as it is now");
	}

	return (problems) => {
		const now = new Map(problems.map((problem) => [identityOf(problem), problemLine(problem)]));
		for (const [identity, line] of now) tell(identity, line);
		for (const [identity, line] of known) if (!now.has(identity)) log.info({ problem: line }, "Problem is gone");
		known = now;
	};
}

// Tries all rows in a world of its own: node-1's network namespace is made here, so that whoever runs the rows is in it from the start.

import { netns } from "../support/netns.ts";
import type { Result } from "./result.ts";

const VERDICTS: readonly unknown[] = ["pass", "fail", "not applicable"];

function isResult(value: unknown): value is Result {
	return typeof value === "object" && value !== null && "verdict" in value && VERDICTS.includes(value.verdict);
}

function parseResult(line: string): Result {
	const value: unknown = JSON.parse(line);
	if (!isResult(value)) throw new Error(`Cannot understand a result: ${line}`);
	return value;
}

/**
 * The results in the order of the table. `only`: of these ids. Throws if the world could not be made, or if the signal was aborted:
 * then what was set up has been taken away.
 */
export async function tryRows(only: readonly string[] = [], signal?: AbortSignal): Promise<readonly Result[]> {
	using first = netns();
	const program = [process.execPath, "run", `${import.meta.dir}/nodes.ts`, first.name, only.join(",")];
	const child = Bun.spawn(["nsenter", `--net=/run/netns/${first.name}`, "--", ...program], {
		stdin: "ignore",
		stdout: "pipe",
		stderr: "pipe",
	});
	signal?.addEventListener("abort", () => child.kill("SIGTERM"));
	const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
	if (code !== 0) throw new Error(`Cannot try the rows: the process ended with ${code}: ${err}`);
	return out.split("\n").slice(0, -1).map(parseResult);
}

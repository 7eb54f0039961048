// Runs test files under bun test, and counts what its report says.

import type { Outcome } from "./outcome.ts";
import { run } from "./run.ts";

/** Test files, by what they need. */
export interface TestFiles {
	/** All run in one process, without root. */
	readonly unit: readonly string[];
	/** Load programs into the kernel: root, and a process for each, because setns and cgroups belong to a process. Or take long. */
	readonly kernel: readonly string[];
}

const KERNEL = ["test/kernel/", "test/soak/", "test/conformance/", "src/bun-ffi-libbpf/"];

/** Finds all test files in the project. */
export function findTests(): TestFiles {
	const files = ["src", "scripts", "test"].flatMap((folder) =>
		[...new Bun.Glob("**/*.test.ts").scanSync({ cwd: folder })].map((file) => `${folder}/${file}`),
	);
	const own = files.filter((file) => !file.includes("node_modules/")).sort();
	const isKernel = (file: string) => KERNEL.some((folder) => file.startsWith(folder));
	return { unit: own.filter((file) => !isKernel(file)), kernel: own.filter(isKernel) };
}

export interface TestRun {
	readonly name: string;
	readonly files: readonly string[];
	readonly timeoutSeconds: number;
	readonly environment?: Readonly<Record<string, string>>;
}

/** Milliseconds of one test: no test is about time, and a busy machine may take long. */
const TEST_TIMEOUT = 60_000;

/** Runs `files` in one process. A process that ends without a report, or without a test, has failed. */
export async function runTests({ name, files, timeoutSeconds, environment = {} }: TestRun): Promise<Outcome> {
	if (files.length === 0)
		return { name, passed: 0, failed: 1, skipped: 0, seconds: 0, details: "Cannot test: no test files found" };
	// The ./ makes them paths; without it they would be filters.
	const command = [process.execPath, "test", `--timeout=${TEST_TIMEOUT}`, ...files.map((file) => `./${file}`)];
	const { code, output, seconds, timedOut } = await run(command, { timeoutSeconds, environment });
	const counts = judge(output, code);
	const late = timedOut ? `\nKilled: not done after ${timeoutSeconds} s` : "";
	const details = counts.failed > 0 ? withoutPassed(output) + late : skippedTests(output);
	return { name, ...counts, seconds, details };
}

/** Counts of one `bun test` process by its report and its exit code; never all well when either is not. */
export function judge(output: string, code: number): Pick<Outcome, "passed" | "failed" | "skipped"> {
	const report = /^((?: *\d+ [a-z]+(?: calls|\(\) calls)?\n)+)Ran (\d+) tests? across \d+ files?\./m.exec(output);
	const count = (word: string) => Number(new RegExp(`^ *(\\d+) ${word}$`, "m").exec(report?.[1] ?? "")?.[1] ?? 0);
	const counts = { passed: count("pass"), failed: count("fail"), skipped: count("skip") + count("todo") };
	const allWell = code === 0 && Number(report?.[2] ?? 0) > 0 && count("error") === 0;
	return allWell || counts.failed > 0 ? counts : { ...counts, failed: Math.max(1, count("error")) };
}

function withoutPassed(output: string): string {
	const told = output.replace(/^\(pass\) .*\n/gm, "");
	// Names of files of which nothing is left to tell.
	return told.replace(/^\S+\.test\.ts:\n\n(?=\S+\.test\.ts:\n|\n| *\d+ )/gm, "").trim();
}

function skippedTests(output: string): string {
	return (output.match(/^\((?:skip|todo)\) .*$/gm) ?? []).join("\n");
}

// Runs one command to its end and keeps what it said.

import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface RunOptions {
	readonly environment?: Readonly<Record<string, string>>;
	/** After this time the command and its process group are killed; 600 by default. */
	readonly timeoutSeconds?: number;
}

export interface RunResult {
	/** The exit code; 128 + signal if a signal ended it. */
	readonly code: number;
	/** Standard output and standard error, in the order of writing. */
	readonly output: string;
	readonly seconds: number;
	readonly timedOut: boolean;
}

const groups = new Set<number>();

/** Runs `command` without standard input, in a process group of its own. */
export async function run(command: readonly string[], options: RunOptions = {}): Promise<RunResult> {
	const before = performance.now();
	const folder = mkdtempSync(join(tmpdir(), "balancing-run-"));
	// A file, not a pipe: a pipe ends only when everything that the command left behind has ended.
	const log = join(folder, "log");
	const fd = openSync(log, "a");
	try {
		const child = start(command, fd, options.environment);
		groups.add(child.pid);
		let timedOut = false;
		const timer = setTimeout(
			() => {
				timedOut = true;
				killGroup(child.pid);
			},
			(options.timeoutSeconds ?? 600) * 1000,
		);
		const code = await child.exited;
		clearTimeout(timer);
		groups.delete(child.pid);
		const seconds = (performance.now() - before) / 1000;
		return { code, output: readFileSync(log, "utf8"), seconds, timedOut };
	} finally {
		closeSync(fd);
		rmSync(folder, { recursive: true, force: true });
	}
}

/** On an interrupt, ends what `run` started before this process ends: those are not in the terminal's process group. */
export function endChildrenWithUs(): void {
	for (const [signal, code] of [
		["SIGINT", 130],
		["SIGTERM", 143],
		["SIGHUP", 129],
	] as const) {
		process.once(signal, () => {
			for (const group of groups) killGroup(group);
			process.exit(code);
		});
	}
}

function start(command: readonly string[], fd: number, environment: Readonly<Record<string, string>> = {}) {
	try {
		return Bun.spawn([...command], {
			stdin: "ignore",
			stdout: fd,
			stderr: fd,
			detached: true,
			env: { ...process.env, ...environment },
		});
	} catch (cause) {
		throw new Error(`Cannot run ${command[0]}: ${describe(cause)} (./scripts/setup installs what is missing)`, {
			cause,
		});
	}
}

function describe(cause: unknown): string {
	return cause instanceof Error ? cause.message : String(cause);
}

function killGroup(leader: number): void {
	try {
		process.kill(-leader, "SIGKILL");
	} catch {
		// It ended by itself.
	}
}

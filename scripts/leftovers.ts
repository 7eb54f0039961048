// Finds what tests left behind on the machine. Tests name all they make `balancing-test-PID-...`.

import { existsSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

/** Set for every test process and inherited by what it starts, so that a process that stayed can be told. */
export const MARK = "BALANCING_TEST_RUN";

/** One line for each thing that is there though the process that made it is gone. `run` is the value of MARK. */
export function findLeftovers(run: string): readonly string[] {
	const found = [
		...list("/run/netns")
			.filter(isLeftover)
			.map((path) => `network namespace ${path}`),
		...list(tmpdir())
			.filter(isLeftover)
			.map((path) => `temporary file ${path}`),
		...processes(run).map((pid) => `process ${pid}: ${commandOf(pid)}`),
	];
	for (const { path, type } of mounts()) {
		if (type === "nsfs") continue; // A network namespace, told above.
		if (path.split("/").some(isLeftover)) found.push(`mount ${path}`);
		else if (type === "cgroup2") found.push(...leftoversBelow(path).map((below) => `cgroup ${below}`));
		else if (type === "bpf") found.push(...leftoversBelow(path).map((below) => `pin ${below}`));
	}
	return [...new Set(found)];
}

/** Ends the processes that `findLeftovers` reports. */
export function endProcesses(run: string): void {
	for (const pid of processes(run)) process.kill(pid, "SIGKILL");
}

/** The process id in a test's name for something; undefined if it is not a test's, 0 if it carries no id. */
export function makerOf(path: string): number | undefined {
	const match = /^balancing-test-(\d*)/.exec(basename(path));
	return match === null ? undefined : Number(match[1]);
}

function isLeftover(path: string): boolean {
	const maker = makerOf(path);
	return maker !== undefined && !(maker > 0 && existsSync(`/proc/${maker}`));
}

function list(folder: string): readonly string[] {
	try {
		return readdirSync(folder).map((name) => join(folder, name));
	} catch {
		return []; // It is not there, or went while we looked.
	}
}

function leftoversBelow(folder: string): readonly string[] {
	return list(folder).flatMap((path) => {
		if (isLeftover(path)) return [path];
		return isFolder(path) ? leftoversBelow(path) : [];
	});
}

function isFolder(path: string): boolean {
	return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function mounts(): readonly { readonly path: string; readonly type: string }[] {
	return readFileSync("/proc/self/mounts", "utf8")
		.trimEnd()
		.split("\n")
		.map((line) => {
			const [, path = "", type = ""] = line.split(" ");
			return { path, type };
		});
}

function processes(run: string): readonly number[] {
	return readdirSync("/proc")
		.map(Number)
		.filter((pid) => pid > 0 && pid !== process.pid && isMarked(pid, run));
}

function isMarked(pid: number, run: string): boolean {
	try {
		return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(`${MARK}=${run}`);
	} catch {
		return false; // It ended meanwhile.
	}
}

function commandOf(pid: number): string {
	try {
		return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
	} catch {
		return "ended meanwhile";
	}
}

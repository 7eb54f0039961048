// A cgroup of a test's own.

import { mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { testName } from "./names.ts";
import { untilSync } from "./wait.ts";

export interface Cgroup extends Disposable {
	readonly path: string;
	/** As programs see it. */
	readonly id: bigint;
}

/** The folder where cgroup v2 is mounted. */
export function cgroupMount(): string {
	for (const line of readFileSync("/proc/mounts", "utf8").split("\n")) {
		const [, point, type] = line.split(" ");
		if (type === "cgroup2" && point !== undefined) return point;
	}
	throw new Error("Cannot find cgroup v2: it is not mounted (mount -t cgroup2 none /sys/fs/cgroup)");
}

/** A new cgroup below `parent`. Whoever is in it when it goes is killed. */
export function cgroup(parent = cgroupMount()): Cgroup {
	const path = `${parent}/${testName()}`;
	mkdirSync(path);
	return { path, id: statSync(path, { bigint: true }).ino, [Symbol.dispose]: () => remove(path) };
}

/** A folder below another cgroup, with all between them. Whoever is in it when it goes is killed; folders that are empty then go with it. */
export function nestedCgroup(parent: string, folder: string): Cgroup {
	const path = `${parent}/${folder}`;
	mkdirSync(path, { recursive: true });
	return {
		path,
		id: statSync(path, { bigint: true }).ino,
		[Symbol.dispose]() {
			remove(path);
			for (let at = dirname(path); at !== parent && !hasFolders(at); at = dirname(at)) rmdirSync(at);
		},
	};
}

function hasFolders(path: string): boolean {
	return readdirSync(path, { withFileTypes: true }).some((entry) => entry.isDirectory());
}

function remove(path: string): void {
	writeFileSync(`${path}/cgroup.kill`, "1");
	untilSync(`empty: ${path}`, () => readFileSync(`${path}/cgroup.events`, "utf8").includes("populated 0"));
	rmdirSync(path);
}

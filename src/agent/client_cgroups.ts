// From a cgroup's id, which is all that the kernel reports of a client, to its path.

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { type Clock, systemClock } from "../lib/clock.ts";
import { type ProcessCgroups, readProcessCgroups } from "../observe/cgroup_client.ts";

/** Milliseconds between two searches of the whole tree at least. */
const PAUSE = 1000;
/** Folders that one search looks at, at most: a node has some hundreds, and its agent has other things to do. */
const MOST_FOLDERS = 5000;
/** Paths that are remembered; then it begins anew. */
const MOST_KNOWN = 20_000;

export interface ClientCgroups {
	/** The folder of a cgroup in which that process was; "" if it is gone, or nowhere to be found. Never throws. */
	pathOf(id: bigint, pid: number): string;
	/** All cgroups of a process that is in this one still; undefined if it has gone. Never throws. */
	processIn(id: bigint, pid: number): ProcessCgroups | undefined;
	/** Whether hierarchies of v1 are in use as well. */
	readonly hasV1: boolean;
}

export interface ClientCgroupsOptions {
	/** The folder of cgroup v2 below which clients are seen. */
	readonly cgroup: string;
	/** Where proc(5) is mounted. */
	readonly proc?: string;
	readonly clock?: Pick<Clock, "now">;
}

/** Upwards as the kernel goes: what the paths in /proc/PID/cgroup begin at. */
function topOf(cgroup: string): string {
	let at = cgroup;
	while (existsSync(`${at}/../cgroup.controllers`)) at = `${at}/..`;
	return at;
}

/** Undefined if it is gone. */
function inodeOf(path: string): bigint | undefined {
	try {
		return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
	} catch {
		return undefined;
	}
}

function foldersIn(path: string): readonly string[] {
	try {
		return readdirSync(path, { withFileTypes: true }).flatMap((entry) =>
			entry.isDirectory() ? [`${path}/${entry.name}`] : [],
		);
	} catch {
		// Gone since it was listed.
		return [];
	}
}

/** Level by level: what is deep is a container's own, and seldom a client's. */
function* allCgroups(root: string): Generator<readonly [bigint, string], undefined> {
	const queue = [root];
	for (let at = 0; at < queue.length && at < MOST_FOLDERS; at++) {
		const path = queue[at] ?? root;
		const id = inodeOf(path);
		if (id !== undefined) yield [id, path];
		if (queue.length < MOST_FOLDERS) queue.push(...foldersIn(path));
	}
}

/** A process that lives tells where it is; the tree is searched for those that do not, at most once a second. */
export function createClientCgroups(options: ClientCgroupsOptions): ClientCgroups {
	const { cgroup, proc = "/proc", clock = systemClock } = options;
	const top = topOf(cgroup);
	// No id of the kernel's comes twice, and cgroups of v2 are never renamed: what is known stays true, and who is gone stays gone.
	let known = new Map<bigint, string>();
	let searched = Number.NEGATIVE_INFINITY;

	function readProcess(pid: number | "self"): ProcessCgroups | undefined {
		try {
			return readProcessCgroups(readFileSync(`${proc}/${pid}/cgroup`, "utf8"));
		} catch {
			return undefined;
		}
	}

	function processIn(id: bigint, pid: number): ProcessCgroups | undefined {
		const process = readProcess(pid);
		// It may have moved, or be another one under its number.
		return process?.v2 !== undefined && inodeOf(`${top}${process.v2}`) === id ? process : undefined;
	}

	function remember(id: bigint, path: string): string {
		if (known.size >= MOST_KNOWN) known.clear();
		known.set(id, path);
		return path;
	}

	return {
		hasV1: (readProcess("self")?.v1.size ?? 0) > 0,
		processIn,
		pathOf(id, pid) {
			const path = known.get(id);
			if (path) return path;
			const process = processIn(id, pid);
			if (process?.v2 !== undefined) return remember(id, `${top}${process.v2}`);
			if (path === "" || clock.now() - searched < PAUSE) return "";
			known = new Map([...(known.size < MOST_KNOWN ? known : []), ...allCgroups(cgroup)]);
			searched = clock.now();
			return known.get(id) ?? remember(id, "");
		},
	};
}

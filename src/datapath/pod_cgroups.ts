// The cgroups of pods, found by the uid in their names, wherever a kubelet and its driver put them.

import { readdirSync, readFileSync } from "node:fs";
import { podCgroupEnd, podCgroupEnds } from "../model/pod_cgroup.ts";

/** Names of the folders in a folder; none if it is gone. */
function foldersIn(path: string): readonly string[] {
	try {
		return readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
	} catch {
		return [];
	}
}

/** The folders in these; those that are not `mine` are where to look next. */
function partFolders(level: readonly string[], isMine: (path: string, name: string) => boolean): readonly string[] {
	return level.flatMap((folder) =>
		foldersIn(folder).flatMap((name) => (isMine(`${folder}/${name}`, name) ? [] : [`${folder}/${name}`])),
	);
}

/**
 * Folders below `root` by the uid of their pod; what is not there is left out. A pod has one, or one for each container. Looks
 * everywhere: kind's nodes, and clusters in pods, have theirs below containers.
 */
export function findPodCgroups(root: string, uids: Iterable<string>): ReadonlyMap<string, readonly string[]> {
	const named = [...uids].filter((uid) => uid !== "");
	const wanted = new Map(named.flatMap((uid) => podCgroupEnds(uid).map((end) => [end, uid] as const)));
	const missing = new Set(named);
	const found = new Map<string, string[]>();

	function isOfPod(path: string, name: string): boolean {
		const { end, isWhole } = podCgroupEnd(name);
		const uid = wanted.get(end);
		if (uid === undefined) return false;
		found.set(uid, [...(found.get(uid) ?? []), path]);
		if (isWhole) missing.delete(uid);
		return true;
	}

	// Level by level: pods are not deep, what is below their containers may be.
	let level: readonly string[] = [root];
	while (level.length > 0 && missing.size > 0) level = partFolders(level, isOfPod);
	return found;
}

/** Ids of the processes in a cgroup and below it; those of other PID namespaces are out of sight. */
export function processesIn(cgroup: string): readonly string[] {
	const pids: string[] = [];
	const folders = [cgroup];
	for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
		try {
			const lines = readFileSync(`${folder}/cgroup.procs`, "utf8").split("\n");
			pids.push(...lines.filter((pid) => pid !== "" && pid !== "0"));
		} catch {
			// A threaded one cannot be read; its processes are in the one above.
		}
		for (const name of foldersIn(folder)) folders.push(`${folder}/${name}`);
	}
	return pids;
}

/** Whether there is a process in a cgroup of v2, or below it, in whatever PID namespace. */
export function isPopulated(cgroup: string): boolean {
	try {
		return readFileSync(`${cgroup}/cgroup.events`, "utf8").includes("populated 1");
	} catch {
		return false;
	}
}

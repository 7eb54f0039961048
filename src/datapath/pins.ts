// What stands where under the pin path.

import { closeSync, existsSync, mkdirSync, openSync, readdirSync, rmdirSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { mount, statfsType, umount } from "bun-ffi-libbpf";

/** statfs(2) type of bpffs (linux/magic.h). */
const BPF_FS_MAGIC = 0xcafe4a11;
const SYSTEM_BPFFS = "/sys/fs/bpf";

export function mapPin(pinPath: string, map: string): string {
	return `${pinPath}/maps/${map}`;
}

export function linkPin(pinPath: string, program: string): string {
	return `${pinPath}/links/${program}`;
}

function isBpffs(path: string): boolean {
	return statfsType(path) === BPF_FS_MAGIC;
}

function existingParent(path: string): string {
	let at = path;
	while (!existsSync(at)) at = dirname(at);
	return at;
}

/**
 * Makes the folders of the pin path. Where there is no bpffs yet, mounts one: at /sys/fs/bpf, its usual place, if the path is below it,
 * else on the path itself.
 */
export function preparePins(pinPath: string): void {
	if (!isBpffs(existingParent(pinPath))) {
		const point = pinPath.startsWith(`${SYSTEM_BPFFS}/`) ? SYSTEM_BPFFS : pinPath;
		mkdirSync(point, { recursive: true });
		mount("bpf", point, "bpf");
	}
	mkdirSync(`${pinPath}/maps`, { recursive: true, mode: 0o700 });
	mkdirSync(`${pinPath}/links`, { recursive: true, mode: 0o700 });
}

function list(folder: string): readonly string[] {
	return existsSync(folder) ? readdirSync(folder) : [];
}

/** Links first, so that no program runs on maps that are gone. Returns what was taken away. */
export function removePins(pinPath: string): readonly string[] {
	const removed: string[] = [];
	for (const folder of [`${pinPath}/links`, `${pinPath}/maps`]) {
		for (const name of list(folder)) {
			unlinkSync(`${folder}/${name}`);
			removed.push(`${folder}/${name}`);
		}
		if (existsSync(folder)) rmdirSync(folder);
	}
	if (!existsSync(pinPath)) return removed;
	if (isMountPoint(pinPath)) umount(pinPath);
	rmdirSync(pinPath);
	return removed;
}

function isMountPoint(path: string): boolean {
	return isBpffs(path) && !isBpffs(dirname(path));
}

/** Whether a process may open the folder at all; a clear error instead of an empty answer. */
export function assertPinsReadable(pinPath: string): void {
	if (!existsSync(`${pinPath}/maps`)) {
		throw new Error(
			`Cannot read maps under ${pinPath}: nothing is pinned there (start the agent, or give its --pin-path; needs root)`,
		);
	}
	closeSync(openSync(`${pinPath}/maps`, "r"));
}

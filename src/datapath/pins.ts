// What stands where under the pin path.

import { closeSync, existsSync, mkdirSync, openSync, readdirSync, rmdirSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { mount, openPinnedLink, statfsType, tryLock, umount } from "bun-ffi-libbpf";
import { errorCode } from "../lib/error_code.ts";

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

function list(folder: string): readonly string[] {
	return existsSync(folder) ? readdirSync(folder) : [];
}

function makeFolder(path: string, pinPath: string): void {
	try {
		mkdirSync(path, { recursive: true, mode: 0o700 });
	} catch (cause) {
		const code = errorCode(cause);
		const dots = path.includes(".") ? "; a name on a bpf file system has no dot" : "";
		throw new Error(`Cannot use --pin-path ${pinPath}: ${code} at ${path} (needs root${dots})`, { cause });
	}
}

function mountBpffs(pinPath: string): void {
	const point = pinPath.startsWith(`${SYSTEM_BPFFS}/`) ? SYSTEM_BPFFS : pinPath;
	if (list(point).length > 0) {
		throw new Error(
			`Cannot use --pin-path ${pinPath}: a bpf file system would have to be mounted there, and would hide what is in that folder (give a path below ${SYSTEM_BPFFS}, or a folder that is empty or not there)`,
		);
	}
	makeFolder(point, pinPath);
	mount("bpf", point, "bpf", { data: "mode=0700" });
}

/**
 * Makes the folders of the pin path. Where there is no bpffs yet, mounts one: at /sys/fs/bpf, its usual place, if the path is below it,
 * else on the path itself.
 */
export function preparePins(pinPath: string): void {
	if (!isBpffs(existingParent(pinPath))) mountBpffs(pinPath);
	makeFolder(`${pinPath}/maps`, pinPath);
	makeFolder(`${pinPath}/links`, pinPath);
}

/**
 * Two agents on one pin path would undo each other's work. Undefined if someone holds it; else held until disposed, or until the
 * process ends in whatever way. The folder must be there.
 */
export function tryLockPins(pinPath: string): Disposable | undefined {
	const fd = openSync(`${pinPath}/maps`, "r");
	if (tryLock(fd)) return { [Symbol.dispose]: () => closeSync(fd) };
	closeSync(fd);
	return undefined;
}

/** Now: of a link whose pin is removed the kernel lets the program go some time later, in a work queue. */
function detachLink(pin: string): void {
	try {
		using link = openPinnedLink(pin);
		link.detach();
	} catch {
		// Its cgroup is gone, or it is no link of ours: there is nothing to wait for.
	}
}

function removeAll(pinPath: string): readonly string[] {
	const removed: string[] = [];
	const links = `${pinPath}/links`;
	// Links first, so that no program runs on maps that are gone.
	for (const folder of [links, `${pinPath}/maps`]) {
		for (const name of list(folder)) {
			if (folder === links) detachLink(`${folder}/${name}`);
			unlinkSync(`${folder}/${name}`);
			removed.push(`${folder}/${name}`);
		}
		if (existsSync(folder)) rmdirSync(folder);
	}
	return removed;
}

/** The lock is let go of before anything is unmounted: it is a file there. */
function removeLocked(pinPath: string): readonly string[] {
	if (!existsSync(`${pinPath}/maps`)) return removeAll(pinPath);
	using lock = tryLockPins(pinPath);
	if (!lock) throw new Error(`Cannot detach: an agent uses --pin-path ${pinPath} (stop it first)`);
	return removeAll(pinPath);
}

/** Takes links and maps away, then the folders that are empty then, and a mount of our own. Returns the pins. Throws if an agent holds them. */
export function removePins(pinPath: string): readonly string[] {
	if (!existsSync(pinPath)) return [];
	const removed = removeLocked(pinPath);
	// Somebody else's pins stay, and where they are. Names with a dot are the kernel's own, in every new bpffs.
	const theirs = list(pinPath).filter((name) => !name.includes("."));
	if (pinPath === SYSTEM_BPFFS || theirs.length > 0) return removed;
	if (isMountPoint(pinPath)) umount(pinPath);
	rmdirSync(pinPath);
	return removed;
}

function isMountPoint(path: string): boolean {
	return isBpffs(path) && !isBpffs(dirname(path));
}

/** Whether a process may open the folder at all; a clear error instead of an empty answer. */
export function assertPinsReadable(pinPath: string): void {
	try {
		closeSync(openSync(`${pinPath}/maps`, "r"));
	} catch (cause) {
		const code = errorCode(cause);
		const fact =
			code === "ENOENT" ? "nothing is pinned there (start the agent, or give its --pin-path)" : `${code} (needs root)`;
		throw new Error(`Cannot read the maps under ${pinPath}: ${fact}`, { cause });
	}
}

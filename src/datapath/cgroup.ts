// Where cgroup v2 is mounted: unified, hybrid, or nowhere yet.

import { existsSync, mkdirSync, readFileSync, readlinkSync, rmdirSync } from "node:fs";
import { mount, umount } from "bun-ffi-libbpf";

/** Where we mount cgroup v2 if nobody has. */
const OWN_MOUNT = "/run/balancing/cgroup2";

/** One line of /proc/PID/mountinfo, as far as it matters (proc_pid_mountinfo(5)). */
export interface Mount {
	readonly root: string;
	readonly point: string;
	readonly type: string;
}

/** Octal escapes (\040 for a blank) are undone. */
export function parseMountinfo(text: string): readonly Mount[] {
	const mounts: Mount[] = [];
	for (const line of text.split("\n")) {
		const [left, right] = line.split(" - ");
		const fields = left?.split(" ") ?? [];
		const type = right?.split(" ")[0];
		const [root, point] = [fields[3], fields[4]];
		if (root === undefined || point === undefined || type === undefined) continue;
		mounts.push({ root: unescapeOctal(root), point: unescapeOctal(point), type });
	}
	return mounts;
}

function unescapeOctal(text: string): string {
	return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** The mount whose root is the hierarchy's root; the last one wins, as the kernel's own lookup does. */
export function rootMount(mounts: readonly Mount[]): Mount | undefined {
	return mounts.findLast((mount) => mount.type === "cgroup2" && mount.root === "/");
}

function sameNamespace(kind: string): boolean {
	try {
		return readlinkSync(`/proc/self/ns/${kind}`) === readlinkSync(`/proc/1/ns/${kind}`);
	} catch {
		return false;
	}
}

/**
 * The directory of cgroup v2's root. PID 1's mounts are asked, since our own may be a container's; its root is
 * reached through /proc/1/root when our mount namespace is another one. Mounts the hierarchy if nobody has.
 * Throws if it cannot be found nor mounted.
 */
export function findCgroupRoot(): string {
	const found = rootMount(parseMountinfo(readFileSync("/proc/1/mountinfo", "utf8")));
	if (found) {
		const point = sameNamespace("mnt") ? found.point : `/proc/1/root${found.point}`;
		if (existsSync(`${point}/cgroup.controllers`)) return point;
	}
	const own = rootMount(parseMountinfo(readFileSync("/proc/self/mountinfo", "utf8")));
	if (own && sameNamespace("cgroup")) return own.point;
	if (!sameNamespace("cgroup")) {
		throw new Error(
			"Cannot find the root of cgroup v2: this process has a cgroup namespace of its own and cannot see PID 1's mounts (run it with the host's PID and cgroup namespaces, or give --cgroup)",
		);
	}
	mkdirSync(OWN_MOUNT, { recursive: true });
	mount("cgroup2", OWN_MOUNT, "cgroup2");
	return OWN_MOUNT;
}

/** This process's own cgroup v2 as a path below the root, `/` for the root itself; undefined where there is no v2. */
export function ownCgroup(): string | undefined {
	const line = readFileSync("/proc/self/cgroup", "utf8")
		.split("\n")
		.find((text) => text.startsWith("0::"));
	return line?.slice(3);
}

/** Takes away the mount that findCgroupRoot made, if it made one. */
export function unmountOwnCgroup(): void {
	const mounted = parseMountinfo(readFileSync("/proc/self/mountinfo", "utf8")).some(({ point }) => point === OWN_MOUNT);
	if (!mounted) return;
	umount(OWN_MOUNT);
	rmdirSync(OWN_MOUNT);
}

// Where cgroup v2 is mounted: unified, hybrid, or nowhere yet.

import { existsSync, mkdirSync, readFileSync, readlinkSync, rmdirSync } from "node:fs";
import { mount, umount } from "bun-ffi-libbpf";

/** Where we mount cgroup v2 if nobody has. */
const OWN_MOUNT = "/run/balancing/cgroup2";

/** One line of /proc/PID/mountinfo, as far as it matters (proc_pid_mountinfo(5)). */
export interface Mount {
	/** Unique in the whole kernel: the same id is the same mount in the same namespace. */
	readonly id: string;
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
		const [id, root, point] = [fields[0], fields[3], fields[4]];
		if (id === undefined || root === undefined || point === undefined || type === undefined) continue;
		mounts.push({ id, root: unescapeOctal(root), point: unescapeOctal(point), type });
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

/** PROC_CGROUP_INIT_INO of linux/proc_ns.h: the cgroup namespace that every other one is made from. */
const INITIAL_CGROUP_NAMESPACE = "cgroup:[4026531835]";

function readMounts(pid: "1" | "self"): readonly Mount[] {
	return parseMountinfo(readFileSync(`/proc/${pid}/mountinfo`, "utf8"));
}

/**
 * The directory of cgroup v2's root. PID 1's mounts are asked, since our own may be a container's; one that is not
 * ours is reached through /proc/1/root. Mounts the hierarchy if nobody has. Throws if it can neither be found nor mounted.
 */
export function findCgroupRoot(): string {
	const own = readMounts("self");
	const found = rootMount(readMounts("1"));
	if (found) {
		const shared = own.some(({ id }) => id === found.id);
		const point = shared ? found.point : `/proc/1/root${found.point}`;
		if (existsSync(`${point}/cgroup.controllers`)) return point;
	}
	if (readlinkSync("/proc/self/ns/cgroup") !== INITIAL_CGROUP_NAMESPACE) {
		throw new Error(
			"Cannot find the root of cgroup v2: this process has a cgroup namespace of its own and does not reach PID 1's mounts (run it with the host's PID and cgroup namespaces, or give --cgroup)",
		);
	}
	const mounted = rootMount(own);
	if (mounted) return mounted.point;
	mkdirSync(OWN_MOUNT, { recursive: true });
	mount("cgroup2", OWN_MOUNT, "cgroup2");
	return OWN_MOUNT;
}

/** Takes away the mount that findCgroupRoot made, if it made one. */
export function unmountOwnCgroup(): void {
	const mounted = readMounts("self").some(({ point }) => point === OWN_MOUNT);
	if (!mounted) return;
	umount(OWN_MOUNT);
	rmdirSync(OWN_MOUNT);
}

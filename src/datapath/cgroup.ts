// Where cgroup v2 is mounted: unified, hybrid, or nowhere yet.

import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmdirSync } from "node:fs";
import { basename, dirname } from "node:path";
import { mount, statfsType, umount } from "bun-ffi-libbpf";

/** statfs(2) type of cgroup v2 (linux/magic.h). */
const CGROUP2_MAGIC = 0x63677270;
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

/** Where the hierarchy's root is mounted. The first mount is the system's own; later ones may be some chroot's, and go again. */
export function rootMounts(mounts: readonly Mount[], type: "cgroup" | "cgroup2" = "cgroup2"): readonly Mount[] {
	return mounts.filter((mount) => mount.type === type && mount.root === "/");
}

/** PROC_CGROUP_INIT_INO of linux/proc_ns.h: the cgroup namespace that every other one is made from. */
const INITIAL_CGROUP_NAMESPACE = "cgroup:[4026531835]";

function readMounts(pid: "1" | "self"): readonly Mount[] {
	return parseMountinfo(readFileSync(`/proc/${pid}/mountinfo`, "utf8"));
}

/** Where the root may be, the likeliest first: PID 1's mounts, by /proc/1/root if they are none of our own, then our own. */
export function rootPlaces(
	pid1: readonly Mount[],
	own: readonly Mount[],
	type: "cgroup" | "cgroup2" = "cgroup2",
): readonly string[] {
	const isOwn = (mount: Mount) => own.some(({ id }) => id === mount.id);
	const found = rootMounts(pid1, type).map((mount) => (isOwn(mount) ? mount.point : `/proc/1/root${mount.point}`));
	return [...new Set([...found, ...rootMounts(own, type).map(({ point }) => point)])];
}

/** A container with a cgroup namespace of its own sees its cgroup as if it were the root; only the real one lacks cgroup.events. */
function isRealRoot(path: string): boolean {
	return existsSync(`${path}/cgroup.controllers`) && !existsSync(`${path}/cgroup.events`);
}

/** As findCgroupRoot(), but undefined where nobody has mounted the hierarchy. */
export function seeCgroupRoot(): string | undefined {
	const places = rootPlaces(readMounts("1"), readMounts("self"));
	const root = places.find(isRealRoot);
	if (root !== undefined) return root;
	if (places.length === 0 && readlinkSync("/proc/self/ns/cgroup") === INITIAL_CGROUP_NAMESPACE) return undefined;
	const seen = places.length === 0 ? "" : `; what is mounted at ${places.join(" and ")} is not it, or cannot be read`;
	throw new Error(
		`Cannot find the root of cgroup v2${seen} (run as root with the host's PID and cgroup namespaces, or give --cgroup)`,
	);
}

/**
 * The directory of cgroup v2's root. PID 1's mounts are asked, since our own may be a container's; one that is not
 * ours is reached through /proc/1/root. Mounts the hierarchy if nobody has. Throws if it can neither be found nor mounted.
 */
export function findCgroupRoot(): string {
	const root = seeCgroupRoot();
	if (root !== undefined) return root;
	mkdirSync(OWN_MOUNT, { recursive: true });
	mount("cgroup2", OWN_MOUNT, "cgroup2");
	return OWN_MOUNT;
}

/**
 * How deep a folder of cgroup v2 is, as bpf_get_current_ancestor_cgroup_id() counts: the root is 0. Undefined where the root is
 * out of sight: behind the mount of a container's own cgroup. Undefined, too, if the folder is gone.
 */
export function cgroupLevel(path: string): number | undefined {
	// Upwards as the kernel goes: in text /proc/1/root/sys/fs/cgroup would come to be a container's own.
	let at = path;
	for (let level = 0; existsSync(`${at}/cgroup.controllers`); level++) {
		if (isRealRoot(at)) return level;
		at = `${at}/..`;
	}
	return undefined;
}

/** Hierarchies of cgroup v1 in which every container's processes are. */
const V1_HIERARCHIES: ReadonlySet<string> = new Set(["pids", "memory", "systemd"]);

/** Where some of the hierarchies of cgroup v1 are mounted; none on a host that has v2 only. */
export function cgroupV1Roots(): readonly string[] {
	const places = rootPlaces(readMounts("1"), readMounts("self"), "cgroup");
	return places.filter((place) => V1_HIERARCHIES.has(basename(place)));
}

/** Throws with what helps where programs cannot be attached. */
export function assertCgroup(path: string): void {
	if (!existsSync(path)) {
		throw new Error(`Cannot attach to --cgroup ${path}: ENOENT (make it with mkdir, below the mount of cgroup v2)`);
	}
	if (statfsType(path) === CGROUP2_MAGIC) return;
	throw new Error(
		`Cannot attach to --cgroup ${path}: not a folder of cgroup v2 (findmnt -t cgroup2 shows where that is)`,
	);
}

/** Takes away the mount that findCgroupRoot made, if it made one. */
export function unmountOwnCgroup(): void {
	const mounted = readMounts("self").some(({ point }) => point === OWN_MOUNT);
	if (!mounted) return;
	umount(OWN_MOUNT);
	rmdirSync(OWN_MOUNT);
	const parent = dirname(OWN_MOUNT);
	if (readdirSync(parent).length === 0) rmdirSync(parent);
}

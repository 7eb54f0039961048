// The network namespaces of this machine, each once, by a file that leads to it.

import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";

/** Its own, and whatever else is mounted or has a process. */
export interface Namespaces {
	/**
	 * Paths. The own one first, then those with a mount (where container runtimes and `ip netns` keep theirs), then those of
	 * processes. One that has neither is not found. Any may vanish meanwhile.
	 */
	list(): Iterable<string>;
	/** Why there may be more of them than are seen; undefined if all are. */
	limit(): string | undefined;
}

/** Of the first PID namespace, the same on all kernels (PROC_PID_INIT_INO). */
const HOST_PIDS = "pid:[4026531836]";

/** Lines of mountinfo(5): `36 35 0:4 net:[4026532300] /run/netns/x rw shared:1 - nsfs nsfs rw`. */
const MOUNT = /^\d+ \d+ \S+ net:\[(\d+)\] (\S+) .* - nsfs /;

/** Spaces and the like are written as `\040`. */
function pathOf(written: string): string {
	return written.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** Undefined if it is gone, or is not for us to see. */
function attempt<T>(read: () => T): T | undefined {
	try {
		return read();
	} catch {
		return undefined;
	}
}

function* mounted(proc: string): Iterable<readonly [inode: string, path: string]> {
	const mounts = attempt(() => readFileSync(`${proc}/self/mountinfo`, "utf8")) ?? "";
	for (const line of mounts.split("\n")) {
		const [, inode, path] = MOUNT.exec(line) ?? [];
		if (inode !== undefined && path !== undefined) yield [inode, pathOf(path)];
	}
}

function* ofProcesses(proc: string): Iterable<readonly [inode: string, path: string]> {
	for (const name of readdirSync(proc)) {
		if (!/^\d+$/.test(name)) continue;
		const path = `${proc}/${name}/ns/net`;
		const [, inode] = /^net:\[(\d+)\]$/.exec(attempt(() => readlinkSync(path)) ?? "") ?? [];
		if (inode !== undefined) yield [inode, path];
	}
}

/** Nothing is read before it is asked for. `proc` is where proc(5) is mounted. */
export function createNamespaces(proc = "/proc"): Namespaces {
	return {
		*list() {
			const own = `${proc}/self/ns/net`;
			const known = new Set<string>();
			const self = attempt(() => String(statSync(own).ino));
			if (self !== undefined) {
				known.add(self);
				yield own;
			}
			for (const find of [mounted, ofProcesses]) {
				for (const [inode, path] of find(proc)) {
					if (known.has(inode)) continue;
					known.add(inode);
					yield path;
				}
			}
		},
		limit() {
			if (attempt(() => readlinkSync(`${proc}/self/ns/pid`)) === HOST_PIDS) return undefined;
			return "the agent does not see the host's processes, and with them not all network namespaces (in a Pod: hostPID: true)";
		},
	};
}

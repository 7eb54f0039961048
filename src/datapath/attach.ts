// Programs on a cgroup by pinned links: replaced in place, so that not one connect() falls between two agents.

import { existsSync, renameSync, statSync, unlinkSync } from "node:fs";
import { type AttachType, attachCgroup, isGone, openPinnedLink } from "bun-ffi-libbpf";
import { linkPin } from "./pins.ts";

export type Attached = "created" | "replaced" | "moved";

/** Where each program goes. */
const PLACES = {
	sock_release: "cgroup_inet_sock_release",
	sock4_recvmsg: "cgroup_udp4_recvmsg",
	sock6_recvmsg: "cgroup_udp6_recvmsg",
	sock4_getpeername: "cgroup_inet4_getpeername",
	sock6_getpeername: "cgroup_inet6_getpeername",
	sock4_sendmsg: "cgroup_udp4_sendmsg",
	sock6_sendmsg: "cgroup_udp6_sendmsg",
	sock4_connect: "cgroup_inet4_connect",
	sock6_connect: "cgroup_inet6_connect",
} as const satisfies Record<string, AttachType>;
export type ProgramName = keyof typeof PLACES;

/** The way back before the way there: once a connection is translated, its answers are translated too. */
export const PROGRAMS: readonly ProgramName[] = [
	"sock_release",
	"sock4_recvmsg",
	"sock6_recvmsg",
	"sock4_getpeername",
	"sock6_getpeername",
	"sock4_sendmsg",
	"sock6_sendmsg",
	"sock4_connect",
	"sock6_connect",
];

/** A cgroup's id is the inode number of its directory (64-bit kernels). */
export function cgroupId(path: string): bigint {
	return statSync(path, { bigint: true }).ino;
}

/** Puts the program in the place of the one that the pinned link runs; false if that link's cgroup is gone, or another one. */
function replace(pin: string, programFd: number, cgroup: bigint): boolean {
	using link = openPinnedLink(pin);
	if (link.info.cgroupId !== cgroup) return false;
	try {
		link.update(programFd);
		return true;
	} catch (error) {
		// ENOLINK: the cgroup was removed, and the link outlived it.
		if (isGone(error)) return false;
		throw error;
	}
}

function attachOne(name: ProgramName, programFd: number, { cgroup, pinPath }: AttachTarget): Attached {
	const pin = linkPin(pinPath, name);
	const pinned = existsSync(pin);
	// Left by an agent that was killed in the middle of what follows: a second attachment of the same program.
	const fresh = `${pin}_new`;
	if (existsSync(fresh)) unlinkSync(fresh);
	if (pinned && replace(pin, programFd, cgroupId(cgroup))) return "replaced";
	// The new link runs before the old one goes: a moment of both is harmless, the second finds nothing left to translate.
	using link = attachCgroup(programFd, cgroup, PLACES[name]);
	link.pin(fresh);
	renameSync(fresh, pin);
	return pinned ? "moved" : "created";
}

export interface AttachTarget {
	readonly cgroup: string;
	readonly pinPath: string;
}

/** Throws BpfError; programs that are attached by then stay so, and the next try replaces them. */
export function attachPrograms(
	fds: ReadonlyMap<string, { readonly fd: number }>,
	target: AttachTarget,
): ReadonlyMap<ProgramName, Attached> {
	const done = new Map<ProgramName, Attached>();
	for (const name of PROGRAMS) {
		const program = fds.get(name);
		if (!program) throw new Error(`Cannot attach ${name}: the object has no such program`);
		done.set(name, attachOne(name, program.fd, target));
	}
	return done;
}

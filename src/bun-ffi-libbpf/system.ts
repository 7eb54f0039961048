// The few calls of libc that a privileged daemon needs and node: modules do not have.

import { errnoNumber } from "./errors.ts";
import { withCgroup } from "./link.ts";
import { check, cString, native } from "./native.ts";

export interface MountOptions {
	/** MS_* of mount(2), or-ed. */
	readonly flags?: number;
	/** The file system's own options, `mode=700`. */
	readonly data?: string;
}

/** mount(2). Throws EPERM without CAP_SYS_ADMIN, ENODEV if the kernel has no such file system. */
export function mount(source: string, target: string, type: string, options: MountOptions = {}): void {
	const { flags = 0, data = "" } = options;
	const result = native().bffi_mount(cString(source), cString(target), cString(type), BigInt(flags), cString(data));
	check(result, { action: `mount ${type} on ${target}`, call: "mount" });
}

export interface UmountOptions {
	/** Out of sight at once, gone when nobody uses it (MNT_DETACH). */
	readonly lazy?: boolean;
}

const MNT_DETACH = 2;

/** umount2(2). Throws EBUSY while it is used, EINVAL if nothing is mounted there. */
export function umount(target: string, options: UmountOptions = {}): void {
	const result = native().bffi_umount(cString(target), options.lazy ? MNT_DETACH : 0);
	check(result, { action: `unmount ${target}`, call: "umount2" });
}

const LOCK_EX = 2;
const LOCK_NB = 4;

/** flock(2), exclusive, without waiting: false if another open file has the lock. It ends with the file descriptor. */
export function tryLock(fd: number): boolean {
	const result = native().bffi_flock(fd, LOCK_EX | LOCK_NB);
	if (result === -errnoNumber("EAGAIN")) return false;
	check(result, { action: `lock file descriptor ${fd}`, call: "flock" });
	return true;
}

/** The magic number of a path's file system: 0xcafe4a11 is bpf, 0x63677270 cgroup v2 (linux/magic.h). */
export function statfsType(path: string): number {
	const type = new Uint32Array(1);
	check(native().bffi_statfs_type(cString(path), type), {
		action: `ask for the file system of ${path}`,
		call: "statfs",
	});
	return type[0] ?? 0;
}

export interface NetnsCookieOptions {
	/** A file of a network namespace, `/proc/PID/ns/net` or `/run/netns/NAME`; the process's own if left out. */
	readonly netns?: string;
}

/**
 * The number by which the kernel knows a network namespace, as bpf_get_netns_cookie() gives it: never used again while the
 * system runs. Undefined before Linux 5.14, which cannot tell. Of another namespace it throws ENOENT if that is not there
 * (any more), EPERM without CAP_SYS_ADMIN, EINVAL if the file is no network namespace.
 */
export function netnsCookie({ netns = "" }: NetnsCookieOptions = {}): bigint | undefined {
	const cookie = new BigUint64Array(1);
	const result = native().bffi_netns_cookie(cookie, cString(netns));
	if (result === -errnoNumber("ENOPROTOOPT")) return undefined;
	check(result, {
		action: `ask for the cookie of ${netns === "" ? "the network namespace" : netns}`,
		call: netns === "" ? "getsockopt" : "setns",
	});
	return cookie[0];
}

export interface UdpConnectOptions {
	/** Connects from this cgroup (its path or file descriptor), by a short-lived child process; here if left out. */
	readonly cgroup?: string | number;
}

/**
 * Connects a datagram socket to 4 or 16 bytes of address, and closes it: finds a route and runs the cgroup's programs, but
 * sends nothing. Returns the errno of socket(2) or connect(2), 0 if it was connected. Throws if a cgroup cannot be entered
 * (needs Linux 5.7 and the right to write to it).
 */
export function udpConnect(ip: Uint8Array, port: number, options: UdpConnectOptions = {}): number {
	if (ip.length !== 4 && ip.length !== 16) throw new RangeError(`An address is 4 or 16 bytes, not ${ip.length}`);
	if (!Number.isInteger(port) || port < 0 || port > 0xffff) throw new RangeError(`No port: ${port}`);
	const { cgroup } = options;
	if (cgroup === undefined) return native().bffi_udp_connect(ip, ip.length, port, -1);
	const action = `connect from ${typeof cgroup === "number" ? "a cgroup" : cgroup}`;
	return withCgroup(cgroup, action, (fd) =>
		check(native().bffi_udp_connect(ip, ip.length, port, fd), { action, call: "clone3" }),
	);
}

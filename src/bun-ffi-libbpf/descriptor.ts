// A file descriptor with an owner: closed once, refused afterwards.

import { closeSync, readlinkSync } from "node:fs";
import { BpfError, errnoNumber } from "./errors.ts";
import { check, cString, failure, native } from "./native.ts";

export interface Descriptor {
	/** Throws a BpfError (EBADF) once it is closed. */
	readonly fd: number;
	/** Twice does nothing. */
	close(): void;
}

/** Takes `fd`; `what` names it in the error of a later use. */
export function own(fd: number, what: string): Descriptor {
	let open = true;
	return {
		get fd() {
			if (!open) throw closedError(what);
			return fd;
		},
		close() {
			if (!open) return;
			open = false;
			native().bffi_close(fd);
		},
	};
}

/** The error of a use after the end. */
export function closedError(what: string): BpfError {
	return new BpfError({ action: `use ${what}`, call: "close", errno: errnoNumber("EBADF"), hint: "it was closed" });
}

export type PinKind = "map" | "prog" | "link";

/** Opens what is pinned; throws unless it is of that kind. */
export function openPinned(path: string, kind: PinKind): number {
	const action = `open the pinned ${kind === "prog" ? "program" : kind} ${path}`;
	const fd = check(native().bffi_open_pinned(cString(path)), { action, call: "bpf_obj_get" });
	// anon_inode:bpf-map, anon_inode:bpf-prog, anon_inode:bpf_link or, since 5.18 or so, [bpf_link]
	const found = readlinkSync(`/proc/self/fd/${fd}`);
	if (found.includes(`bpf-${kind}`) || found.includes(`bpf_${kind}`)) return fd;
	closeSync(fd);
	throw new BpfError({ action, call: "bpf_obj_get", errno: errnoNumber("EINVAL"), hint: `it is ${found}` });
}

/** Gives it a name on a bpf file system, which keeps it alive without us. */
export function pinDescriptor(fd: number, path: string, what: string): void {
	check(native().bffi_pin(fd, cString(path)), { action: `pin ${what} to ${path}`, call: "bpf_obj_pin" });
}

/** BPF_FS_MAGIC of <linux/magic.h> */
const BPF_FS = 0xcafe4a11;

/**
 * Removes a pin; what was pinned lives on while something else holds it. Returns false if there was none. Throws EINVAL for
 * a path that is not on a bpf file system: other files are not for us to remove.
 */
export function unpin(path: string): boolean {
	const action = `unpin ${path}`;
	const type = new Uint32Array(1);
	const found = native().bffi_statfs_type(cString(path), type);
	if (found === -errnoNumber("ENOENT")) return false;
	check(found, { action, call: "statfs" });
	if (type[0] !== BPF_FS) {
		throw new BpfError({ action, call: "statfs", errno: errnoNumber("EINVAL"), hint: "not on a bpf file system" });
	}
	const result = native().bffi_unlink(cString(path));
	if (result === -errnoNumber("ENOENT")) return false;
	check(result, { action, call: "unlink" });
	return true;
}

/** `bpf_map_info` and the like. `size` bytes, what the kernel does not know is zero. */
export function readInfo(fd: number, size: number, what: string): DataView<ArrayBuffer> {
	const bytes = new Uint8Array(size);
	const result = native().bffi_info(fd, bytes, size);
	if (result < 0) throw failure(result, { action: `ask about ${what}`, call: "bpf_obj_get_info_by_fd" });
	return new DataView(bytes.buffer);
}

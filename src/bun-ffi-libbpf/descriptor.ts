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

/** Removes a pin; what was pinned lives on while something else holds it. Returns false if there was none. */
export function unpin(path: string): boolean {
	const result = native().bffi_unlink(cString(path));
	if (result === -errnoNumber("ENOENT")) return false;
	check(result, { action: `unpin ${path}`, call: "unlink" });
	return true;
}

/** `bpf_map_info` and the like. `size` bytes, what the kernel does not know is zero. */
export function readInfo(fd: number, size: number, what: string): DataView<ArrayBuffer> {
	const bytes = new Uint8Array(size);
	const result = native().bffi_info(fd, bytes, size);
	if (result < 0) throw failure(result, { action: `ask about ${what}`, call: "bpf_obj_get_info_by_fd" });
	return new DataView(bytes.buffer);
}

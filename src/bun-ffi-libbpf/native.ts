// The functions of the shared object, opened at the first call, and what every caller of them shares.

import { BpfError, type BpfFailure } from "./errors.ts";
import { type Calls, openLibrary } from "./ffi.ts";
import { hintFor } from "./hints.ts";

const SIGNATURES = {
	bffi_init: [],
	bffi_log_take: ["bytes", "u32"],
	bffi_version: ["bytes"],
	bffi_possible_cpus: [],
	bffi_close: ["i32"],
	bffi_dup: ["i32"],
	bffi_object_open: ["bytes", "u32", "bytes", "bytes"],
	bffi_object_load: ["handle"],
	bffi_object_close: ["handle"],
	bffi_object_maps: ["handle", "bytes", "u32"],
	bffi_object_programs: ["handle", "bytes", "u32"],
	bffi_object_variables: ["handle", "bytes", "bytes", "u32"],
	bffi_map_facts: ["handle", "bytes"],
	bffi_map_name: ["handle", "bytes", "u32"],
	bffi_map_pin_path: ["handle", "bytes", "u32"],
	bffi_map_set_max_entries: ["handle", "u32"],
	bffi_map_set_pin_path: ["handle", "bytes"],
	bffi_map_initial: ["handle", "bytes", "u32"],
	bffi_map_set_initial: ["handle", "bytes", "u32"],
	bffi_program_facts: ["handle", "bytes"],
	bffi_program_name: ["handle", "bytes", "u32"],
	bffi_program_section: ["handle", "bytes", "u32"],
	bffi_program_set_autoload: ["handle", "u32"],
	bffi_map_create: ["bytes", "bytes"],
	bffi_map_lookup: ["i32", "bytes", "bytes"],
	bffi_map_update: ["i32", "bytes", "bytes", "u32"],
	bffi_map_delete: ["i32", "bytes"],
	bffi_map_next_key: ["i32", "bytes", "bytes"],
	bffi_map_update_batch: ["i32", "bytes", "bytes", "bytes"],
	bffi_map_delete_batch: ["i32", "bytes", "bytes"],
	bffi_map_lookup_batch: ["i32", "bytes", "bytes", "bytes", "bytes", "bytes"],
	bffi_info: ["i32", "bytes", "u32"],
	bffi_pin: ["i32", "bytes"],
	bffi_open_pinned: ["bytes"],
	bffi_unlink: ["bytes"],
	bffi_link_create: ["i32", "i32", "u32"],
	bffi_link_update: ["i32", "i32"],
	bffi_link_detach: ["i32"],
	bffi_open_directory: ["bytes"],
	bffi_program_query: ["i32", "u32", "u32", "bytes", "bytes"],
	bffi_program_by_id: ["u32"],
	bffi_probe_program_type: ["u32"],
	bffi_probe_map_type: ["u32"],
	bffi_probe_helper: ["u32", "u32", "u32", "bytes", "u32"],
	bffi_ring_open: ["i32", "u32", "bytes"],
	bffi_ring_drain: ["handle", "bytes", "u32", "bytes"],
	bffi_ring_close: ["handle"],
	bffi_mount: ["bytes", "bytes", "bytes", "handle", "bytes"],
	bffi_umount: ["bytes", "u32"],
	bffi_flock: ["i32", "u32"],
	bffi_statfs_type: ["bytes", "bytes"],
	bffi_netns_cookie: ["bytes", "bytes"],
	bffi_udp_connect: ["bytes", "u32", "u32", "i32"],
	bffi_iterator_attach: ["i32", "i32"],
	bffi_iterator_create: ["i32"],
	bffi_iterator_read: ["i32", "bytes", "u32"],
	bffi_diag_open: ["bytes"],
	bffi_diag_send: ["i32", "bytes", "u32"],
	bffi_diag_receive: ["i32", "bytes", "u32"],
	bffi_program_run: ["i32", "bytes", "u32", "bytes", "u32", "u32", "bytes"],
} as const;

export type Native = Calls<typeof SIGNATURES>;

let opened: Native | undefined;

/** The library; one for each thread's module graph, opened when it is first needed. */
export function native(): Native {
	if (opened === undefined) {
		opened = openLibrary(SIGNATURES);
		opened.bffi_init();
	}
	return opened;
}

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

/** A C string. Throws a TypeError if the text has a NUL inside. */
export function cString(text: string): Uint8Array {
	if (text.includes("\0")) throw new TypeError(`A path or name cannot contain NUL: ${JSON.stringify(text)}`);
	return ENCODER.encode(`${text}\0`);
}

/** The number, if it is one that the kernel can take; else throws a RangeError. */
export function u32Of(what: string, value: number): number {
	if (Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff) return value;
	throw new RangeError(`${what} must be a whole number from 0 to 2^32 - 1, not ${value}`);
}

/** The text up to the first NUL. */
export function textOf(bytes: Uint8Array): string {
	const end = bytes.indexOf(0);
	return DECODER.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** Reads text of unknown length through a function that copies it only if it fits. */
export function readText(read: (out: Uint8Array, capacity: number) => number): string {
	let out = new Uint8Array(128);
	let length = read(out, out.length);
	if (length > out.length) {
		out = new Uint8Array(length);
		length = read(out, out.length);
	}
	return DECODER.decode(out.subarray(0, length));
}

/** What libbpf said since it was last asked. */
export function takeLog(): string {
	return readText((out, capacity) => native().bffi_log_take(out, capacity));
}

/** The error for a negative result. */
export function failure(result: number, facts: Omit<BpfFailure, "errno">): BpfError {
	const errno = -result;
	return new BpfError({ ...facts, errno, hint: facts.hint ?? hintFor(facts.call, errno) });
}

/** The result, unless it is negative: then throws. Not for hot paths: it takes an object each time. */
export function check(result: number, facts: Omit<BpfFailure, "errno">): number {
	if (result < 0) throw failure(result, facts);
	return result;
}

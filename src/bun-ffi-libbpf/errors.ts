// What a failing call says: the action, the errno, and what is needed.

import { constants } from "node:os";

/** Of the kernel only, not of libc: "operation not supported", as map operations answer. */
const ENOTSUPP = 524;

/** enum libbpf_errno, from 4000 on. */
const LIBBPF_NAMES = [
	"LIBELF",
	"FORMAT",
	"KVERSION",
	"ENDIAN",
	"INTERNAL",
	"RELOC",
	"LOAD",
	"VERIFY",
	"PROG2BIG",
	"KVER",
	"PROGTYPE",
	"WRNGPID",
	"INVSEQ",
	"NLPARSE",
].map((name, index): [number, string] => [4000 + index, `LIBBPF_ERRNO__${name}`]);

const NAMES: ReadonlyMap<number, string> = new Map([
	...Object.entries(constants.errno).map(([name, value]): [number, string] => [value, name]),
	// One number has two names.
	[constants.errno.EAGAIN, "EAGAIN"],
	[constants.errno.EOPNOTSUPP, "EOPNOTSUPP"],
	[ENOTSUPP, "ENOTSUPP"],
	// Not in every runtime's list.
	[67, "ENOLINK"],
	...LIBBPF_NAMES,
]);

const NUMBERS: ReadonlyMap<string, number> = new Map([...NAMES].map(([value, name]) => [name, value]));

/** `EPERM` for 1; `errno 999` for a number that has no name. */
export function errnoName(errno: number): string {
	return NAMES.get(errno) ?? `errno ${errno}`;
}

/** The number of `EPERM` and the like on this machine. */
export function errnoNumber(name: string): number {
	const value = NUMBERS.get(name);
	if (value === undefined) throw new TypeError(`No errno is named ${name}`);
	return value;
}

export interface BpfFailure {
	/** What was tried, as it stands after "Cannot ": `load sock_bpf`. */
	readonly action: string;
	/** The function that failed: `bpf_object__load`. */
	readonly call: string;
	/** Positive. */
	readonly errno: number;
	/** What would help; after the errno in brackets. */
	readonly hint?: string | undefined;
	/** What libbpf and the verifier said. */
	readonly log?: string | undefined;
	readonly cause?: unknown;
}

/** A call of libbpf, the kernel or libc that failed. */
export class BpfError extends Error {
	override readonly name = "BpfError";
	/** The function that failed: `bpf_map_update_elem`. */
	readonly call: string;
	/** Positive, as in errno(3). */
	readonly errno: number;
	/** `EPERM` for 1; libbpf's own are called as in its header, `LIBBPF_ERRNO__FORMAT`. */
	readonly code: string;
	/** libbpf's own lines of this call, with the verifier's log at a rejected program. */
	readonly log: string | undefined;

	constructor(failure: BpfFailure) {
		const code = errnoName(failure.errno);
		const fact = failure.hint === undefined ? code : `${code} (${failure.hint})`;
		const last = lastLine(failure.log);
		super(
			`Cannot ${failure.action}: ${fact}${last === undefined ? "" : `: ${last}`}`,
			failure.cause === undefined ? undefined : { cause: failure.cause },
		);
		this.call = failure.call;
		this.errno = failure.errno;
		this.code = code;
		this.log = failure.log === "" ? undefined : failure.log;
	}
}

/** The line of the verifier that names the fault stands before its statistics; else libbpf's first line. */
function lastLine(log: string | undefined): string | undefined {
	const lines = log?.split("\n").filter((line) => line.trim() !== "") ?? [];
	const end = lines.findLastIndex((line) => line.includes("END PROG LOAD LOG"));
	if (end < 0) return lines[0]?.replace(/^libbpf: /, "");
	return lines
		.slice(0, end)
		.findLast((line) => !/^(processed|verification time|stack depth|--)/.test(line.replace(/^libbpf: /, "")));
}

function hasCode(error: unknown, ...codes: readonly string[]): boolean {
	return error instanceof BpfError && codes.includes(error.code);
}

/** ENOENT: no such element, path, program or link. */
export function isNotFound(error: unknown): boolean {
	return hasCode(error, "ENOENT");
}

/** EPERM or EACCES. */
export function isPermission(error: unknown): boolean {
	return hasCode(error, "EPERM", "EACCES");
}

/** EEXIST: the element or path is there already. */
export function isExists(error: unknown): boolean {
	return hasCode(error, "EEXIST");
}

/** E2BIG or ENOSPC: the map is full, or the index is past its end. */
export function isFull(error: unknown): boolean {
	return hasCode(error, "E2BIG", "ENOSPC");
}

/** EBUSY, EAGAIN: someone else has it. */
export function isBusy(error: unknown): boolean {
	return hasCode(error, "EBUSY", "EAGAIN");
}

/** This kernel, or this kind of map, cannot do it. */
export function isNotSupported(error: unknown): boolean {
	return hasCode(error, "ENOTSUPP", "EOPNOTSUPP", "ENOSYS");
}

/** ENOLINK: the cgroup of a link was removed. */
export function isGone(error: unknown): boolean {
	return hasCode(error, "ENOLINK");
}

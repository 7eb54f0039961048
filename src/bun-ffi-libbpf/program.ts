// Programs of the kernel, whoever loaded them: what they are, and which run at a cgroup.

import { own, readInfo } from "./descriptor.ts";
import { errnoNumber, isNotFound } from "./errors.ts";
import { withCgroup } from "./link.ts";
import { check, failure, native, textOf } from "./native.ts";
import {
	ATTACH_TYPES,
	type AttachType,
	PROGRAM_TYPES,
	type ProgramType,
	typeName,
	typeNumber,
	type Unknown,
} from "./uapi.ts";

export interface ProgramInfo {
	readonly id: number;
	/** At most 15 bytes; the kernel keeps no more. */
	readonly name: string;
	/** A hash of the instructions, 16 hexadecimal digits: the same program has the same tag. */
	readonly tag: string;
	readonly type: ProgramType | Unknown;
}

/** struct bpf_prog_info up to and with the name. */
const INFO_SIZE = 80;

function readProgramInfo(fd: number): ProgramInfo {
	const view = readInfo(fd, INFO_SIZE, "a program");
	return {
		id: view.getUint32(4, true),
		name: textOf(new Uint8Array(view.buffer, 64, 16)),
		tag: Buffer.from(view.buffer, 8, 8).toString("hex"),
		type: typeName(PROGRAM_TYPES, view.getUint32(0, true)),
	};
}

/** About a program by its file descriptor, or by its id (needs CAP_SYS_ADMIN; ENOENT if it is gone). */
export function programInfo(program: { readonly fd: number } | { readonly id: number }): ProgramInfo {
	if ("fd" in program) return readProgramInfo(program.fd);
	const action = `open program ${program.id}`;
	const descriptor = own(
		check(native().bffi_program_by_id(program.id), { action, call: "bpf_prog_get_fd_by_id" }),
		action,
	);
	try {
		return readProgramInfo(descriptor.fd);
	} finally {
		descriptor.close();
	}
}

export interface AttachedProgram {
	readonly programId: number;
	/** Undefined if the program was gone when it was asked, or without the right to ask. */
	readonly name: string | undefined;
}

export interface QueryOptions {
	/** Also those of the cgroups above, in the order of their running: what really happens to this cgroup's processes. */
	readonly effective?: boolean;
}

const BPF_F_QUERY_EFFECTIVE = 1;
const NO_SPACE = -errnoNumber("ENOSPC");
/** The kernel refuses more than this many at one place (BPF_CGROUP_MAX_PROGS), but there are the cgroups above. */
const FIRST_CAPACITY = 64;

function queryIds(
	target: number,
	query: { readonly type: number; readonly flags: number; readonly action: string },
): readonly number[] {
	for (let capacity = FIRST_CAPACITY; ; capacity *= 2) {
		const ids = new Uint32Array(capacity);
		const count = new Uint32Array([capacity]);
		const result = native().bffi_program_query(target, query.type, query.flags, ids, count);
		if (result === NO_SPACE) continue;
		if (result < 0) throw failure(result, { action: query.action, call: "bpf_prog_query" });
		return [...ids.subarray(0, count[0])];
	}
}

function nameOf(programId: number): string | undefined {
	try {
		return programInfo({ id: programId }).name;
	} catch (error) {
		if (isNotFound(error)) return undefined;
		throw error;
	}
}

/** The programs at one place of a cgroup of version 2. */
export function queryCgroup(
	cgroup: string | number,
	attachType: AttachType | Unknown,
	options: QueryOptions = {},
): readonly AttachedProgram[] {
	const action = `query ${attachType} of ${typeof cgroup === "number" ? "a cgroup" : cgroup}`;
	const query = {
		type: typeNumber(ATTACH_TYPES, attachType),
		flags: options.effective ? BPF_F_QUERY_EFFECTIVE : 0,
		action,
	};
	const ids = withCgroup(cgroup, action, (target) => queryIds(target, query));
	return ids.map((programId) => ({ programId, name: nameOf(programId) }));
}

export interface RunOptions {
	/** A packet, for types that take one; comes back as the program left it. */
	readonly data?: Uint8Array;
	/** The context, for types that take one (`syscall`); changed in place. */
	readonly context?: Uint8Array;
	/** How many times, to measure; 1 if left out. Not for `syscall`. */
	readonly repeat?: number;
}

export interface RunResult {
	/** What the program returned. */
	readonly returned: number;
	/** The packet as the program left it; empty if there was none. */
	readonly data: Uint8Array;
	/** Nanoseconds of one run, on average. */
	readonly nanoseconds: number;
}

/** Runs a program once on made-up input (BPF_PROG_RUN), for the types that can: syscall, xdp, sched_cls and others. */
export function runProgram(programFd: number, options: RunOptions = {}): RunResult {
	// The kernel writes back what the program left: never into the caller's packet, and never past it.
	const data = new Uint8Array(options.data ?? []);
	const { context, repeat = 0 } = options;
	const out = new Uint32Array(3);
	const result = native().bffi_program_run(
		programFd,
		data.length === 0 ? null : data,
		data.length,
		context ?? null,
		context?.length ?? 0,
		repeat,
		out,
	);
	check(result, { action: "run the program", call: "bpf_prog_test_run_opts" });
	const [returned = 0, size = 0, nanoseconds = 0] = out;
	return { returned, data: data.subarray(0, size), nanoseconds };
}

// What this kernel can do.

import { readFileSync } from "node:fs";
import { release } from "node:os";
import { BpfError, errnoNumber } from "./errors.ts";
import { check, failure, native, textOf } from "./native.ts";
import {
	ATTACH_TYPES,
	type AttachType,
	MAP_TYPES,
	type MapType,
	PROGRAM_TYPES,
	type ProgramType,
	typeNumber,
} from "./uapi.ts";

const CAP_SYS_ADMIN = 21n;
const CAP_BPF = 39n;

/** Without the right to load, the kernel's answer to a probe says nothing about the kernel. */
function requireRight(action: string, call: string): void {
	const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
	const set = BigInt(`0x${effective ?? "0"}`);
	if ((set & ((1n << CAP_SYS_ADMIN) | (1n << CAP_BPF))) !== 0n) return;
	throw new BpfError({
		action,
		call,
		errno: errnoNumber("EPERM"),
		hint: "needs CAP_BPF; kernels before 5.8: CAP_SYS_ADMIN",
	});
}

/** To load these takes more than a type: a kernel function, another program. */
const NEEDS_MORE: ReadonlySet<ProgramType> = new Set<ProgramType>(["tracing", "ext", "lsm", "struct_ops"]);

function requireProbable(type: ProgramType, action: string, call: string): void {
	if (!NEEDS_MORE.has(type)) return;
	throw new BpfError({ action, call, errno: errnoNumber("EOPNOTSUPP"), hint: "such programs need more than a type" });
}

/** Whether programs of this type can be loaded. Throws EOPNOTSUPP for tracing, ext, lsm and struct_ops. */
export function probeProgramType(type: ProgramType): boolean {
	const action = `probe program type ${type}`;
	const call = "libbpf_probe_bpf_prog_type";
	requireProbable(type, action, call);
	requireRight(action, call);
	return check(native().bffi_probe_program_type(typeNumber(PROGRAM_TYPES, type)), { action, call }) === 1;
}

/** Whether maps of this type can be created. */
export function probeMapType(type: MapType): boolean {
	const action = `probe map type ${type}`;
	const call = "libbpf_probe_bpf_map_type";
	requireRight(action, call);
	return check(native().bffi_probe_map_type(typeNumber(MAP_TYPES, type)), { action, call }) === 1;
}

/** Where a type of program is loaded for one of several places, the first of them. */
const FIRST_ATTACH_TYPE: Readonly<Partial<Record<ProgramType, AttachType>>> = {
	cgroup_sock_addr: "cgroup_inet4_connect",
	cgroup_sockopt: "cgroup_getsockopt",
	sk_lookup: "sk_lookup",
};

/** The verifier's words about a helper that is unknown, or not for this type (the third ones since Linux 6.11). */
const REFUSALS = /invalid func |unknown func |program of this type cannot use helper /;

/**
 * Whether programs of this type may call a helper, by its number in enum bpf_func_id. Some helpers are for some attach
 * types only. False too if the kernel lacks the type itself. Throws EOPNOTSUPP for tracing, ext, lsm and struct_ops.
 */
export function probeHelper(
	programType: ProgramType,
	helperId: number,
	attachType: AttachType = FIRST_ATTACH_TYPE[programType] ?? "cgroup_inet_ingress",
): boolean {
	const action = `probe helper ${helperId} of ${programType}`;
	const call = "bpf_prog_load";
	requireProbable(programType, action, call);
	requireRight(action, call);
	const [type, attach] = [typeNumber(PROGRAM_TYPES, programType), typeNumber(ATTACH_TYPES, attachType)];
	const log = new Uint8Array(4096);
	const result = native().bffi_probe_helper(type, attach, helperId, log, log.length);
	const words = textOf(log);
	if (REFUSALS.test(words)) return false;
	// That far the verifier only comes if it has accepted the call.
	if (result >= 0 || words !== "") return true;
	if (result === -errnoNumber("EINVAL")) return false;
	throw failure(result, { action, call });
}

export interface KernelVersion {
	readonly major: number;
	readonly minor: number;
	readonly patch: number;
}

/** Of the running kernel, as uname(2) names it. Distributions carry newer features to old numbers: probe where possible. */
export function kernelVersion(): KernelVersion {
	const [, major, minor, patch] = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(release()) ?? [];
	return { major: Number(major ?? 0), minor: Number(minor ?? 0), patch: Number(patch ?? 0) };
}

/** Of the libbpf inside, `1.1`. */
export function libbpfVersion(): string {
	const words = new Uint32Array(2);
	native().bffi_version(words);
	return words.join(".");
}

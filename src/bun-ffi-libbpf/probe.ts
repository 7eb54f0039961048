// What this kernel can do.

import { readFileSync } from "node:fs";
import { release } from "node:os";
import { BpfError, errnoNumber } from "./errors.ts";
import { check, native } from "./native.ts";
import { MAP_TYPES, type MapType, PROGRAM_TYPES, type ProgramType, typeNumber } from "./uapi.ts";

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

/** Whether programs of this type can be loaded. Throws EOPNOTSUPP for types that need more than a type: tracing, ext, lsm, struct_ops. */
export function probeProgramType(type: ProgramType): boolean {
	const action = `probe program type ${type}`;
	const call = "libbpf_probe_bpf_prog_type";
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

/**
 * Whether programs of this type may call a helper, by its number in enum bpf_func_id. Throws EOPNOTSUPP for the types
 * that probeProgramType cannot probe. False too if the type itself is missing.
 */
export function probeHelper(programType: ProgramType, helperId: number): boolean {
	const action = `probe helper ${helperId} of ${programType}`;
	if (!probeProgramType(programType)) return false;
	const result = native().bffi_probe_helper(typeNumber(PROGRAM_TYPES, programType), helperId);
	return check(result, { action, call: "libbpf_probe_bpf_helper" }) === 1;
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

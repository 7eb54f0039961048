// What errors say, and what the predicates know.

import { describe, expect, test } from "bun:test";
import {
	BpfError,
	errnoName,
	errnoNumber,
	isBusy,
	isExists,
	isFull,
	isGone,
	isNotFound,
	isNotSupported,
	isPermission,
} from "./mod.ts";

function errorWith(code: string): BpfError {
	return new BpfError({ action: "try", call: "test", errno: errnoNumber(code) });
}

describe("errnoName(), errnoNumber()", () => {
	test.each([
		[1, "EPERM"],
		[2, "ENOENT"],
		[11, "EAGAIN"],
		[67, "ENOLINK"],
		[95, "EOPNOTSUPP"],
		[111, "ECONNREFUSED"],
		[524, "ENOTSUPP"],
		[4001, "LIBBPF_ERRNO__FORMAT"],
	])("%d is %s", (value, name) => {
		expect(errnoName(value)).toBe(name);
		expect(errnoNumber(name)).toBe(value);
	});

	test("a number without a name is shown as it is", () => {
		expect(errnoName(9999)).toBe("errno 9999");
		expect(() => errnoNumber("ENONSENSE")).toThrow(TypeError);
	});
});

describe("BpfError", () => {
	test("says what was tried, the errno, and what is needed", () => {
		const cause = new Error("below");
		const error = new BpfError({
			action: "pin map x to /y",
			call: "bpf_obj_pin",
			errno: 1,
			hint: "needs CAP_BPF",
			cause,
		});
		expect(error.message).toBe("Cannot pin map x to /y: EPERM (needs CAP_BPF)");
		expect(error).toMatchObject({ name: "BpfError", call: "bpf_obj_pin", errno: 1, code: "EPERM", cause });
		expect(error.log).toBeUndefined();
		expect(error).toBeInstanceOf(Error);
	});

	test("takes the line that names the fault out of a verifier's log", () => {
		const log = [
			"libbpf: prog 'x': BPF program load failed: Permission denied",
			"libbpf: prog 'x': -- BEGIN PROG LOAD LOG --",
			"0: R1=ctx() R10=fp0",
			"0: (61) r0 = *(u32 *)(r1 +400)",
			"invalid bpf_context access off=400 size=4",
			"processed 1 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0",
			"-- END PROG LOAD LOG --",
			"libbpf: prog 'x': failed to load: -13",
			"",
		].join("\n");
		const error = new BpfError({ action: "load x", call: "bpf_object__load", errno: 13, log });
		expect(error.message).toBe("Cannot load x: EACCES: invalid bpf_context access off=400 size=4");
		expect(error.log).toBe(log);
	});

	test("takes the first line of another log, and none of an empty one", () => {
		const log = "libbpf: elf: 'x' is broken\nlibbpf: more\n";
		expect(new BpfError({ action: "open x", call: "c", errno: 22, log }).message).toBe(
			"Cannot open x: EINVAL: elf: 'x' is broken",
		);
		const quiet = new BpfError({ action: "open x", call: "c", errno: 22, log: "" });
		expect(quiet.message).toBe("Cannot open x: EINVAL");
		expect(quiet.log).toBeUndefined();
	});
});

describe("predicates", () => {
	const cases: readonly (readonly [string, (error: unknown) => boolean, readonly string[]])[] = [
		["isNotFound", isNotFound, ["ENOENT"]],
		["isPermission", isPermission, ["EPERM", "EACCES"]],
		["isExists", isExists, ["EEXIST"]],
		["isFull", isFull, ["E2BIG", "ENOSPC"]],
		["isBusy", isBusy, ["EBUSY", "EAGAIN"]],
		["isNotSupported", isNotSupported, ["ENOTSUPP", "EOPNOTSUPP", "ENOSYS"]],
		["isGone", isGone, ["ENOLINK"]],
	];
	const all = cases.flatMap(([, , codes]) => codes);

	test.each(cases)("%s() knows its errors only", (_, predicate, codes) => {
		for (const code of all) expect(predicate(errorWith(code))).toBe(codes.includes(code));
		expect(predicate(Object.assign(new Error("of node"), { code: codes[0] }))).toBe(false);
		expect(predicate(undefined)).toBe(false);
	});
});

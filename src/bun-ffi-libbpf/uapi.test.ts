// The names of types against this machine's <linux/bpf.h>.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { ATTACH_TYPES, MAP_TYPES, PROGRAM_TYPES, typeName, typeNumber } from "./uapi.ts";

/** The enumerators of <linux/bpf.h>, as this machine's headers have them. */
function enumerators(name: string, prefix: string): readonly string[] {
	const header = readFileSync("/usr/include/linux/bpf.h", "utf8").replaceAll(/\/\*[\s\S]*?\*\//g, "");
	const body = new RegExp(`enum ${name} \\{([^}]*)\\}`).exec(header)?.[1];
	if (body === undefined) throw new Error(`No enum ${name}`);
	return body
		.split(",")
		.map((line) => line.trim())
		.filter((line) => line !== "" && !line.startsWith("__MAX") && !line.includes("="))
		.map((line) => line.replace(prefix, "").toLowerCase());
}

describe("the names of types", () => {
	test.each([
		["bpf_map_type", "BPF_MAP_TYPE_", MAP_TYPES],
		["bpf_prog_type", "BPF_PROG_TYPE_", PROGRAM_TYPES],
		["bpf_attach_type", "BPF_", ATTACH_TYPES],
	] as const)("are those of the kernel's enum %s", (name, prefix, names) => {
		const header = enumerators(name, prefix);
		expect(header.length).toBeGreaterThan(30);
		// Newer headers gave two map types a second name with the first one's number.
		const known = header.map((each) => each.replace(/^(cgroup_storage|percpu_cgroup_storage)_deprecated$/, "$1"));
		const shared = Math.min(known.length, names.length);
		expect(known.slice(0, shared)).toEqual(names.slice(0, shared));
	});

	test("go to numbers and back", () => {
		expect(typeNumber(ATTACH_TYPES, "cgroup_inet4_connect")).toBe(10);
		expect(typeName(ATTACH_TYPES, 10)).toBe("cgroup_inet4_connect");
		expect(typeName(MAP_TYPES, 999)).toBe("type 999");
		expect(typeNumber(MAP_TYPES, "type 999")).toBe(999);
		expect(() => typeNumber(MAP_TYPES, "nonsense")).toThrow("No such type: nonsense");
	});
});

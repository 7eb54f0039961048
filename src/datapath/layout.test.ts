// Holds layout.ts to bpf/types.h, by what the compiler says of it, not by what we read in it.

import { describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Btf, BtfStruct } from "../../test/support/btf.ts";
import { readBtf } from "../../test/support/btf.ts";
import { AFFINITIES, CAPACITY, GUARDS } from "./capacity.ts";
import type { StructName } from "./layout.ts";
import {
	ADDRESS_FLAGS,
	ADDRESS_NUMBERS,
	ENUMS,
	FLOW_FLAGS,
	FRONTEND_FLAGS,
	FRONTEND_NUMBERS,
	GUARD_NUMBERS,
	layoutOf,
	offsetOf,
	RULE_NUMBERS,
	STRUCTS,
	sizeOf,
} from "./layout.ts";

const BPF = join(import.meta.dir, "../../bpf");
const BUILT = join(import.meta.dir, "../../dist/bpf/sock.bpf.o");
const structNames = Object.keys(STRUCTS) as StructName[];

/** Flags, and numbers in flags, by the names of their macros. */
const MACROS: ReadonlyMap<string, number> = new Map([
	...named("FRONTEND", { ...FRONTEND_FLAGS, ...FRONTEND_NUMBERS }),
	...named("ADDRESS", { ...ADDRESS_FLAGS, ...ADDRESS_NUMBERS }),
	...named("FLOW", FLOW_FLAGS),
	...named("RULE", RULE_NUMBERS),
	...named("GUARD", GUARD_NUMBERS),
]);
const compiled = compileTypes();
// The programs use no struct but these; the object exists once `bun run build` has run.
const built = existsSync(BUILT) ? readBtf(readFileSync(BUILT)) : undefined;

describe("types.h alone", () => {
	test.each(structNames)("layoutOf(%s) is what clang makes of it", (name) => {
		expect(ours(name)).toEqual(theirs(compiled, name));
	});

	test("STRUCTS has every struct of types.h, and no other", () => {
		const declared = [...readTypesHeader().matchAll(/^struct (\w+) \{/gm)].map((match) => match[1]);
		expect(declared.length).toBeGreaterThan(5);
		expect(declared.sort()).toEqual([...structNames].sort());
	});

	test.each(Object.keys(ENUMS))("ENUMS.%s is what clang makes of it", (name) => {
		const ours: Record<string, number> = ENUMS[name as keyof typeof ENUMS];
		expect(ours).toEqual(Object.fromEntries(compiled.enums.get(name) ?? []));
	});

	test.each([...MACROS])("%s is the macro's value", (macro, value) => {
		expect(compiled.enums.get("macros")?.get(`THE_${macro}`)).toBe(value);
	});

	test("MACROS has every flag that types.h defines", () => {
		const defined = [...readTypesHeader().matchAll(/^#define ((?:FRONTEND|ADDRESS|FLOW|RULE|GUARD)_\w+) /gm)];
		expect(defined.map((match) => match[1] ?? "").sort()).toEqual([...MACROS.keys()].sort());
	});
});

const why = built === undefined ? " (skipped: bun run build makes it)" : "";
describe.skipIf(built === undefined)(`dist/bpf/sock.bpf.o${why}`, () => {
	const used = structNames.filter((name) => built?.structs.has(name));

	test("it has the structs that its maps are made of", () => {
		expect(used).toEqual(expect.arrayContaining(["frontend_key", "frontend", "slot", "backend", "frontend_name"]));
	});

	test.each(used)("layoutOf(%s) is what the programs have", (name) => {
		expect(ours(name)).toEqual(theirs(built, name));
	});
});

test.each(["frontends", "backends", "slots", "addresses"] as const)("CAPACITY.%s is what maps.h declares", (name) => {
	// Ids begin at 1: their maps have one element more.
	expect(maxEntriesOf(name)).toBe(CAPACITY[name] + (name === "frontends" || name === "backends" ? 1 : 0));
});

test.each([
	["affinities", AFFINITIES],
	["guards", GUARDS],
])("of %s there is room for what maps.h declares", (name, room) => {
	expect(maxEntriesOf(name)).toBe(room);
});

test("struct backend begins as struct frontend_key: codec.ts has one encoder for both", () => {
	expect(offsetOf("backend", "port")).toBe(offsetOf("frontend_key", "port"));
	expect(offsetOf("backend", "protocol")).toBe(offsetOf("frontend_key", "protocol"));
	expect(sizeOf("backend")).toBeGreaterThanOrEqual(sizeOf("frontend_key"));
});

test("struct frontend begins with its key", () => {
	expect(offsetOf("frontend", "key")).toBe(0);
});

function maxEntriesOf(map: string): number {
	const header = readFileSync(join(BPF, "maps.h"), "utf8");
	return Number(new RegExp(`max_entries, (\\d+)\\);[^}]*\\} ${map} SEC`).exec(header)?.[1]);
}

function named(prefix: string, flags: Readonly<Record<string, number>>): readonly (readonly [string, number])[] {
	return Object.entries(flags).map(([name, value]) => [`${prefix}_${name}`, value] as const);
}

function ours(name: StructName): BtfStruct {
	const { size, fields } = layoutOf(name);
	const lengths = new Map<string, number | undefined>(STRUCTS[name].map((field) => [field[0], field[2]]));
	const members = [...fields].map(([field, { type, offset }]) => ({
		name: field,
		type,
		length: lengths.get(field),
		offset,
	}));
	return { size, members };
}

function theirs(btf: Btf | undefined, name: string): BtfStruct {
	const found = btf?.structs.get(name);
	if (found === undefined) throw new Error(`Cannot find struct ${name} in BTF`);
	return found;
}

function readTypesHeader(): string {
	return readFileSync(join(BPF, "types.h"), "utf8");
}

/** A variable of each type puts the type into BTF; the macro comes as an enum. */
function compileTypes(): Btf {
	const folder = mkdtempSync(join(tmpdir(), "balancing-layout-"));
	try {
		const source = join(folder, "types.c");
		const object = join(folder, "types.o");
		const variables = [
			...structNames.map((name) => `struct ${name} the_${name};`),
			...Object.keys(ENUMS).map((name) => `enum ${name} an_${name};`),
			`enum macros { ${[...MACROS.keys()].map((macro) => `THE_${macro} = ${macro}`).join(", ")} } macros;`,
		];
		writeFileSync(source, `#include "${BPF}/types.h"\n${variables.join("\n")}\n`);
		const asm = `/usr/include/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`;
		const command = ["clang", "--target=bpf", "-g", "-O2", "-idirafter", asm, "-c", source, "-o", object];
		const { exitCode, stderr } = Bun.spawnSync(command);
		if (exitCode !== 0) throw new Error(`Cannot compile types.h: ${stderr}`);
		return readBtf(readFileSync(object));
	} finally {
		rmSync(folder, { recursive: true });
	}
}

// The law of the house holds, and the check of it finds what breaks it.

import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { findStrangers, findViolations, type SourceFile } from "./support/architecture.ts";
import { codeOf, importsOf } from "./support/source_text.ts";

const TOP = `${import.meta.dir}/..`;

function readSources(): readonly SourceFile[] {
	return ["src", "bpf", "scripts", "test", ".ci", ".githooks"]
		.flatMap((folder) =>
			[...new Bun.Glob("**/*").scanSync({ cwd: `${TOP}/${folder}` })].map((file) => `${folder}/${file}`),
		)
		.filter((path) => !/\/(?:node_modules|dist)\//.test(path))
		.map((path) => ({ path, text: readFileSync(`${TOP}/${path}`, "utf8") }))
		.filter(({ path, text }) => /\.(?:ts|c|h)$/.test(path) || text.startsWith("#!"))
		.sort((a, b) => (a.path < b.path ? -1 : 1));
}

test("the house keeps its law", () => {
	const sources = readSources();
	// The search itself must not come back empty.
	for (const path of [
		"src/main.ts",
		"src/model/address.ts",
		"bpf/types.h",
		"scripts/setup",
		"test/architecture.test.ts",
	]) {
		expect(sources.map((source) => source.path)).toContain(path);
	}
	expect(findViolations(sources)).toEqual([]);
});

test("nothing else is at the top", () => {
	const installed = ["node_modules", "dist"];
	expect(findStrangers(readdirSync(TOP).filter((entry) => !installed.includes(entry)))).toEqual([]);
	expect(findStrangers(["src", ".gitignore", "notes.md", "Makefile"])).toEqual(["notes.md", "Makefile"]);
});

test.each([
	["src/plan/a.ts", 'import { Ip } from "../model/address.ts";', []],
	["src/plan/a.ts", 'import type { Ip } from "../hub/a.ts";', ["imports hub (plan may: model, lib)"]],
	[
		"src/plan/a.ts",
		'import {\n\ttype A,\n\tB,\n} from "../datapath/maps.ts";',
		["imports datapath (plan may: model, lib)"],
	],
	["src/plan/deep/a.ts", 'export { a } from "../../agent/a.ts";', ["imports agent (plan may: model, lib)"]],
	["src/plan/a.test.ts", 'import { a } from "../hub/a.ts";', ["imports hub (plan may: model, lib)"]],
	["src/plan/a.ts", 'import { join } from "node:path";', ["imports node:path into the plan"]],
	["src/plan/a.test.ts", 'import { join } from "node:path";', []],
	["src/plan/a.ts", "const created = Date.parse(text);", []],
	["src/plan/a.ts", "const now = Date.now();", ["is not pure: Date"]],
	["src/plan/a.ts", "const now = Math.random();", ["is not pure: Math.random"]],
	["src/plan/a.ts", "export async function f() {}", ["is not pure: async"]],
	["src/plan/a.ts", "console.log(1);", ["is not pure: console"]],
	["src/plan/a.ts", 'const Dated = "Date"; // Date\n/* await */', []],
	["src/lib/a.ts", 'import { a } from "../model/a.ts";', ["imports model (lib may: nothing)"]],
	["src/lib/a.ts", 'const a = await import("../model/a.ts");', ["imports model (lib may: nothing)"]],
	["src/lib/a.ts", 'import "../model/a.ts";', ["imports model (lib may: nothing)"]],
	["src/lib/a.ts", "// import { a } from '../model/a.ts';", []],
	["src/lib/a.ts", "const text = `import { a } from '../model/a.ts'`;", []],
	["src/model/a.ts", 'import { a } from "bun-ffi-libbpf";', ["imports bun-ffi-libbpf (model may: lib)"]],
	["src/datapath/a.ts", 'import { a } from "bun-ffi-libbpf";', []],
	[
		"src/datapath/a.ts",
		'import { a } from "../bun-ffi-libbpf/map.ts";',
		["reaches into bun-ffi-libbpf instead of importing the package"],
	],
	["src/bun-ffi-libbpf/a.ts", 'import { a } from "../lib/a.ts";', ["imports lib (bun-ffi-libbpf may: nothing)"]],
	["src/bun-ffi-libbpf/a.ts", 'import { dlopen } from "bun:ffi";', []],
	["src/datapath/a.ts", 'import { dlopen } from "bun:ffi";', ["imports bun:ffi"]],
	["src/datapath/a.test.ts", 'import { dlopen } from "bun:ffi";', ["imports bun:ffi"]],
	["src/datapath/a.test.ts", 'import { test } from "bun:test";', []],
	["src/datapath/a.ts", 'import { $ } from "bun";', ["imports bun, which only Bun has"]],
	["src/datapath/a.ts", "Bun.gc(true);", ["uses Bun, which only Bun has"]],
	["src/datapath/a.ts", 'import object from "../../dist/bpf/a.bpf.o" with { type: "file" };', []],
	["src/datapath/a.ts", 'import { a } from "../../scripts/a.ts";', ["imports scripts/a.ts, outside src/"]],
	["src/datapath/a.test.ts", 'import { a } from "../../test/support/a.ts";', []],
	["src/agent/a.ts", 'import { a } from "../cli/a.ts";', [/^imports cli/]],
	["src/agent/a.ts", 'import { a } from "../config.ts";', []],
	["src/hub/a.ts", 'import { a } from "../config/schema.ts";', ["imports config (hub may: model, lib)"]],
	["src/config/a.ts", "const home = process.env.HOME;", ["reads process.env"]],
	["src/hub/a.ts", 'import { a } from "../config.ts";', ["imports config (hub may: model, lib)"]],
	["src/cli/a.ts", "const home = process.env.HOME;", ["reads process.env"]],
	["src/cli/a.ts", 'import { env } from "node:process";', ["reads process.env"]],
	["src/config.ts", "const home = process.env.HOME;", []],
	["src/new/a.ts", "", ["is in new, for which there is no law"]],
	["src/cli/a.ts", "export default function f() {}", ["exports a default"]],
	["scripts/a.ts", "export { f as default };", ["exports a default"]],
	["src/cli/a.ts", "const a = 1;\n".repeat(298), []],
	["src/cli/a.ts", "const a = 1;\n".repeat(299), ["has 301 lines (300 at most)"]],
	["src/cli/a.test.ts", "const a = 1;\n".repeat(299), []],
	["src/cli/map_helper.ts", "", ["is named helper, which says nothing"]],
	["src/cli/data.ts", "", ["is named data, which says nothing"]],
	["src/bun-ffi-libbpf/object_data.ts", "", []],
	["src/bun-ffi-libbpf/ffi.ts", "Bun.gc(true);", []],
	["src/bun-ffi-libbpf/test/support.ts", "Bun.gc(true);", []],
	["src/cli/util/a.ts", "", ["is named util, which says nothing"]],
] as const)("findViolations() of %s with %j", (path, code, expected) => {
	const found = findViolations([{ path, text: `// A file.\n\n${code}` }]);
	expect(found.length).toBe(expected.length);
	for (const [number, what] of expected.entries()) {
		if (typeof what === "string") expect(found[number]).toBe(`${path}: ${what}`);
		else expect(found[number]?.slice(path.length + 2)).toMatch(what);
	}
});

test.each([
	["src/lib/a.ts", "// A file.\n\nconst a = 1;", true],
	["src/main.ts", "#!/usr/bin/env bun\n// A file.\n", true],
	["src/lib/a.ts", "const a = 1;", false],
	["src/lib/a.ts", "// One\n// two.\n", false],
	["src/lib/a.ts", "\n// Late.\n", false],
	["bpf/a.h", "/* SPDX-License-Identifier: Apache-2.0 */\n/* A file. */\n", true],
	["bpf/a.h", "/* SPDX-License-Identifier: Apache-2.0 */\n#pragma once\n", false],
	["scripts/a", "#!/bin/bash\n# A script.\n", true],
	["scripts/a", "#!/bin/bash\nset -e\n", false],
] as const)("findViolations() of %s that opens with %j: well is %p", (path, text, well) => {
	expect(findViolations([{ path, text }]).length).toBe(well ? 0 : 1);
});

test("importsOf() sees what Bun's scanner sees, in every source file", () => {
	const scanner = new Bun.Transpiler({ loader: "ts" });
	for (const { path, text } of readSources().filter((source) => source.path.endsWith(".ts"))) {
		const scanned = scanner.scanImports(text.replace(/^#!.*/, "")).map((found) => found.path);
		expect({ path, imports: importsOf(text) }).toEqual({ path, imports: expect.arrayContaining(scanned) });
	}
});

test.each([
	['const a = /"/; // "\nprocess.env', "process.env"],
	["const a = b / c; const d = 'process.env'; e / f", "e / f"],
	["const a = `x $" + "{process.env.A} y`", "process.env.A"],
])("codeOf(%j) keeps %j", (text, kept) => {
	expect(codeOf(text)).toContain(kept);
});

// What the built shared object needs and exports, and when it is built.

import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { needs } from "./build.ts";

const DIST = join(import.meta.dirname, "dist");
const LIBRARY = join(DIST, `libbpf-linux-${process.arch}.so`);

/** As sort -V. */
function newest(versions: readonly string[]): string {
	return versions.toSorted((left, right) => left.localeCompare(right, "en", { numeric: true })).at(-1) ?? "";
}

describe("the shared object", () => {
	test("needs libc only, and none newer than 2.17", () => {
		const { libraries, glibc } = needs(LIBRARY);
		expect(libraries.filter((name) => !/^ld-linux/.test(name))).toEqual(["libc.so.6"]);
		expect(glibc.length).toBeGreaterThan(0);
		expect(newest([...glibc, "2.17"])).toBe("2.17");
	});

	test("exports exactly the functions that native.ts names", () => {
		const source = readFileSync(join(import.meta.dirname, "../native.ts"), "utf8");
		const named = [...source.matchAll(/^\t(bffi_\w+): \[/gm)].map((hit) => hit[1] ?? "").sort();
		expect(named.length).toBeGreaterThan(40);
		expect(needs(LIBRARY).exports).toEqual(named);
	});

	test("is not built again when nothing changed", () => {
		const before = readFileSync(LIBRARY);
		const { stdout, exitCode } = Bun.spawnSync([process.execPath, join(import.meta.dirname, "build.ts")]);
		expect(stdout.toString()).toBe(`libbpf-linux-${process.arch}.so is up to date\n`);
		expect(exitCode).toBe(0);
		expect(readFileSync(LIBRARY).equals(before)).toBe(true);
	});

	test("says what was linked in", () => {
		const { versions } = JSON.parse(readFileSync(join(DIST, `libbpf-linux-${process.arch}.json`), "utf8"));
		expect(Object.keys(versions)).toEqual(["libbpf", "elfutils", "zlib"]);
		expect(versions.libbpf).toMatch(/^\d+:?\d*\.\d/);
	});
});

describe("build.ts", () => {
	test.each([
		[["--target", "windows"], "Cannot build for windows: choose one of linux-x64, linux-arm64"],
		[["--sources", "/etc", "--force"], "Cannot use /etc: no sources of libbpf, elfutils, zlib in it"],
	])("refuses %p with a reason", (parameters, message) => {
		const command = [process.execPath, join(import.meta.dirname, "build.ts"), ...parameters];
		const { stderr, exitCode } = Bun.spawnSync(command);
		expect(stderr.toString()).toContain(message);
		expect(exitCode).toBe(1);
		expect(existsSync(LIBRARY)).toBe(true);
	});
});

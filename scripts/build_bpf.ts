// Compiles bpf/*.bpf.c to dist/bpf/*.bpf.o, if anything changed since the last time.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./run.ts";

/** One little-endian object serves x64 and arm64; the machine's headers only give types of the kernel's interface. */
const COMPILE = [
	"clang",
	"--target=bpf",
	// v3 (ALU32, JMP32) is in every kernel since 5.1, and refuses atomics with a result, which need 5.12.
	"-mcpu=v3",
	"-O2",
	// Debug information is where BTF comes from: map definitions need it, and so does layout.test.ts.
	"-g",
	"-Wall",
	"-Wextra",
	"-Werror",
	// The same object whatever folder the sources are in.
	"-ffile-prefix-map=./=",
	"-fdebug-compilation-dir=.",
];

/** Compiles all programs; returns those that were not up to date. Throws with the compiler's words. */
export async function buildPrograms(): Promise<readonly string[]> {
	const files = readdirSync("bpf").sort();
	const sources = files.filter((file) => file.endsWith(".bpf.c"));
	if (sources.length === 0) throw new Error("Cannot build programs: no bpf/*.bpf.c in this folder");
	mkdirSync("dist/bpf", { recursive: true });
	const flags = [...COMPILE, ...includeFlags()];
	const stamp = await describe(files, flags);
	const built: string[] = [];
	for (const source of sources) {
		const name = source.slice(0, -".c".length);
		const object = `dist/bpf/${name}.o`;
		const stampFile = `dist/bpf/${name}.stamp`;
		if (existsSync(object) && existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) continue;
		await compile(flags, join("bpf", source), object);
		writeFileSync(stampFile, stamp);
		built.push(object);
	}
	return built;
}

async function compile(flags: readonly string[], source: string, object: string): Promise<void> {
	// A temporary name, so that nobody ever reads half an object.
	const temporary = `${object}.${process.pid}`;
	await must(`compile ${source}`, [...flags, "-c", source, "-o", temporary]);
	// DWARF goes, BTF stays.
	await must(`strip ${object}`, ["llvm-strip", "--strip-debug", temporary]);
	renameSync(temporary, object);
}

/** Where Debian keeps <asm/types.h>: clang does not look there for the target bpf. */
function includeFlags(): readonly string[] {
	const triple = process.arch === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
	const folder = `/usr/include/${triple}`;
	return existsSync(folder) ? ["-idirafter", folder] : [];
}

async function describe(files: readonly string[], flags: readonly string[]): Promise<string> {
	const hash = createHash("sha256");
	hash.update(await must("ask clang for its version", ["clang", "--version"]));
	hash.update(JSON.stringify(flags));
	for (const file of files)
		hash
			.update(`${file}\0`)
			.update(readFileSync(join("bpf", file)))
			.update("\0");
	return hash.digest("hex");
}

async function must(action: string, command: readonly string[]): Promise<string> {
	const { code, output } = await run(command);
	if (code !== 0) throw new Error(`Cannot ${action}: exit code ${code}\n${output.trimEnd()}`);
	return output;
}

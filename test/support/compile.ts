// The C programs that tests run, compiled once for what their sources are.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { basename, join } from "node:path";
import { must } from "./command.ts";

const ROOT = join(import.meta.dir, "../..");
const WARNINGS = ["-O2", "-Wall", "-Wextra", "-Werror"];
const HEADERS = [
	...["crowd.h", "endpoint.h", "exchange.h", "storm.h"].map((name) => join(ROOT, "test/support", name)),
	...["proxies.h", "proxies_session.h"].map((name) => join(ROOT, "test/bench", name)),
];

/** The path of the executable that `source` (from the top of the repository) makes. */
export function compiled(source: string): string {
	return compile(source, ["clang", "-pthread", ...WARNINGS], HEADERS);
}

/** The path of the object of eBPF programs that `source` makes. */
export function compiledPrograms(source: string): string {
	const triple = process.arch === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
	return compile(
		source,
		["clang", "--target=bpf", "-g", ...WARNINGS, "-idirafter", `/usr/include/${triple}`, "-c"],
		[],
	);
}

function compile(source: string, command: readonly string[], headers: readonly string[]): string {
	const hash = createHash("sha256").update(command.join(" "));
	for (const file of [join(ROOT, source), ...headers]) hash.update(readFileSync(file));
	const folder = join(ROOT, "dist/test");
	const path = join(folder, `${basename(source, ".c")}-${hash.digest("hex").slice(0, 16)}`);
	if (existsSync(path)) return path;
	mkdirSync(folder, { recursive: true });
	// A name of its own first: another process may want the same thing at this moment.
	const temporary = `${path}.${process.pid}`;
	must(...command, "-o", temporary, join(ROOT, source));
	renameSync(temporary, path);
	return path;
}

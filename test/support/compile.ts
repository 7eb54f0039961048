// The C programs that tests run, compiled once for what their sources are.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { basename, join } from "node:path";
import { must } from "./command.ts";

const ROOT = join(import.meta.dir, "../..");
const COMPILE = ["clang", "-O2", "-Wall", "-Wextra", "-Werror"];
const HEADERS = ["endpoint.h", "exchange.h", "storm.h"].map((name) => join(import.meta.dir, name));

/** The path of the executable that `source` (from the top of the repository) makes. */
export function compiled(source: string): string {
	const hash = createHash("sha256").update(COMPILE.join(" "));
	for (const file of [join(ROOT, source), ...HEADERS]) hash.update(readFileSync(file));
	const folder = join(ROOT, "dist/test");
	const path = join(folder, `${basename(source, ".c")}-${hash.digest("hex").slice(0, 16)}`);
	if (existsSync(path)) return path;
	mkdirSync(folder, { recursive: true });
	// A name of its own first: another process may want the same program at this moment.
	const temporary = `${path}.${process.pid}`;
	must(...COMPILE, "-o", temporary, join(ROOT, source));
	renameSync(temporary, path);
	return path;
}

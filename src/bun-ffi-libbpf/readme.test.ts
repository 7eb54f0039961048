// The README's first program, as it stands there.

import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describeAsRoot, temporaryCgroup } from "./test/support.ts";

/** The first block of a language. */
function block(language: string): string {
	const readme = readFileSync(join(import.meta.dirname, "README.md"), "utf8");
	const found = new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``).exec(readme)?.[1];
	if (found === undefined) throw new Error(`No block of ${language} in README.md`);
	return found;
}

describeAsRoot("README.md", () => {
	test("has a first program that does what it says", () => {
		// Inside the package, so that its name leads to it.
		const folder = join(import.meta.dirname, "native/dist", `readme-${process.pid}`);
		mkdirSync(folder);
		try {
			writeFileSync(join(folder, "count.bpf.c"), block("c"));
			writeFileSync(join(folder, "count.ts"), block("ts"));
			const cgroup = temporaryCgroup();
			cgroup.remove();
			const commands = block("sh").replace("bun count.ts", `${process.execPath} count.ts ${cgroup.path}`);
			const { stdout, stderr } = Bun.spawnSync(["sh", "-e", "-c", commands], { cwd: folder });
			expect(stderr.toString()).toBe("");
			expect(stdout.toString().replace(/program \d+/, "program 1234")).toBe(block("text"));
		} finally {
			rmSync(folder, { recursive: true });
		}
	});
});

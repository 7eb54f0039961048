// The library inside a compiled program: the right one, and usable in a read-only root.

import { expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { libbpfVersion } from "./mod.ts";
import { describeAsRoot, temporaryFolder } from "./test/support.ts";

const LIBRARIES = { x64: "libbpf-linux-x64.so", arm64: "libbpf-linux-arm64.so" } as const;
const INTERPRETER = process.arch === "arm64" ? "/lib/ld-linux-aarch64.so.1" : "/lib64/ld-linux-x86-64.so.2";

function library(name: string): Buffer | undefined {
	const path = join(import.meta.dirname, "native/dist", name);
	return existsSync(path) ? readFileSync(path) : undefined;
}

async function compile(outfile: string): Promise<void> {
	const { success, logs } = await Bun.build({
		entrypoints: [join(import.meta.dirname, "test/app.ts")],
		compile: { outfile },
		minify: true,
		bytecode: true,
		format: "esm",
	});
	if (!success) throw new Error(`Cannot compile: ${logs.join("\n")}`);
}

/** A root with the program and what its interpreter loads for it, nothing else. */
function makeRoot(root: string, program: string): void {
	const mapped = [...readFileSync("/proc/self/maps", "utf8").matchAll(/ (\/\S+\.so\S*)$/gm)].map((hit) => hit[1] ?? "");
	for (const path of new Set(mapped)) cpSync(path, join(root, path));
	mkdirSync(join(root, dirname(INTERPRETER)), { recursive: true });
	cpSync(INTERPRETER, join(root, INTERPRETER), { dereference: true });
	cpSync(program, join(root, "app"));
	for (const folder of ["proc", "dev"]) mkdirSync(join(root, folder));
}

/** The mounts are gone with the shell's mount namespace. */
const RUN = `
mount --bind "$1" "$1" && mount -t proc proc "$1/proc" && mount --bind /dev "$1/dev" &&
mount -o remount,bind,ro "$1" && ! touch "$1/file" 2>/dev/null && exec chroot "$1" /app`;

describeAsRoot("a compiled program", () => {
	test("has the library of its processor inside, and works in a read-only root without /tmp", async () => {
		using folder = temporaryFolder();
		const program = join(folder.path, "app");
		await compile(program);
		const bytes = readFileSync(program);
		const [own, other] = process.arch === "arm64" ? [LIBRARIES.arm64, LIBRARIES.x64] : [LIBRARIES.x64, LIBRARIES.arm64];
		expect(bytes.includes(library(own) ?? "no such file")).toBe(true);
		const foreign = library(other);
		if (foreign !== undefined) expect(bytes.includes(foreign)).toBe(false);

		const root = join(folder.path, "root");
		mkdirSync(root);
		makeRoot(root, program);
		const child = Bun.spawnSync(["unshare", "--mount", "sh", "-ec", RUN, "sh", root]);
		expect(child.stderr.toString()).toBe("");
		const { version, value, root: names } = JSON.parse(child.stdout.toString());
		expect(version).toBe(libbpfVersion());
		expect(value).toEqual([1, 2, 3, 4]);
		expect(names).toContain("app");
		expect(names).not.toContain("tmp");
		expect(child.exitCode).toBe(0);
	});
});

// The source packages of what is linked in, by apt's own client, from the distribution's own archive.

import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ListFile, sourceLines } from "./apt_lists.ts";

export const PACKAGES = ["libbpf", "elfutils", "zlib"] as const;
export type Package = (typeof PACKAGES)[number];

export interface RunOptions {
	readonly cwd?: string;
	readonly what: string;
}

/** Runs to the end; throws with the last lines of its output if it fails. */
export function run(command: readonly string[], options: RunOptions): string {
	const child = Bun.spawnSync([...command], {
		cwd: options.cwd ?? process.cwd(),
		stdout: "pipe",
		stderr: "pipe",
		stdin: "ignore",
	});
	const output = `${child.stdout}${child.stderr}`;
	if (child.exitCode !== 0) {
		const end = output.trim().split("\n").slice(-20).join("\n");
		throw new Error(`Cannot ${options.what}: ${command[0]} exited with ${child.exitCode}\n${end}`);
	}
	return output;
}

function machineLists(): readonly ListFile[] {
	const folder = "/etc/apt/sources.list.d";
	const names = existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
	return ["/etc/apt/sources.list", ...names]
		.filter((name) => /\.(list|sources)$/.test(name) && existsSync(name))
		.map((name) => ({ name, text: readFileSync(name, "utf8") }));
}

/** The `.dsc` of a package in a folder of downloads. */
function description(folder: string, name: Package): string | undefined {
	return readdirSync(folder).find((file) => file.startsWith(`${name}_`) && file.endsWith(".dsc"));
}

/** The machine's apt, with lists of its own: its configuration (proxies, keys) is read, and never changed. */
function aptClient(folder: string): readonly string[] {
	const apt = join(folder, "apt");
	for (const part of ["lists/partial", "cache/archives/partial"]) mkdirSync(join(apt, part), { recursive: true });
	const lines = sourceLines(machineLists());
	if (lines.length === 0) {
		throw new Error(
			"Cannot get the sources of libbpf: no Debian or Ubuntu archive in /etc/apt (build on Debian 12 or later)",
		);
	}
	writeFileSync(join(apt, "sources.list"), `${lines.join("\n")}\n`);
	const settings = {
		"Dir::Etc::sourcelist": join(apt, "sources.list"),
		"Dir::Etc::sourceparts": "-",
		"Dir::State::lists": join(apt, "lists"),
		"Dir::Cache": join(apt, "cache"),
		// The unprivileged user that apt would download as cannot write here.
		"APT::Sandbox::User": "root",
	};
	return ["apt-get", "-q", ...Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`])];
}

/** Downloads the packages into `folder`, unless they are there: all of them, or nothing. */
export function downloadSources(folder: string): void {
	if (existsSync(folder)) {
		const missing = PACKAGES.filter((name) => description(folder, name) === undefined);
		if (missing.length === 0) return;
		throw new Error(`Cannot use ${folder}: no sources of ${missing.join(", ")} in it (remove it, to download anew)`);
	}
	const fresh = `${folder}-${process.pid}`;
	const what = `get the sources of ${PACKAGES.join(", ")}`;
	try {
		mkdirSync(fresh, { recursive: true });
		const client = aptClient(fresh);
		run([...client, "update"], { cwd: fresh, what });
		run([...client, "source", "--download-only", ...PACKAGES], { cwd: fresh, what });
		rmSync(join(fresh, "apt"), { recursive: true });
		// Another build may have been quicker.
		if (!existsSync(folder)) renameSync(fresh, folder);
	} finally {
		rmSync(fresh, { recursive: true, force: true });
	}
}

/** One unpacked package. */
export interface Source {
	readonly version: string;
	readonly path: string;
}

/** Debian's patches that touch files which are compiled here. */
function neededPatches(folder: string, compiled: RegExp): readonly string[] {
	const series = join(folder, "patches/series");
	if (!existsSync(series)) return [];
	return readFileSync(series, "utf8")
		.split("\n")
		.map((line) => line.replace(/#.*/, "").trim())
		.filter((name) => name !== "")
		.map((name) => join(folder, "patches", name))
		.filter((path) =>
			[...readFileSync(path, "utf8").matchAll(/^\+\+\+ [^/\s]+\/(\S+)/gm)].some((hit) => compiled.test(hit[1] ?? "")),
		);
}

/** Unpacks a package below `work` and applies the patches that concern files matching `compiled`. */
export function unpack(
	downloads: string,
	work: string,
	options: { readonly name: Package; readonly compiled: RegExp },
): Source {
	const { name, compiled } = options;
	const dsc = description(downloads, name);
	if (dsc === undefined) throw new Error(`Cannot unpack ${name}: no ${name}_*.dsc in ${downloads}`);
	const facts = readFileSync(join(downloads, dsc), "utf8");
	const version = /^Version: (\S+)$/m.exec(facts)?.[1] ?? "unknown";
	const files = [...new Set([...facts.matchAll(/^ \S+ \d+ (\S+\.tar\.\w+)$/gm)].map((hit) => hit[1] ?? ""))];
	const path = join(work, name);
	mkdirSync(join(path, "debian"), { recursive: true });
	for (const file of files) {
		const isDebian = file.includes(".debian.tar.");
		run(["tar", "-xf", join(downloads, file), "--strip-components=1", "-C", isDebian ? join(path, "debian") : path], {
			what: `unpack ${file} (needs tar, gzip, bzip2 and xz)`,
		});
	}
	for (const patch of neededPatches(join(path, "debian"), compiled)) {
		run(["patch", "-p1", "-s", "-i", patch], { cwd: path, what: `apply ${patch} (needs patch)` });
	}
	return { version, path };
}

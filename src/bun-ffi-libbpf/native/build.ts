// Builds the self-contained shared object: bun native/build.ts [--target linux-x64|linux-arm64] [--sources DIR] [--force]

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { downloadSources, PACKAGES, run, type Source, unpack } from "./sources.ts";

const HERE = import.meta.dirname;
const DIST = join(HERE, "dist");
/** Bun itself needs this much; the library shall not need more. */
const GLIBC_FLOOR = "2.17";

const TARGETS = {
	"linux-x64": { compiler: process.arch === "x64" ? "gcc" : "x86_64-linux-gnu-gcc", triple: "x86_64-linux-gnu" },
	"linux-arm64": { compiler: process.arch === "arm64" ? "gcc" : "aarch64-linux-gnu-gcc", triple: "aarch64-linux-gnu" },
} as const;
type Target = keyof typeof TARGETS;

/** The files of each package that are compiled, and what Debian's patches must touch to matter. */
const COMPILED = { libbpf: /^(src|include)\//, elfutils: /^(libelf|lib)\//, zlib: /^[^/]+\.[ch]$/ } as const;

interface Unit {
	readonly files: readonly string[];
	readonly flags: readonly string[];
}

function sourceFiles(folder: string, wanted: (name: string) => boolean): readonly string[] {
	return readdirSync(folder)
		.filter((name) => name.endsWith(".c") && wanted(name))
		.sort()
		.map((name) => join(folder, name));
}

function units(sources: Readonly<Record<(typeof PACKAGES)[number], Source>>, work: string): readonly Unit[] {
	const { libbpf, elfutils, zlib } = sources;
	// elfutils asks for <config.h>
	mkdirSync(join(work, "config"), { recursive: true });
	writeFileSync(join(work, "config/config.h"), readFileSync(join(HERE, "elfutils_config.h")));
	const libbpfHeaders = [`-I${libbpf.path}/src`, `-I${libbpf.path}/include`, `-I${libbpf.path}/include/uapi`];
	const elfHeaders = [`-I${elfutils.path}/libelf`, `-I${elfutils.path}/lib`, `-I${zlib.path}`];
	const large = ["-D_GNU_SOURCE", "-D_LARGEFILE64_SOURCE", "-D_FILE_OFFSET_BITS=64"];
	const strict = ["-Wall", "-Wextra", "-Werror", "-std=gnu11"];
	return [
		{ files: sourceFiles(HERE, (name) => name !== "compat.c"), flags: [...strict, ...large, ...libbpfHeaders] },
		{ files: [join(HERE, "compat.c")], flags: [...strict, "-fno-builtin"] },
		{
			files: sourceFiles(join(libbpf.path, "src"), () => true),
			// libbpf's headers would make its functions visible
			flags: [
				"-w",
				"-std=gnu11",
				...large,
				'-DLIBBPF_API=__attribute__((visibility("hidden")))',
				...libbpfHeaders,
				...elfHeaders,
			],
		},
		{
			files: [
				...sourceFiles(join(elfutils.path, "libelf"), () => true),
				// libelf's own search tree since elfutils 0.192 (Debian 13).
				...sourceFiles(join(elfutils.path, "lib"), (name) => name === "eu-search.c"),
			],
			flags: ["-w", "-std=gnu11", ...large, "-DHAVE_CONFIG_H", `-I${work}/config`, ...elfHeaders],
		},
		{
			files: sourceFiles(zlib.path, () => true),
			flags: ["-w", "-D_LARGEFILE64_SOURCE=1", "-DHAVE_UNISTD_H", "-DHAVE_STDARG_H", `-I${zlib.path}`],
		},
	];
}

interface Compilation {
	readonly compiler: string;
	readonly work: string;
}

const COMMON_FLAGS = [
	"-c",
	"-O2",
	"-g0",
	"-fPIC",
	"-fvisibility=hidden",
	"-ffunction-sections",
	"-fdata-sections",
	"-fno-strict-aliasing",
];

/** Compiles all files on all processors; returns the objects. */
async function compile(all: readonly Unit[], { compiler, work }: Compilation): Promise<readonly string[]> {
	const jobs = all.flatMap((unit, index) =>
		unit.files.map((file) => ({ file, flags: unit.flags, object: join(work, `${index}-${basename(file, ".c")}.o`) })),
	);
	const queue = [...jobs];
	async function worker(): Promise<void> {
		for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
			const prefix = `-ffile-prefix-map=${work}=.`;
			const child = Bun.spawn([compiler, ...COMMON_FLAGS, prefix, ...job.flags, "-o", job.object, job.file], {
				stderr: "pipe",
				stdin: "ignore",
			});
			const errors = await new Response(child.stderr).text();
			if ((await child.exited) !== 0)
				throw new Error(`Cannot compile ${job.file}: ${errors.trim().split("\n").slice(0, 12).join("\n")}`);
		}
	}
	await Promise.all(Array.from({ length: availableParallelism() }, worker));
	return jobs.map((job) => job.object);
}

function link(objects: readonly string[], out: string, { compiler, work }: Compilation): void {
	const exports = join(work, "exports.map");
	writeFileSync(exports, "{ global: bffi_*; local: *; };\n");
	const linker = [
		"--gc-sections",
		`--version-script=${exports}`,
		"--no-undefined",
		"-z,relro",
		"-z,now",
		"-z,noexecstack",
		"--build-id=none",
		"--strip-all",
	];
	const libc = ["-Wl,--push-state,--no-as-needed", "-lc", "-Wl,--pop-state"];
	run([compiler, "-shared", "-nostartfiles", "-o", out, ...linker.map((flag) => `-Wl,${flag}`), ...objects, ...libc], {
		what: `link ${out}`,
	});
}

/** What a shared object asks of the machine, as objdump sees it. */
export interface Needs {
	readonly libraries: readonly string[];
	/** Versions of glibc, the newest last. */
	readonly glibc: readonly string[];
	readonly exports: readonly string[];
}

function byVersion(left: string, right: string): number {
	return left.localeCompare(right, "en", { numeric: true });
}

export function needs(path: string, objdump = "objdump"): Needs {
	const headers = run([objdump, "-p", path], { what: `read ${path}` });
	const symbols = run([objdump, "-T", path], { what: `read ${path}` });
	return {
		libraries: [...headers.matchAll(/^\s+NEEDED\s+(\S+)$/gm)].map((hit) => hit[1] ?? "").sort(),
		glibc: [...new Set([...symbols.matchAll(/\*UND\*.*\(?GLIBC_([0-9.]+)\)?/g)].map((hit) => hit[1] ?? ""))].sort(
			byVersion,
		),
		exports: [...symbols.matchAll(/ g {4}DF \.text.* (\S+)$/gm)].map((hit) => hit[1] ?? "").sort(),
	};
}

function isTarget(text: string): text is Target {
	return Object.hasOwn(TARGETS, text);
}

/** The same inputs give the same file: our sources, the compiler, the versions that were linked in. */
function fingerprint(compiler: string): string {
	const hash = createHash("sha256");
	for (const name of readdirSync(HERE).sort()) {
		if (/\.(c|h|ts)$/.test(name) && !name.endsWith(".test.ts"))
			hash.update(name).update(readFileSync(join(HERE, name)));
	}
	return hash.update(run([compiler, "--version"], { what: `run ${compiler}` })).digest("hex");
}

interface Request {
	readonly target: Target;
	readonly downloads: string;
	readonly force: boolean;
}

async function build({ target, downloads, force }: Request): Promise<string> {
	const { compiler, triple } = TARGETS[target];
	if (Bun.which(compiler) === null) {
		throw new Error(
			`Cannot build for ${target}: no ${compiler} (apt-get install ${compiler === "gcc" ? "gcc libc6-dev" : `gcc-${triple.replace("_", "-")} libc6-dev-${target.slice(6)}-cross`})`,
		);
	}
	const out = join(DIST, `libbpf-${target}.so`);
	const stampPath = join(DIST, `libbpf-${target}.json`);
	const inputs = fingerprint(compiler);
	if (
		!force &&
		existsSync(out) &&
		existsSync(stampPath) &&
		JSON.parse(readFileSync(stampPath, "utf8")).inputs === inputs
	) {
		return `${basename(out)} is up to date`;
	}
	downloadSources(downloads);
	const work = join(DIST, `work-${target}-${process.pid}`);
	rmSync(work, { recursive: true, force: true });
	try {
		const [libbpf, elfutils, zlib] = PACKAGES.map((name) =>
			unpack(downloads, work, { name, compiled: COMPILED[name] }),
		);
		if (libbpf === undefined || elfutils === undefined || zlib === undefined)
			throw new Error("Cannot build: a source package is missing");
		const objects = await compile(units({ libbpf, elfutils, zlib }, work), { compiler, work });
		const fresh = join(work, basename(out));
		link(objects, fresh, { compiler, work });
		const found = needs(fresh, compiler === "gcc" ? "objdump" : `${triple}-objdump`);
		const versions = { libbpf: libbpf.version, elfutils: elfutils.version, zlib: zlib.version };
		renameSync(fresh, out);
		writeFileSync(stampPath, `${JSON.stringify({ inputs, versions, ...found }, null, "\t")}\n`);
		const newest = found.glibc.at(-1) ?? "none";
		if (byVersion(newest, GLIBC_FLOOR) > 0)
			console.warn(
				`warning: ${basename(out)} needs glibc ${newest}, not ${GLIBC_FLOOR}: add what is newer to native/compat.c`,
			);
		return `${basename(out)}: libbpf ${versions.libbpf}, elfutils ${versions.elfutils}, zlib ${versions.zlib}; needs ${found.libraries.join(", ")}, glibc >= ${newest}`;
	} finally {
		rmSync(work, { recursive: true, force: true });
	}
}

async function main(): Promise<void> {
	const { values } = parseArgs({
		options: { target: { type: "string" }, sources: { type: "string" }, force: { type: "boolean", default: false } },
	});
	const target = values.target ?? `linux-${process.arch}`;
	if (!isTarget(target))
		throw new Error(`Cannot build for ${target}: choose one of ${Object.keys(TARGETS).join(", ")}`);
	console.log(await build({ target, downloads: values.sources ?? join(DIST, "sources"), force: values.force }));
}

if (import.meta.main) {
	try {
		await main();
	} catch (error) {
		console.error(error instanceof Error ? error.message : error);
		process.exitCode = 1;
	}
}

// Bundles src/main.ts: with the runtime into dist/balancing, without it into dist/balancing.js.

import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import type { BunPlugin } from "bun";
import { run } from "./run.ts";

export const TARGETS = ["linux-x64", "linux-arm64"] as const;
export type Target = (typeof TARGETS)[number];

export interface BinaryOptions {
	readonly entry: string;
	readonly folder: string;
	readonly target: Target;
}

export interface Artefact {
	readonly path: string;
	readonly bytes: number;
}

/** The target that this machine runs. Throws on a machine that Balancing does not support. */
export function hostTarget(): Target {
	const found = TARGETS.find((target) => target === `${process.platform}-${process.arch}`);
	if (found === undefined)
		throw new Error(`Cannot build here: ${process.platform}-${process.arch} (needs ${TARGETS.join(" or ")})`);
	return found;
}

/** One executable file with the runtime, the programs and libbpf; needs nothing but glibc where it runs. */
export async function buildBinary({ entry, folder, target }: BinaryOptions): Promise<Artefact> {
	const host = target === hostTarget();
	const path = join(folder, host ? "balancing" : `balancing-${target}`);
	// The name in the binary must not depend on this process, so the temporary thing is the folder.
	const temporary = join(folder, `.build-${process.pid}`);
	const outfile = resolve(temporary, basename(path));
	mkdirSync(temporary, { recursive: true });
	try {
		await Bun.build({
			entrypoints: [entry],
			target: "bun",
			format: "esm",
			minify: true,
			bytecode: true,
			define: { BALANCING_COMMIT: JSON.stringify(await commit()) },
			compile: {
				// Without a target the runtime is this very Bun; with one it is fetched from the npm registry.
				...(host ? {} : { target: `bun-${target}` }),
				outfile,
				// A bunfig.toml or .env in the folder where a root user happens to be must not run code.
				autoloadBunfig: false,
				autoloadDotenv: false,
				// For src/lib/garbage.ts.
				execArgv: ["--expose-gc"],
			},
		});
		renameSync(outfile, path);
	} finally {
		rmSync(temporary, { recursive: true, force: true });
	}
	return { path, bytes: statSync(path).size };
}

/** One JavaScript file for a Bun that is there already; embedded files lie beside it. */
export async function buildBundle({ entry, folder, target }: BinaryOptions): Promise<Artefact> {
	mkdirSync(folder, { recursive: true });
	await Bun.build({
		entrypoints: [entry],
		outdir: folder,
		naming: { entry: "balancing.js" },
		target: "bun",
		format: "esm",
		minify: true,
		define: {
			BALANCING_COMMIT: JSON.stringify(await commit()),
			"process.arch": JSON.stringify(target.slice("linux-".length)),
		},
		plugins: [filesBeside(folder)],
	});
	const path = join(folder, "balancing.js");
	return { path, bytes: statSync(path).size };
}

/** Bun's own file loader gives paths relative to the working directory; these are relative to the bundle. */
function filesBeside(folder: string): BunPlugin {
	return {
		name: "files-beside",
		setup(build) {
			build.onLoad({ filter: /\.(bpf\.o|so)$/ }, ({ path }) => {
				const name = basename(path);
				copyFileSync(path, join(folder, name));
				const url = `new URL(${JSON.stringify(`./${name}`)}, import.meta.url)`;
				return { loader: "js", contents: `export default decodeURIComponent(${url}.pathname);` };
			});
		},
	};
}

async function commit(): Promise<string> {
	if (!existsSync(".git") || Bun.which("git") === null) return "unknown";
	const head = await run(["git", "rev-parse", "--short=12", "HEAD"]);
	const status = await run(["git", "status", "--porcelain"]);
	if (head.code !== 0 || status.code !== 0) return "unknown";
	return head.output.trim() + (status.output === "" ? "" : "-dirty");
}

// The quick checks: what each one runs, and how its result is told.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { hostTarget } from "./build_binary.ts";
import { buildPrograms } from "./build_bpf.ts";
import { buildNative } from "./build_native.ts";
import type { Outcome } from "./outcome.ts";
import { type RunResult, run } from "./run.ts";

/** Builds what tests load: the programs and libbpf. */
export async function buildForTests(): Promise<Outcome> {
	const start = performance.now();
	const outcome = (failed: number, details: string): Outcome => {
		const seconds = (performance.now() - start) / 1000;
		return { name: "build", passed: 1 - failed, failed, skipped: 0, seconds, details };
	};
	try {
		await buildPrograms();
		await buildNative(hostTarget());
		return outcome(0, "");
	} catch (error) {
		return outcome(1, error instanceof Error ? error.message : String(error));
	}
}

/** Builds everything that is shipped for this machine. */
export function buildProduct(): Promise<Outcome> {
	return runCheck({ name: "product", command: [process.execPath, "scripts/build.ts"] }, false);
}

interface Check {
	readonly name: string;
	readonly command: readonly string[];
	/** The command that repairs instead of complaining. */
	readonly fix?: readonly string[];
}

/** Runs all of them at once; results come in the order of the list. */
export function startChecks(fix: boolean): readonly Promise<Outcome>[] {
	return checks().map((check) => runCheck(check, fix));
}

async function runCheck({ name, command, fix: repair }: Check, fix: boolean): Promise<Outcome> {
	const outcome = (failed: number, seconds: number, details: string): Outcome => {
		return { name, passed: 1 - failed, failed, skipped: 0, seconds, details };
	};
	let result: RunResult;
	try {
		result = await run(fix && repair !== undefined ? repair : command, { timeoutSeconds: 1800 });
	} catch (error) {
		return outcome(1, 0, error instanceof Error ? error.message : String(error));
	}
	const { code, output, seconds } = result;
	return code === 0 ? outcome(0, seconds, "") : outcome(1, seconds, output.trim());
}

function checks(): readonly Check[] {
	const c = cSources();
	const biome = ["--config-path=scripts/lint.json", "--error-on-warnings", "--colors=off"];
	const clangFormat = ["clang-format", "--style=file:bpf/.clang-format"];
	return [
		{ name: "biome", command: tool("biome", "ci", ...biome), fix: tool("biome", "check", "--write", ...biome) },
		{ name: "tsc", command: tool("tsc", "--noEmit", "--pretty", "false") },
		{ name: "knip", command: tool("knip", "--no-progress", "--no-config-hints") },
		{
			name: "clang-format",
			command: [...clangFormat, "--dry-run", "-Werror", ...c],
			fix: [...clangFormat, "-i", ...c],
		},
		{ name: "shellcheck", command: ["shellcheck", ...shellScripts()] },
		{
			name: "crds",
			command: [process.execPath, "scripts/crds.ts", "--check"],
			fix: [process.execPath, "scripts/crds.ts"],
		},
		{ name: "codespell", command: ["codespell", ...written()] },
	];
}

/** npm's tools, run by this very Bun: Node need not be there. */
function tool(name: string, ...parameters: readonly string[]): readonly string[] {
	return [process.execPath, "--bun", `node_modules/.bin/${name}`, ...parameters];
}

function cSources(): readonly string[] {
	return ["bpf", "src/bun-ffi-libbpf/native", "src/bun-ffi-libbpf/test", "test/support", "test/bench"]
		.filter(existsSync)
		.flatMap((folder) =>
			readdirSync(folder)
				.filter((file) => /\.[ch]$/.test(file))
				.map((file) => `${folder}/${file}`),
		);
}

function shellScripts(): readonly string[] {
	return [".ci", ".githooks", "scripts"]
		.filter(existsSync)
		.flatMap((folder) => readdirSync(folder, { withFileTypes: true, recursive: true }))
		.filter((entry) => entry.isFile() && !/\.(ts|json)$/.test(entry.name))
		.map((entry) => `${entry.parentPath}/${entry.name}`)
		.filter((file) => /^#!.*\b(ba)?sh\b/.test(readFileSync(file, "utf8")));
}

/** What people wrote, in the folders and at the top: not the lock file, not what was built or installed. */
function written(): readonly string[] {
	const folders = ["src", "bpf", "scripts", "edge", "test", ".ci"].filter(existsSync);
	const files = readdirSync(".").filter((file) => /\.(md|toml|json)$/.test(file));
	// Names in code are not prose.
	return ["--skip=*/node_modules,*/dist", "--ignore-regex=[a-z]+[A-Z]\\w*", ...folders, ...files];
}

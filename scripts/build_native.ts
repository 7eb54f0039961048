// Builds the shared object of libbpf, through the script of the package that it belongs to.

import { existsSync } from "node:fs";
import type { Target } from "./build_binary.ts";
import { run } from "./run.ts";

/** Throws with the script's words. The script itself knows whether there is anything to do. */
export async function buildNative(target: Target): Promise<void> {
	const script = "src/bun-ffi-libbpf/native/build.ts";
	const object = `src/bun-ffi-libbpf/native/dist/libbpf-${target}.so`;
	const { code, output } = await run([process.execPath, script, "--target", target], { timeoutSeconds: 1800 });
	if (code !== 0) throw new Error(`Cannot build ${object}: exit code ${code}\n${output.trimEnd()}`);
	if (!existsSync(object)) throw new Error(`Cannot find ${object} after the build: ${output.trim()}`);
}

// A folder of a test's own on bpffs.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, unlinkSync } from "node:fs";
import { must } from "./command.ts";
import { testName } from "./names.ts";

const BPFFS = "/sys/fs/bpf";

export interface PinPath extends Disposable {
	readonly path: string;
}

/** A name on bpffs, which is mounted if it is not yet; nothing is there. What is pinned below goes with it. */
export function pinPath(): PinPath {
	if (!readFileSync("/proc/mounts", "utf8").includes(` ${BPFFS} bpf `)) {
		mkdirSync(BPFFS, { recursive: true });
		must("mount", "-t", "bpf", "bpf", BPFFS);
	}
	const path = `${BPFFS}/${testName()}`;
	return { path, [Symbol.dispose]: () => remove(path) };
}

/** Links before maps, so that no program is left with maps that nobody sees. */
function remove(path: string): void {
	if (!existsSync(path)) return;
	const entries = readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
	for (const entry of entries) {
		if (entry.isDirectory()) remove(`${path}/${entry.name}`);
		else unlinkSync(`${path}/${entry.name}`);
	}
	rmdirSync(path);
}

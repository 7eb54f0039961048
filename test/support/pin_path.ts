// A folder of a test's own on bpffs.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, unlinkSync } from "node:fs";
import { basename } from "node:path";
import { openPinnedLink } from "bun-ffi-libbpf";
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
		const below = `${path}/${entry.name}`;
		if (entry.isDirectory()) remove(below);
		else {
			if (basename(path) === "links") detach(below);
			unlinkSync(below);
		}
	}
	rmdirSync(path);
}

/** The kernel lets go of a link some time after its pin; the next test's programs are not to meet this one. */
function detach(pin: string): void {
	using link = openPinnedLink(pin);
	link.detach();
}

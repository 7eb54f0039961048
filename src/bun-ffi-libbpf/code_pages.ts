// The pages of the process's own code: the page cache has them, so they need not count as the process's.

import { readFileSync, readlinkSync } from "node:fs";
import { native } from "./native.ts";

interface Mapping {
	readonly start: bigint;
	readonly length: bigint;
}

/**
 * Where a file is mapped as code that nobody can have written to, in the text of /proc/PID/maps (proc_pid_maps(5)). Nothing that is only
 * readable: a loader has filled in addresses there, before it took the right to write away.
 */
export function codeMappings(maps: string, file: string): readonly Mapping[] {
	const found: Mapping[] = [];
	for (const line of maps.split("\n")) {
		const [, start, end, path] = /^([0-9a-f]+)-([0-9a-f]+) r-xp [0-9a-f]+ \S+ [1-9]\d* +(.*)$/.exec(line) ?? [];
		if (start === undefined || end === undefined || path !== file) continue;
		const from = BigInt(`0x${start}`);
		found.push({ start: from, length: BigInt(`0x${end}`) - from });
	}
	return found;
}

/**
 * Gives back the pages of the executable's code (madvise(2), MADV_DONTNEED): they stay in the page cache, and what runs again is mapped
 * again, some 64 KiB by a fault of a microsecond or two. After much that runs once, such as a start, resident memory is less by what is not
 * needed any more. Of the executable alone: a library may be opened by another thread while we look, and then another thing stands there.
 * Returns the bytes of code, resident or not: 0 without /proc, or if they are locked (mlockall(2)).
 */
export function releaseCode(): number {
	let released = 0n;
	for (const { start, length } of ownMappings()) {
		if (native().bffi_release_pages(start, length) === 0) released += length;
	}
	return Number(released);
}

function ownMappings(): readonly Mapping[] {
	try {
		return codeMappings(readFileSync("/proc/self/maps", "utf8"), readlinkSync("/proc/self/exe"));
	} catch {
		return [];
	}
}

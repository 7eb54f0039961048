// What the kernel says of a process: its memory, and how often it wakes up.

import { readdirSync, readFileSync } from "node:fs";

/** Bytes. */
export interface Memory {
	/** Resident; a page that is shared counts in full. */
	readonly rss: number;
	/** Of it, what is no file's: heap, stacks, compiled code. */
	readonly anonymous: number;
	/** Of it, what is a file's, the executable above all: shared with others, and to be had back at any time. */
	readonly file: number;
	/** Resident; a page that is shared counts by its share. */
	readonly pss: number;
	/** The most that was resident since the start. */
	readonly peak: number;
}

export function memoryOf(pid: number): Memory {
	const text = ["status", "smaps_rollup"].map((name) => readFileSync(`/proc/${pid}/${name}`, "utf8")).join("");
	const bytes = (name: string) => {
		const kilobytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1];
		if (kilobytes === undefined) throw new Error(`Cannot find ${name} in what the kernel says of process ${pid}`);
		return Number(kilobytes) * 1024;
	};
	return {
		rss: bytes("VmRSS"),
		anonymous: bytes("RssAnon"),
		file: bytes("RssFile"),
		pss: bytes("Pss"),
		peak: bytes("VmHWM"),
	};
}

/** Bytes of objects that an agent has made and not collected yet, from its page of metrics. */
export function heapOf(metrics: string): number {
	const bytes = /^balancing_memory_bytes\{kind="heap"\} (\S+)$/m.exec(metrics)?.[1];
	if (bytes === undefined) throw new Error("Cannot find balancing_memory_bytes in the agent's metrics");
	return Number(bytes);
}

/** How often each of its threads has come to run, by thread id (Documentation/scheduler/sched-stats.rst). */
export function runsOf(pid: number): ReadonlyMap<string, number> {
	const runs = readdirSync(`/proc/${pid}/task`).map((thread) => {
		const [, , slices] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").trim().split(" ");
		return [thread, Number(slices)] as const;
	});
	return new Map(runs);
}

/** Microseconds on a processor of all that was ever in the cgroup, ended threads included (cgroup-v2.rst, cpu.stat). */
export function processorTimeOf(cgroup: string): number {
	const used = /^usage_usec (\d+)$/m.exec(readFileSync(`${cgroup}/cpu.stat`, "utf8"))?.[1];
	if (used === undefined) throw new Error(`Cannot find usage_usec in ${cgroup}/cpu.stat`);
	return Number(used);
}

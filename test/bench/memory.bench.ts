// What the agent takes: memory of its own, memory of the kernel's maps, time to be ready, time when nothing happens.

import { copyFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildBinary, hostTarget } from "../../scripts/build_binary.ts";
import { buildPrograms } from "../../scripts/build_bpf.ts";
import { buildNative } from "../../scripts/build_native.ts";
import { type AgentPlace, type AgentProcess, agentPlace } from "../support/agent_place.ts";
import { cgroup } from "../support/cgroup.ts";
import { must } from "../support/command.ts";
import { DEMO, manifestsOf } from "./manifests.ts";
import { type Memory, memoryOf, processorTimeOf, runsOf } from "./process_figures.ts";
import type { BenchRow } from "./row.ts";
import { MEMBERS, services } from "./services.ts";

/** Seconds of doing nothing that are measured. */
const IDLE = 20;
/** Seconds until the runtime collects garbage less often: for 30 s after the heap has changed, Bun does so once a second. */
const CALM = 35;
/** Seconds after which what a change left behind is counted as memory. */
const SETTLED = 10;
const PATIENCE_MS = 120_000;
const MIB = 2 ** 20;

interface Case {
	readonly name: string;
	readonly manifests: readonly string[];
}

function cases(): readonly Case[] {
	const many = [1000, 10_000].map((count) => {
		return { name: `${count.toLocaleString("en")} Services x ${MEMBERS}`, manifests: manifestsOf(services(count)) };
	});
	return [{ name: "1 Service, 2 pods", manifests: [DEMO] }, ...many];
}

/** Of the sources as they are now. */
async function build(): Promise<string> {
	await buildPrograms();
	await buildNative(hostTarget());
	return (await buildBinary({ entry: "src/main.ts", folder: "dist/test", target: hostTarget() })).path;
}

/** Milliseconds until the condition holds, to 5 ms. */
async function timeUntil(what: string, holds: () => Promise<boolean>): Promise<number> {
	const started = performance.now();
	while (!(await holds())) {
		if (performance.now() - started > PATIENCE_MS) throw new Error(`Cannot wait any longer for ${what}`);
		await Bun.sleep(5);
	}
	return performance.now() - started;
}

/** An agent that is ready. */
interface Running extends Case {
	readonly place: AgentPlace;
	readonly agent: AgentProcess;
	/** Where the agent itself is: not the one with the programs. */
	readonly cgroup: string;
	/** Milliseconds. */
	readonly ready: number;
}

async function start(each: Case, binary: string, stack: AsyncDisposableStack): Promise<Running> {
	const place = stack.use(agentPlace());
	const group = stack.use(cgroup());
	// Of its own, or it would share the pages with the other agents, and PSS would be less than that of one alone.
	const program = join(place.folder, "balancing");
	copyFileSync(binary, program);
	for (const [index, text] of each.manifests.entries()) {
		writeFileSync(join(place.manifests, `${String(index).padStart(4, "0")}.yaml`), text);
	}
	const agent = stack.use(place.start({ program: [program] }));
	const ready = await timeUntil("readiness", async () => (await agent.page("/readyz"))?.status === 200);
	writeFileSync(`${group.path}/cgroup.procs`, String(agent.pid));
	return { ...each, place, agent, cgroup: group.path, ready };
}

interface Usage {
	/** Microseconds on a processor per second. */
	readonly time: number;
	/** Per second, of threads that are there at the end. */
	readonly wakeUps: number;
}

/** Of all agents at once, while nothing happens. */
async function measureIdle(all: readonly Running[]): Promise<readonly Usage[]> {
	const look = ({ agent, cgroup }: Running) => ({ time: processorTimeOf(cgroup), runs: runsOf(agent.pid) });
	const before = all.map(look);
	await Bun.sleep(IDLE * 1000);
	return all.map((each, index) => {
		const [from, to] = [before[index] ?? look(each), look(each)];
		const wakeUps = Array.from(to.runs, ([thread, count]) => count - (from.runs.get(thread) ?? 0));
		return { time: (to.time - from.time) / IDLE, wakeUps: wakeUps.reduce((a, b) => a + b, 0) / IDLE };
	});
}

interface MapInfo {
	readonly type: string;
	readonly bytes: number;
}

/** Of the elements of socket storage only the map's own part: they are their sockets' memory. */
function mapsOf(pins: string): readonly MapInfo[] {
	return readdirSync(`${pins}/maps`).map((name) => {
		const { type, bytes_memlock } = JSON.parse(
			must("bpftool", "--json", "map", "show", "pinned", `${pins}/maps/${name}`),
		);
		return { type: String(type), bytes: Number(bytes_memlock) };
	});
}

function kernelRows(name: string, pins: string): readonly BenchRow[] {
	const maps = mapsOf(pins);
	const sum = (some: readonly MapInfo[]) => some.reduce((total, { bytes }) => total + bytes, 0) / MIB;
	const grows = ({ type }: MapInfo) => type === "hash";
	return [
		{ name: `${name}: kernel's maps`, value: sum(maps), unit: "MiB" },
		{
			name: "  arrays and the events' buffer, there from the start",
			value: sum(maps.filter((map) => !grows(map))),
			unit: "MiB",
		},
		{ name: "  frontends and names, which grow", value: sum(maps.filter(grows)), unit: "MiB" },
	];
}

function memoryRows(name: string, { rss, anonymous, file, pss, peak }: Memory): readonly BenchRow[] {
	const row = (what: string, bytes: number): BenchRow => ({ name: what, value: bytes / MIB, unit: "MiB" });
	return [
		row(`${name}: resident`, rss),
		row("  heap, stacks, compiled code (RssAnon)", anonymous),
		row("  the executable's and libraries' pages (RssFile)", file),
		row("  by share (PSS)", pss),
		row("  at the most since the start (VmHWM)", peak),
	];
}

/** All files but the first are taken away. */
async function measureRemoval({ name, place, agent, manifests }: Running): Promise<BenchRow> {
	const [, ...rest] = readdirSync(place.manifests).sort();
	for (const file of rest) place.remove(file.replace(/\.yaml$/, ""));
	const left = manifests[0]?.match(/^kind: Service$/gm)?.length;
	await timeUntil("the removal of Services", async () => {
		const { frontends }: { frontends?: number } = JSON.parse((await agent.page("/status"))?.body ?? "{}");
		return frontends === left;
	});
	await Bun.sleep(SETTLED * 1000);
	return { name: `${name}, all but ${left} removed: RssAnon`, value: memoryOf(agent.pid).anonymous / MIB, unit: "MiB" };
}

function rowsOf({ name, ready, agent, place }: Running, soon: Usage | undefined, late: Usage | undefined): BenchRow[] {
	const idle = late?.time ?? Number.NaN;
	return [
		{ name: `${name}: from start to ready`, value: ready, unit: "ms" },
		{ name: `${name}: idle (0.2 % are 2000 us/s)`, value: idle, unit: "us/s", budget: 2000 },
		{ name: `  in the first ${IDLE} s after all agents were ready`, value: soon?.time ?? Number.NaN, unit: "us/s" },
		{ name: "  wake-ups of all threads", value: late?.wakeUps ?? Number.NaN, unit: "/s" },
		...memoryRows(name, memoryOf(agent.pid)),
		...kernelRows(name, place.pins),
	];
}

/** The agents are started one after the other, and measured together. */
export async function bench(): Promise<readonly BenchRow[]> {
	const binary = await build();
	await using stack = new AsyncDisposableStack();
	const runtime = Bun.spawn([process.execPath, "-e", "setInterval(() => {}, 1e8)"], { stdout: "ignore" });
	stack.defer(() => runtime.kill("SIGKILL"));
	const all: Running[] = [];
	for (const each of cases()) all.push(await start(each, binary, stack));
	const soon = await measureIdle(all);
	await Bun.sleep((CALM - IDLE) * 1000);
	const late = await measureIdle(all);
	const rows = [
		...memoryRows("Bun alone, a script that does nothing", memoryOf(runtime.pid)),
		...all.flatMap((each, index) => rowsOf(each, soon[index], late[index])),
	];
	const largest = all.at(-1);
	return largest === undefined ? rows : [...rows, await measureRemoval(largest)];
}

// Following an API server: time until all is in the kernel, memory, idling, and one changed slice at a time.

import { copyFileSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openPinnedMap } from "bun-ffi-libbpf";
import { buildBinary, hostTarget } from "../../scripts/build_binary.ts";
import { buildPrograms } from "../../scripts/build_bpf.ts";
import { buildNative } from "../../scripts/build_native.ts";
import { encodeFrontendKey } from "../../src/datapath/codec.ts";
import { l4Address, parseIp, parsePort } from "../../src/model/address.ts";
import { type AgentPlace, type AgentProcess, agentPlace } from "../support/agent_place.ts";
import { cgroup } from "../support/cgroup.ts";
import { must } from "../support/command.ts";
import { startHub, type TestHub } from "../support/hub/hub.ts";
import { serviceObject, sliceObject } from "./hub_objects.ts";
import { heapOf, memoryOf, processorTimeOf } from "./process_figures.ts";
import type { BenchRow } from "./row.ts";
import { type BenchService, MEMBERS, SERVICE_PORT, services } from "./services.ts";

const SIZES = [1000, 10_000];
/** The figure of a start is the median of so many. */
const STARTS = 3;
/** Slices that are changed, one at a time. */
const CHANGES = 300;
/** Milliseconds between two changes, and up to so many more: longer than the agent gathers bursts. */
const PAUSE = 120;
const JITTER = 60;
/** Seconds after which what a start leaves behind is counted as memory, and idling begins: until the copy is on disk. */
const SETTLED = 45;
/** Seconds of doing nothing that are measured. */
const IDLE = 20;
const PATIENCE_MS = 120_000;
const MIB = 2 ** 20;

/** How the agent reads: the test hub is in this process, the compiled agent in its own. */
type Way = "streaming list" | "pages";

/** Of the sources as they are now. */
async function build(): Promise<string> {
	await buildPrograms();
	await buildNative(hostTarget());
	return (await buildBinary({ entry: "src/main.ts", folder: "dist/test", target: hostTarget() })).path;
}

function keyOf({ ip, protocol }: BenchService): Uint8Array {
	const [address, port] = [parseIp(ip), parsePort(SERVICE_PORT)];
	if (address === undefined || port === undefined) throw new Error(`Cannot use ${ip}`);
	return Buffer.from(encodeFrontendKey(l4Address(address, port, protocol)), "latin1");
}

function patience(what: string): () => void {
	const end = performance.now() + PATIENCE_MS;
	return () => {
		if (performance.now() > end) throw new Error(`Cannot wait any longer for ${what}`);
	};
}

/** Waits until every one of these frontends is in the kernel's map. */
async function programmed(place: AgentPlace, all: readonly BenchService[]): Promise<void> {
	const check = patience("all frontends in the kernel");
	const pin = join(place.pins, "maps", "frontends");
	for (; !existsSync(pin); check()) await Bun.sleep(1);
	using map = openPinnedMap(pin);
	const value = new Uint8Array(map.valueBytes);
	for (const key of all.map(keyOf)) for (; !map.lookupInto(key, value); check()) await Bun.sleep(1);
}

interface Started {
	readonly place: AgentPlace;
	readonly agent: AgentProcess;
	/** Where the agent itself is: not the one with the programs. */
	readonly group: string;
	/** Milliseconds from the start of the process until all frontends were in the kernel. */
	readonly ready: number;
	/** Milliseconds of processor time that it took. */
	readonly processor: number;
}

interface Scene {
	readonly hub: TestHub;
	readonly all: readonly BenchService[];
	readonly binary: string;
	readonly way: Way;
}

async function start({ hub, all, binary, way }: Scene, stack: AsyncDisposableStack): Promise<Started> {
	hub.setFeatures({ initialEvents: way === "pages" ? "forbidden" : "served" });
	const place = stack.use(agentPlace());
	const group = stack.use(cgroup()).path;
	const program = join(place.folder, "balancing");
	copyFileSync(binary, program);
	const kubeconfig = join(place.folder, "kubeconfig");
	writeFileSync(kubeconfig, hub.kubeconfig());
	const before = performance.now();
	// The shell moves itself before it becomes the agent, so that its time is counted from the first instruction.
	const shell = ["/bin/sh", "-c", `echo $$ > ${group}/cgroup.procs && exec "$0" "$@"`, program];
	const agent = stack.use(place.start({ program: shell, flags: [`--kubeconfig=${kubeconfig}`] }));
	await programmed(place, all);
	return { place, agent, group, ready: performance.now() - before, processor: processorTimeOf(group) / 1000 };
}

/** Milliseconds from just before the hub writes the event until the kernel's element is another one. */
async function changeSlices({ hub, all }: Scene, { place }: Started): Promise<readonly number[]> {
	// Whoever has something to do goes before the one who looks all the time; or the agent would wait for its turn here.
	must("chrt", "--idle", "--pid", "0", String(process.pid));
	using map = openPinnedMap(join(place.pins, "maps", "frontends"));
	const [before, after] = [new Uint8Array(map.valueBytes), new Uint8Array(map.valueBytes)];
	const times: number[] = [];
	for (let index = 0; index < CHANGES; index++) {
		await Bun.sleep(PAUSE + Math.random() * JITTER);
		const service = all[(index * 7919) % all.length];
		if (service === undefined) continue;
		const slice = sliceObject(service, service.endpoints.slice(0, MEMBERS - 1 - (index % 2)));
		const key = keyOf(service);
		map.lookupInto(key, before);
		after.set(before);
		const check = patience("a changed slice in the kernel");
		const from = performance.now();
		hub.put("EndpointSlice", slice);
		// Without a turn of the event loop: what the hub has to send is with the kernel already.
		while (Buffer.compare(before, after) === 0) {
			map.lookupInto(key, after);
			check();
		}
		times.push(performance.now() - from);
	}
	must("chrt", "--other", "--pid", "0", String(process.pid));
	return times.sort((a, b) => a - b);
}

function quantile(sorted: readonly number[], of: number): number {
	return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * of))] ?? Number.NaN;
}

async function measureStarts(scene: Scene): Promise<readonly BenchRow[]> {
	const runs: { ready: number; processor: number; peak: number }[] = [];
	for (let run = 0; run < STARTS; run++) {
		await using stack = new AsyncDisposableStack();
		const started = await start(scene, stack);
		runs.push({ ...started, peak: memoryOf(started.agent.pid).peak });
	}
	const median = (pick: (run: (typeof runs)[number]) => number) =>
		quantile(
			runs.map(pick).sort((a, b) => a - b),
			0.5,
		);
	const name = `${scene.all.length.toLocaleString("en")} x ${MEMBERS} by ${scene.way}`;
	return [
		{
			name: `${name}: from start to all frontends in the kernel`,
			value: median(({ ready }) => ready),
			unit: "ms",
			budget: 2000,
		},
		{ name: "  processor time until then", value: median(({ processor }) => processor), unit: "ms" },
		{ name: "  resident at the most until then (VmHWM)", value: median(({ peak }) => peak) / MIB, unit: "MiB" },
	];
}

async function measureRunning(scene: Scene): Promise<readonly BenchRow[]> {
	await using stack = new AsyncDisposableStack();
	const started = await start(scene, stack);
	const { agent, group } = started;
	await Bun.sleep(SETTLED * 1000);
	const settled = memoryOf(agent.pid);
	const heap = heapOf((await agent.page("/metrics"))?.body ?? "");
	const idle = processorTimeOf(group);
	await Bun.sleep(IDLE * 1000);
	const idled = (processorTimeOf(group) - idle) / IDLE;
	const busy = processorTimeOf(group);
	const times = await changeSlices(scene, started);
	const changing = (processorTimeOf(group) - busy) / 1000 / CHANGES;
	const changed = memoryOf(agent.pid);
	const name = `${scene.all.length.toLocaleString("en")} x ${MEMBERS}`;
	const memory = (what: string, bytes: number, budget?: number): BenchRow => {
		return { name: what, value: bytes / MIB, unit: "MiB", ...(budget === undefined ? {} : { budget }) };
	};
	return [
		memory(`${name}: resident ${SETTLED} s after the start`, settled.rss, 100),
		memory("  heap, stacks, compiled code (RssAnon)", settled.anonymous),
		memory("    of it objects that were not collected; much more is fragmentation", heap),
		memory("  the executable's and libraries' pages (RssFile)", settled.file),
		memory("  at the most since the start (VmHWM)", settled.peak, 1.5 * 100),
		{ name: "  idle (0.2 % are 2000 us/s)", value: idled, unit: "us/s", budget: 2000 },
		{ name: "  one changed slice, event to kernel: median", value: quantile(times, 0.5), unit: "ms", budget: 2 },
		{ name: "    99 of 100", value: quantile(times, 0.99), unit: "ms", budget: 5 },
		{ name: "    the longest", value: quantile(times, 1), unit: "ms" },
		{ name: "    processor time of one", value: changing, unit: "ms" },
		memory(`  resident after ${CHANGES} changes`, changed.rss),
		memory("  RssAnon then", changed.anonymous),
	];
}

export async function bench(): Promise<readonly BenchRow[]> {
	const binary = await build();
	const rows: BenchRow[] = [];
	for (const size of SIZES) {
		await using hub = await startHub({ kubernetes: false, timing: { bookmarkMs: 60_000 } });
		const all = services(size);
		for (const service of all) {
			hub.put("Service", serviceObject(service));
			hub.put("EndpointSlice", sliceObject(service));
		}
		const scene = { hub, all, binary };
		for (const way of ["streaming list", "pages"] as const) rows.push(...(await measureStarts({ ...scene, way })));
		rows.push(...(await measureRunning({ ...scene, way: "streaming list" })));
	}
	return rows;
}

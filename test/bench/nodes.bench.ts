// Following the Nodes of a large cluster: what they weigh, and what a kubelet's report costs that says nothing new.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { agentPlace } from "../support/agent_place.ts";
import { cgroup } from "../support/cgroup.ts";
import { startHub, type TestHub } from "../support/hub/hub.ts";
import { nodeObject } from "./node_objects.ts";
import { memoryOf, processorTimeOf } from "./process_figures.ts";
import type { BenchRow } from "./row.ts";

/** Kubernetes is tested with so many. */
const SIZES = [100, 5000];
/** Reports that are sent, and milliseconds between two: 5,000 kubelets send one every 60 ms. */
const REPORTS = 300;
const EVERY = 60;
/** Seconds until a start is over, the copy on disk included, and of doing nothing, to compare with. */
const SETTLED = 15;
const IDLE = 10;
const SOURCES = [process.execPath, "src/main.ts"];

async function measure(size: number): Promise<readonly BenchRow[]> {
	await using hub = await startHub({ kubernetes: false, timing: { bookmarkMs: 60_000 } });
	for (let number = 0; number < size; number++) hub.put("Node", nodeObject(number));
	await using stack = new AsyncDisposableStack();
	const place = stack.use(agentPlace());
	const group = stack.use(cgroup()).path;
	const kubeconfig = join(place.folder, "kubeconfig");
	writeFileSync(kubeconfig, hub.kubeconfig());
	const program = ["/bin/sh", "-c", `echo $$ > ${group}/cgroup.procs && exec "$0" "$@"`, ...SOURCES];
	const agent = stack.use(place.start({ program, flags: [`--kubeconfig=${kubeconfig}`] }));
	const before = hub.traffic().bytesOut;
	await agent.ready();
	const started = processorTimeOf(group) / 1000;
	const read = hub.traffic().bytesOut - before;
	await Bun.sleep(SETTLED * 1000);
	const { rss, peak } = memoryOf(agent.pid);
	const idle = processorTimeOf(group);
	await Bun.sleep(IDLE * 1000);
	const idling = (processorTimeOf(group) - idle) / (IDLE * 1000);
	const { microseconds, bytes } = await report(hub, size, group);
	const own = microseconds - idling * EVERY;
	const name = `${size.toLocaleString("en")} Nodes`;
	return [
		{ name: `${name}: bytes of the first list`, value: read / 1e6, unit: "MB" },
		{ name: "  processor time of the start", value: started, unit: "ms" },
		{ name: "  resident after it", value: rss / 2 ** 20, unit: "MiB" },
		{ name: "  resident at the most", value: peak / 2 ** 20, unit: "MiB" },
		{ name: "  one report of a kubelet: bytes", value: bytes / 1000, unit: "kB" },
		{ name: "    processor time", value: own, unit: "us" },
		{ name: "  all kubelets, each every five minutes: bytes", value: (bytes * size) / 300 / 1000, unit: "kB/s" },
		{ name: "    processor time", value: (own * size) / 300, unit: "us/s" },
	];
}

/** Of each report. */
async function report(
	hub: TestHub,
	size: number,
	group: string,
): Promise<{ readonly microseconds: number; readonly bytes: number }> {
	const [busy, sent] = [processorTimeOf(group), hub.traffic().bytesOut];
	for (let index = 0; index < REPORTS; index++) {
		hub.put("Node", nodeObject(index % size, 1 + index));
		await Bun.sleep(EVERY);
	}
	return {
		microseconds: (processorTimeOf(group) - busy) / REPORTS,
		bytes: (hub.traffic().bytesOut - sent) / REPORTS,
	};
}

export async function bench(): Promise<readonly BenchRow[]> {
	const rows: BenchRow[] = [];
	for (const size of SIZES) rows.push(...(await measure(size)));
	return rows;
}

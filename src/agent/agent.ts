// The node agent: hubs in, kernel out, and what it knows of itself on a few pages.

import { rmSync } from "node:fs";
import type { Config } from "../config.ts";
import { CAPACITY } from "../datapath/capacity.ts";
import { findCgroupRoot } from "../datapath/cgroup.ts";
import { type Datapath, openDatapath } from "../datapath/datapath.ts";
import { createWriter } from "../datapath/writer.ts";
import type { Log } from "../lib/log.ts";
import { createRunner } from "../lib/runner.ts";
import { parseListen, serve } from "../observe/http.ts";
import type { AgentStatus } from "../observe/status.ts";
import { getVersion } from "../version.ts";
import { createEventLog } from "./event_log.ts";
import { followHubs, type Hubs } from "./hubs.ts";
import { lockStateDir } from "./lock.ts";
import { pagesOf } from "./pages.ts";
import { createProof, type Proof } from "./proof.ts";
import { agentSocket } from "./socket.ts";
import { createSync, type Sync } from "./sync.ts";

/** Milliseconds between two writes at least: a burst of changes is one write. */
const SHORTEST = 50;
/** Milliseconds until what failed is tried again. */
const RETRY = 1000;
/** Milliseconds between two comparisons with the kernel's real contents. */
const LONGEST = 5 * 60_000;

export interface AgentOptions {
	readonly config: Config;
	readonly log: Log;
	/** Where resolution events go: lines with a `time` of their own. */
	readonly resolutions: Log;
	/** Aborted when the agent is to stop. */
	readonly signal: AbortSignal;
}

interface Parts {
	readonly config: Config;
	readonly cgroup: string;
	readonly datapath: Datapath;
	readonly hubs: Hubs;
	readonly sync: Sync;
	readonly proof: Proof;
	readonly started: string;
}

function statusOf({ config, cgroup, datapath, hubs, sync, proof, started }: Parts): AgentStatus {
	const entries = sync.entries();
	return {
		...getVersion(),
		node: config["node-name"],
		pid: process.pid,
		started,
		ready: hubs.synced() && proof.proved && sync.settled(),
		hubs: hubs.status(),
		attachment: { cgroup, pinPath: config["pin-path"], proved: proof.proved, reason: proof.reason },
		frontends: entries.frontends,
		backends: entries.backends,
		lastWrite: sync.lastWrite(),
		faults: datapath.faults(),
		problems: sync.problems(),
	};
}

async function servePages(parts: Parts, log: Log): Promise<AsyncDisposable> {
	const { config, sync } = parts;
	const pages = pagesOf({ status: () => statusOf(parts), entries: sync.entries, applyFailures: sync.failures });
	await using stack = new AsyncDisposableStack();
	const path = agentSocket(config["state-dir"]);
	// Ours by the lock: what is there is left of an agent that was killed.
	rmSync(path, { force: true });
	stack.use(await serve(pages, { path }));
	if (config.listen !== "off") {
		stack.use(await serve(pages, parseListen(config.listen)));
		log.info({ listen: config.listen }, "listening");
	}
	return stack.move();
}

/**
 * Runs until the signal is aborted, and leaves programs, maps and links as they are. Rejects if it cannot start; what goes
 * wrong later is logged and tried again.
 */
export async function runAgent({ config, log, resolutions, signal }: AgentOptions): Promise<void> {
	await using stack = new AsyncDisposableStack();
	stack.use(lockStateDir(config["state-dir"]));
	const cgroup = config.cgroup ?? findCgroupRoot();
	const datapath = stack.use(
		openDatapath({ cgroup, pinPath: config["pin-path"], events: config.events, eventsRate: config["events-rate"] }),
	);
	log.info({ cgroup, programs: Object.fromEntries(datapath.attached) }, "attached");
	const node = config["node-name"];
	const eventLog =
		config.events === "off" ? undefined : stack.use(createEventLog({ datapath, node, log: resolutions }));

	const writer = createWriter({
		maps: datapath.maps,
		capacity: CAPACITY,
		firstGeneration: Math.floor(Date.now() / 1000),
	});
	const proof = createProof({ cgroup: config.cgroup, log });
	const hubs = followHubs({ paths: config.manifests, log, signal, onChange: () => runner.call() });
	const onNames = () => eventLog?.forgetNames();
	const sync = createSync({ hubs, writer, self: { nodeName: node }, log, onNames });
	const runner = createRunner({
		async run(resync) {
			const round = sync.run(resync);
			if (resync) datapath.reattach();
			if (resync || !proof.proved) return proof.prove() ? round : "again";
			return round;
		},
		shortest: SHORTEST,
		retry: RETRY,
		longest: LONGEST,
		signal,
	});
	const parts = { config, cgroup, datapath, hubs, sync, proof, started: new Date().toISOString() };
	stack.use(await servePages(parts, log));
	log.info({ node, manifests: config.manifests, pinPath: config["pin-path"] }, "started");
	// Without waiting for the hubs: the canaries, and what was restored, need none.
	runner.call();
	await Promise.all([hubs.stopped, runner.stopped]);
	log.info({}, "stopped; the datapath stays in place");
}

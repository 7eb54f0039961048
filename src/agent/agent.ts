// The node agent: hubs in, kernel out, and what it knows of itself on a few pages.

import { rmSync } from "node:fs";
import type { Config } from "../config.ts";
import { CAPACITY } from "../datapath/capacity.ts";
import { assertCgroup, findCgroupRoot } from "../datapath/cgroup.ts";
import { type Datapath, openDatapath } from "../datapath/datapath.ts";
import { createPodFinder } from "../datapath/pod_identity.ts";
import { openSocketCloser, type SocketCloser } from "../datapath/sockets.ts";
import { createWriter } from "../datapath/writer.ts";
import type { Log } from "../lib/log.ts";
import { createRunner } from "../lib/runner.ts";
import { createHealthPorts, type HealthPorts } from "../observe/health_ports.ts";
import { type Pages, parseListen, serve } from "../observe/http.ts";
import { policyStatuses } from "../observe/policy_status.ts";
import type { AgentStatus } from "../observe/status.ts";
import { CANARY } from "../plan/canary.ts";
import { createHealthChecks } from "../plan/health_checks.ts";
import { EMPTY_PLAN } from "../plan/plan_types.ts";
import { getVersion } from "../version.ts";
import { createBypass } from "./bypass.ts";
import { createClientCgroups } from "./client_cgroups.ts";
import { createClients } from "./clients.ts";
import { type Closing, createClosing } from "./closing.ts";
import { createEventLog } from "./event_log.ts";
import { followConfigured } from "./followed_hubs.ts";
import { createGuarding } from "./guarding.ts";
import { createHealth, type Health } from "./health.ts";
import type { Hubs } from "./hubs.ts";
import { lockStateDir } from "./lock.ts";
import { createOwnAddresses } from "./own_addresses.ts";
import { createOwnWay } from "./own_way.ts";
import { pagesOf } from "./pages.ts";
import { createProof, ownCanary, type Proof } from "./proof.ts";
import { selfOf } from "./self.ts";
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
	readonly closing: Closing;
	readonly health: Health;
	readonly started: string;
}

/** Empty: ready. */
function reasonsNotReady({ hubs, sync, proof }: Parts): readonly string[] {
	const unsynced = hubs.status().filter(({ synced }) => !synced);
	const unsettled = sync.unsettled();
	return [
		...unsynced.map(({ name, troubles }) => [`${name} has not been read yet`, ...troubles].join(": ")),
		...(proof.reason === null ? [] : [`not attached for certain: ${proof.reason}`]),
		// What is held back until the hubs are synced needs no reason of its own.
		...(unsettled === null || unsynced.length > 0 ? [] : [unsettled]),
	];
}

function statusOf(parts: Parts): AgentStatus {
	const { config, cgroup, datapath, hubs, sync, proof, closing, health, started } = parts;
	const { frontends, backends } = sync.counts();
	const notReady = reasonsNotReady(parts);
	return {
		...getVersion(),
		node: config["node-name"],
		pid: process.pid,
		started,
		ready: notReady.length === 0,
		notReady,
		hubs: hubs.status(),
		attachment: { cgroup, pinPath: config["pin-path"], proved: proof.proved, reason: proof.reason },
		frontends,
		backends,
		lastWrite: sync.lastWrite(),
		faults: datapath.faults(),
		unknownPortRefusals: datapath.unknownPortRefusals(),
		sockets: closing.status(),
		health: health.status(),
		policies: policyStatuses(sync.policies(), sync.problems()),
		problems: sync.problems(),
	};
}

function pagesFor(parts: Parts): Pages {
	const { sync } = parts;
	return pagesOf({
		status: () => statusOf(parts),
		entries: sync.entries,
		applyFailures: sync.failures,
		planned: () => sync.counts().planned,
		memory() {
			const { rss, heapUsed } = process.memoryUsage();
			return { resident: rss, heap: heapUsed };
		},
	});
}

async function servePages(config: Config, pages: () => Pages | undefined, log: Log): Promise<AsyncDisposable> {
	await using stack = new AsyncDisposableStack();
	const path = agentSocket(config["state-dir"]);
	// Ours by the lock: what is there is left of an agent that was killed.
	rmSync(path, { force: true });
	stack.use(await serve(pages, { path }));
	if (config.listen !== "off") {
		stack.use(await serve(pages, parseListen(config.listen)));
		log.info({ listen: config.listen }, "Listening");
	}
	return stack.move();
}

/** How many programs were `created`, `replaced`, `moved`. */
function countAttached({ attached }: Datapath): Readonly<Record<string, number>> {
	const counts: Record<string, number> = {};
	for (const how of attached.values()) counts[how] = (counts[how] ?? 0) + 1;
	return counts;
}

/** Attaches what is not attached any more, then connects the canaries. */
function createAttachment({ datapath, proof, log }: { datapath: Datapath; proof: Proof; log: Log }) {
	let said = "";
	return function attachAndProve(): boolean {
		try {
			const again = [...datapath.reattach()].filter(([, how]) => how !== "replaced");
			if (again.length > 0) log.warn({ programs: Object.fromEntries(again) }, "Attached again");
			said = "";
		} catch (err) {
			// Tried every second, told once.
			if (said !== String(err)) log.error({ err }, "Cannot attach again");
			said = String(err);
		}
		return proof.prove();
	};
}

interface LoopOptions extends AgentOptions {
	readonly datapath: Datapath;
	readonly cgroup: string;
	readonly closer: SocketCloser;
	readonly healthPorts: HealthPorts;
}

/** Follows the hubs until the signal is aborted, or until one of the parts fails for good. */
function startLoop({ config, cgroup, datapath, closer, healthPorts, log, signal }: LoopOptions, onNames: () => void) {
	const writer = createWriter({
		maps: datapath.maps,
		capacity: CAPACITY,
		firstGeneration: Math.floor(Date.now() / 1000),
	});
	const bypass = createBypass({ passage: datapath.passage, canary: ownCanary(), log });
	const proof = createProof({ cgroup: config.cgroup, log, connect: bypass.connect });
	const attachAndProve = createAttachment({ datapath, proof, log });
	const onChange = (): void => runner.call();
	const hubs = followConfigured({
		config,
		ownWay: () => createOwnWay({ bypass, actual: writer.actual, log }),
		isKernelEmpty: writer.actual().frontends.size <= CANARY.frontends.length,
		log,
		signal,
		onChange,
	});
	const closing = createClosing({ closer, log, signal });
	const ownAddresses = createOwnAddresses();
	const health = createHealth({ actual: writer.actual, synced: hubs.synced, bypass, onChange, log });
	const finder = createPodFinder({ cgroup });
	const guarding = createGuarding({ guards: datapath.guards, finder, onDue: onChange, signal });
	let wasSynced = false;
	const sync = createSync({
		hubs,
		writer,
		guarding,
		self: () => selfOf(config, ownAddresses.current()),
		health,
		log,
		onNames,
		onFrontends: closing.call,
	});
	const healthChecks = createHealthChecks();
	const runner = createRunner({
		async run(resync) {
			const written = sync.run(resync);
			// What went while no agent looked, or was not found by the last one.
			if (!wasSynced && hubs.synced()) closing.call();
			wasSynced = hubs.synced();
			// Afterwards: nobody waits for it. Addresses that came or went are in the next round.
			const round = ownAddresses.refresh() ? "again" : written;
			// The canaries must be in the maps first. Attaching is for when that did not help.
			const isProved = resync ? attachAndProve() : proof.proved || proof.prove() || attachAndProve();
			await healthPorts.update(healthChecks(hubs.snapshots(), config["node-name"]), isProved);
			return isProved ? round : "again";
		},
		shortest: SHORTEST,
		retry: RETRY,
		longest: LONGEST,
		signal,
	});
	// Without waiting for the hubs: the canaries, and what was restored, need none.
	runner.call();
	return {
		hubs,
		sync,
		proof,
		closing,
		health,
		stopped: Promise.all([hubs.stopped, runner.stopped, closing.stopped]),
	};
}

/**
 * Runs until the signal is aborted, and leaves programs, maps and links as they are. Rejects if it cannot start; what goes
 * wrong later is logged and tried again.
 */
export async function runAgent(options: AgentOptions): Promise<void> {
	const { config, log, resolutions } = options;
	await using stack = new AsyncDisposableStack();
	stack.use(lockStateDir(config["state-dir"]));
	// Before anything is done to the kernel: an address that is taken is no reason to leave something behind.
	let pages: Pages | undefined;
	stack.use(await servePages(config, () => pages, log));
	if (config.cgroup !== undefined) assertCgroup(config.cgroup);
	const cgroup = config.cgroup ?? findCgroupRoot();
	const datapath = stack.use(
		openDatapath({ cgroup, pinPath: config["pin-path"], events: config.events, eventsRate: config["events-rate"] }),
	);
	log.info({ cgroup, ...countAttached(datapath) }, "Attached");
	const closer = stack.use(openSocketCloser({ pinPath: config["pin-path"], epoch: Math.floor(Date.now() / 1000) }));
	const node = config["node-name"];
	let policies: Sync["policies"] = () => EMPTY_PLAN.policies;
	let snapshots: Hubs["snapshots"] = () => [];
	const clusters = () => snapshots().map((snapshot) => snapshot.cluster);
	const clients = createClients({ cgroups: createClientCgroups({ cgroup }), node, clusters });
	const eventLog =
		config.events === "off"
			? undefined
			: stack.use(createEventLog({ datapath, node, policies: () => policies(), clients, resolutions, log }));

	const healthPorts = stack.use(createHealthPorts({ log }));
	const ended = new AbortController();
	const signal = AbortSignal.any([options.signal, ended.signal]);
	const loop = startLoop({ ...options, cgroup, datapath, closer, healthPorts, signal }, () => eventLog?.forgetNames());
	policies = loop.sync.policies;
	snapshots = loop.hubs.snapshots;
	// Whatever ends one part ends the others, before what they stand on is closed.
	const settled = loop.stopped.then(
		() => {},
		() => ended.abort(),
	);
	stack.defer(async () => {
		ended.abort();
		await settled;
	});
	stack.use(loop.health);
	pages = pagesFor({ config, cgroup, datapath, ...loop, started: new Date().toISOString() });
	log.info({ node, hubs: loop.hubs.status().map(({ name }) => name), pinPath: config["pin-path"] }, "Started");
	await loop.stopped;
	log.info({}, "Stopped; the datapath stays in place");
}

// Follows all hubs at once and keeps the newest snapshot of each.

import type { Copy } from "../hub/offline_store.ts";
import type { Clock } from "../lib/clock.ts";
import { type Cluster, EMPTY_CLUSTER } from "../model/cluster.ts";
import type { HubStatus } from "../observe/status.ts";
import type { HubSnapshot } from "../plan/plan_types.ts";
import { createHubCopy, type HubCopy } from "./hub_copy.ts";
import type { HubSource } from "./hub_sources.ts";

export interface Hubs {
	/**
	 * Of each hub, in the order in which they win: the newest, or else the copy, or else nothing. Nothing of any for a moment after the
	 * start, as long as nothing is known of one.
	 */
	snapshots(): readonly HubSnapshot[];
	/** Every hub has been read completely: what is absent is really gone. */
	synced(): boolean;
	status(): readonly HubStatus[];
	/** Settles when the signal is aborted; rejects if a hub fails for good. */
	readonly stopped: Promise<void>;
}

export interface HubsOptions {
	readonly sources: readonly HubSource[];
	/**
	 * Whatever copy there is on disk is better than what the kernel holds: nothing, after a boot. Otherwise a hub begins with its
	 * copy only if that is as new as the kernel: an older one must not take the kernel back, and without any the other hubs'
	 * claims would seem to be the only ones.
	 */
	readonly isKernelEmpty: boolean;
	readonly clock: Clock;
	readonly signal: AbortSignal;
	/** There is a new snapshot. */
	readonly onChange: () => void;
	/** The newest snapshot of a hub is on disk. */
	readonly onKept: () => void;
}

/**
 * Milliseconds that what some hubs say waits for a word of the others, where the kernel serves meanwhile: one that is read a moment
 * later may have the better claim.
 */
const GRACE = 5000;

/** Milliseconds until it is asked again which cluster is meant. */
const RETRY = 5000;

interface Followed {
	readonly source: HubSource;
	/** Stands in for `newest` until there is one, and is let go then. */
	copy: Copy | undefined;
	/** There is no use in looking for a copy any more. */
	isLooked: boolean;
	newest: Cluster | undefined;
	changed: Date | undefined;
}

async function follow(hub: Followed, keeper: HubCopy | undefined, onChange: () => void): Promise<void> {
	for await (const cluster of hub.source.snapshots) {
		hub.newest = cluster;
		hub.copy = undefined;
		hub.changed = new Date();
		keeper?.offer(cluster);
		onChange();
	}
}

async function followAndKeep(hub: Followed, options: HubsOptions): Promise<void> {
	const { kept } = hub.source;
	if (kept === undefined) return await follow(hub, undefined, options.onChange);
	const ended = new AbortController();
	const signal = AbortSignal.any([options.signal, ended.signal]);
	const keeper = createHubCopy({ ...kept, clock: options.clock, signal, onKept: options.onKept });
	const looking = lookAgain(hub, { ...options, signal });
	try {
		await follow(hub, keeper, options.onChange);
	} finally {
		ended.abort();
		await Promise.all([keeper.stopped, looking]);
	}
}

/**
 * The copy that may stand in for its hub. None before it is known which cluster is meant: it must not stand in for another one. Nor
 * where there is no use for it: without other hubs a kernel that holds something stays as it is without a copy.
 */
async function findCopy(hub: Followed, { isKernelEmpty, sources }: HubsOptions): Promise<Copy | undefined> {
	const { kept } = hub.source;
	hub.isLooked = kept === undefined || !(isKernelEmpty || sources.length > 1);
	if (kept === undefined || hub.isLooked) return undefined;
	// Whoever follows the hub says why it cannot be told.
	const origin = await kept.identify().catch(() => undefined);
	if (origin === undefined) return undefined;
	hub.isLooked = true;
	if (hub.newest !== undefined) return undefined;
	const copy = kept.store.read(origin);
	return isKernelEmpty || copy?.isNewest ? copy : undefined;
}

async function lookAgain(hub: Followed, options: HubsOptions): Promise<void> {
	while (!hub.isLooked && hub.newest === undefined && !options.signal.aborted) {
		await options.clock.sleep(RETRY, options.signal);
		if (hub.newest === undefined) hub.copy = await findCopy(hub, options);
		if (hub.copy !== undefined) options.onChange();
	}
}

/** All copies first, and all at once: what one hub says must not count before what is known of the others does. */
async function followAll(hubs: readonly Followed[], options: HubsOptions): Promise<void> {
	const copies = await Promise.all(hubs.map((hub) => findCopy(hub, options)));
	for (const [index, hub] of hubs.entries()) hub.copy = copies[index];
	if (copies.some((copy) => copy !== undefined)) options.onChange();
	await Promise.all(hubs.map((hub) => followAndKeep(hub, options)));
}

function statusOf({ source, copy, newest, changed }: Followed): HubStatus {
	const { staleSince, troubles } = source.health();
	return {
		name: source.name,
		synced: newest !== undefined,
		lastChange: changed?.toISOString() ?? null,
		// What a copy says is as old as the copy.
		staleSince: (copy?.savedAt ?? staleSince)?.toISOString() ?? null,
		copyOf: copy?.savedAt.toISOString() ?? null,
		troubles,
	};
}

/** Starts at once. */
export function followHubs(options: HubsOptions): Hubs {
	const { sources, isKernelEmpty, clock, signal, onChange } = options;
	let isOver = isKernelEmpty || sources.length < 2;

	async function grace(): Promise<void> {
		if (isOver) return;
		await clock.sleep(GRACE, signal);
		isOver = true;
		onChange();
	}

	const hubs: readonly Followed[] = sources.map((source) => ({
		source,
		copy: undefined,
		isLooked: false,
		newest: undefined,
		changed: undefined,
	}));
	return {
		snapshots() {
			const known = hubs.map(({ copy, newest }) => newest ?? copy?.cluster);
			isOver ||= !known.includes(undefined);
			return hubs.map(({ source: { name } }, index) => ({
				name,
				cluster: (isOver ? known[index] : undefined) ?? EMPTY_CLUSTER,
			}));
		},
		synced: () => hubs.every(({ newest }) => newest !== undefined),
		status: () => hubs.map(statusOf),
		stopped: Promise.all([followAll(hubs, options), grace()]).then(() => undefined),
	};
}

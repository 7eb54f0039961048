// Follows all hubs at once and keeps the newest snapshot of each.

import type { Copy } from "../hub/offline_store.ts";
import type { Clock } from "../lib/clock.ts";
import type { Cluster } from "../model/cluster.ts";
import type { HubStatus } from "../observe/status.ts";
import type { HubSnapshot } from "../plan/plan_types.ts";
import { createHubCopy, type HubCopy } from "./hub_copy.ts";
import type { HubSource, KeptCopy } from "./hub_sources.ts";

export interface Hubs {
	/** Of each hub, in the order in which they win: the newest, or else the copy, or else nothing. */
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
	 * Begin with the hubs' copies on disk. For a kernel that holds nothing, after a boot: what it holds otherwise is as
	 * new as any copy.
	 */
	readonly fromCopies: boolean;
	readonly clock: Clock;
	readonly signal: AbortSignal;
	/** There is a new snapshot. */
	readonly onChange: () => void;
}

const EMPTY: Cluster = { services: new Map(), slices: new Map(), problems: [] };

/** Milliseconds until it is asked again which cluster is meant. */
const RETRY = 5000;

interface Followed {
	readonly source: HubSource;
	/** Stands in for `newest` until there is one, and is let go then. */
	copy: Copy | undefined;
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
	const keeper = createHubCopy({ ...kept, clock: options.clock, signal });
	const begun = options.fromCopies ? beginWithCopy(hub, kept, { ...options, signal }) : undefined;
	try {
		await follow(hub, keeper, options.onChange);
	} finally {
		ended.abort();
		await Promise.all([keeper.stopped, begun]);
	}
}

/** The copy counts as soon as it is known which cluster is meant: it must not stand in for another one. */
async function beginWithCopy(hub: Followed, kept: KeptCopy, { clock, signal, onChange }: HubsOptions): Promise<void> {
	while (hub.newest === undefined && !signal.aborted) {
		// Whoever follows the hub says why it cannot be told.
		const origin = await kept.identify().catch(() => undefined);
		if (hub.newest !== undefined) return;
		if (origin === undefined) await clock.sleep(RETRY, signal);
		else {
			hub.copy = kept.store.read(origin);
			if (hub.copy !== undefined) onChange();
			return;
		}
	}
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
	const hubs: readonly Followed[] = options.sources.map((source) => ({
		source,
		copy: undefined,
		newest: undefined,
		changed: undefined,
	}));
	return {
		snapshots: () =>
			hubs.map(({ source, copy, newest }) => ({ name: source.name, cluster: newest ?? copy?.cluster ?? EMPTY })),
		synced: () => hubs.every(({ newest }) => newest !== undefined),
		status: () => hubs.map(statusOf),
		stopped: Promise.all(hubs.map((hub) => followAndKeep(hub, options))).then(() => undefined),
	};
}

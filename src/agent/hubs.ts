// Follows all hubs at once and keeps the newest snapshot of each.

import { mergeClusters } from "../hub/merge.ts";
import type { Cluster } from "../model/cluster.ts";
import type { HubStatus } from "../observe/status.ts";
import type { HubSource } from "./hub_sources.ts";

export interface Hubs {
	/** Of the hubs that are synced, merged. */
	cluster(): Cluster;
	/** Every hub has been read completely: what is absent is really gone. */
	synced(): boolean;
	status(): readonly HubStatus[];
	/** Settles when the signal is aborted; rejects if a hub fails for good. */
	readonly stopped: Promise<void>;
}

export interface HubsOptions {
	readonly sources: readonly HubSource[];
	/** There is a new snapshot. */
	readonly onChange: () => void;
}

interface Followed {
	readonly source: HubSource;
	newest: Cluster | undefined;
	changed: Date | undefined;
}

async function follow(hub: Followed, onChange: () => void): Promise<void> {
	for await (const cluster of hub.source.snapshots) {
		hub.newest = cluster;
		hub.changed = new Date();
		onChange();
	}
}

function statusOf({ source, newest, changed }: Followed): HubStatus {
	const { staleSince, troubles } = source.health();
	return {
		name: source.name,
		synced: newest !== undefined,
		lastChange: changed?.toISOString() ?? null,
		staleSince: staleSince?.toISOString() ?? null,
		troubles,
	};
}

/** Starts at once. */
export function followHubs({ sources, onChange }: HubsOptions): Hubs {
	const hubs: readonly Followed[] = sources.map((source) => ({ source, newest: undefined, changed: undefined }));
	return {
		cluster: () => mergeClusters(hubs.flatMap(({ newest }) => newest ?? [])),
		synced: () => hubs.every(({ newest }) => newest !== undefined),
		status: () => hubs.map(statusOf),
		stopped: Promise.all(hubs.map((hub) => follow(hub, onChange))).then(() => undefined),
	};
}

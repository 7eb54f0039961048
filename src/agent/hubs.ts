// Follows all hubs at once and keeps the newest snapshot of each.

import { watchManifests } from "../hub/manifests.ts";
import { mergeClusters } from "../hub/merge.ts";
import type { Log } from "../lib/log.ts";
import type { Cluster } from "../model/cluster.ts";
import type { HubStatus } from "../observe/status.ts";

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
	/** Folders or files of manifests. */
	readonly paths: readonly string[];
	readonly log: Log;
	readonly signal: AbortSignal;
	/** There is a new snapshot. */
	readonly onChange: () => void;
}

interface Followed {
	readonly path: string;
	newest: Cluster | undefined;
	changed: Date | undefined;
}

async function follow(hub: Followed, { log, signal, onChange }: HubsOptions): Promise<void> {
	for await (const cluster of watchManifests({ path: hub.path, log, signal })) {
		hub.newest = cluster;
		hub.changed = new Date();
		onChange();
	}
}

/** Starts at once. */
export function followHubs(options: HubsOptions): Hubs {
	const hubs: readonly Followed[] = options.paths.map((path) => ({ path, newest: undefined, changed: undefined }));
	return {
		cluster: () => mergeClusters(hubs.flatMap(({ newest }) => newest ?? [])),
		synced: () => hubs.every(({ newest }) => newest !== undefined),
		status: () =>
			hubs.map(({ path, newest, changed }) => ({
				name: `manifests ${path}`,
				synced: newest !== undefined,
				lastChange: changed?.toISOString() ?? null,
			})),
		stopped: Promise.all(hubs.map((hub) => follow(hub, options))).then(() => undefined),
	};
}

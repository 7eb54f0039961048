// Keeps the newest snapshot of a hub on disk: not at each change, but soon, and in any case at the end.

import type { OfflineStore } from "../hub/offline_store.ts";
import type { Clock } from "../lib/clock.ts";
import type { Cluster } from "../model/cluster.ts";

/** Milliseconds that changes are gathered at least. */
const GATHER = 10_000;
/** Bytes that may be written in that time: flash wears out, and a hub that changes all the time would be written all the time. */
const RATE = 2 ** 20;

export interface HubCopy {
	/** There is a newer snapshot. */
	offer(cluster: Cluster): void;
	/** Settles when the signal is aborted and the newest snapshot is kept. */
	readonly stopped: Promise<void>;
}

export interface HubCopyOptions {
	readonly store: OfflineStore;
	/** Which cluster the snapshots that are offered come from. */
	readonly origin: () => string | undefined;
	readonly clock: Clock;
	readonly signal: AbortSignal;
	/** A snapshot is on disk. */
	readonly onKept: () => void;
}

export function createHubCopy({ store, origin, clock, signal, onKept }: HubCopyOptions): HubCopy {
	let unsaved: { readonly cluster: Cluster; readonly origin: string } | undefined;
	let wake = () => {};
	/** Milliseconds. */
	let pause = GATHER;

	async function save(): Promise<void> {
		if (unsaved === undefined) return;
		const { cluster, origin: from } = unsaved;
		// Before it is written: what is offered meanwhile is newer.
		unsaved = undefined;
		const bytes = await store.write(cluster, { origin: from, now: new Date() });
		pause = GATHER * Math.max(1, bytes / RATE);
		onKept();
	}

	function offered(): Promise<void> {
		return new Promise((resolve) => {
			wake = resolve;
			if (unsaved !== undefined || signal.aborted) resolve();
		});
	}

	async function loop(): Promise<void> {
		signal.addEventListener("abort", () => wake(), { once: true });
		while (!signal.aborted) {
			await offered();
			if (!signal.aborted) await clock.sleep(pause, signal);
			await save();
		}
		await save();
	}

	return {
		offer(cluster) {
			const from = origin();
			if (unsaved === undefined) store.outdate();
			// Nothing comes from nowhere: it has been asked.
			unsaved = from === undefined ? undefined : { cluster, origin: from };
			wake();
		},
		stopped: loop(),
	};
}

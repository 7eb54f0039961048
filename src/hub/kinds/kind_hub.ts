// Some kinds that are each followed on their own -> one hub: a snapshot once all of them are known, and again when they changed.

import type { Clock } from "../../lib/clock.ts";
import type { Cluster } from "../../model/cluster.ts";
import type { Alarm } from "../alarm.ts";
import type { ClusterView } from "./cluster_view.ts";
import type { KindState, KindStatus } from "./kind_state.ts";

/** Milliseconds between two snapshots at least: a snapshot costs as much as there are objects. The first after a rest comes at once. */
const SHORTEST = 20;
/** The longest that a timer can wait. Milliseconds. */
const FOREVER = 2 ** 31 - 1;

export interface KubernetesStatus {
	/** `context NAME of FILE`, `in-cluster` or `MetaServer URL`. */
	readonly name: string;
	/** Every kind was read completely once, and shown. */
	readonly synced: boolean;
	/** The oldest of the kinds' times since when they are not followed; null if all are. */
	readonly staleSince: Date | null;
	readonly kinds: readonly KindStatus[];
}

export interface KubernetesHub extends AsyncIterable<Cluster> {
	status(): KubernetesStatus;
}

export interface KindHubOptions {
	readonly name: string;
	/** Those that are followed now. */
	readonly kinds: () => readonly KindState[];
	/** Called before a snapshot may be taken: what depends on several kinds is put into the view. */
	readonly review: () => void;
	readonly view: Pick<ClusterView, "snapshot">;
	/** Rings when a kind has changed. */
	readonly alarm: Alarm;
	readonly clock: Clock;
	readonly signal: AbortSignal;
	/** Follows all kinds until the signal is aborted; started with the iteration. */
	readonly run: () => Promise<void>;
}

interface Shown {
	readonly shown: Cluster | undefined;
	/** How many lists had been read then. */
	readonly lists: number;
}

/** The iteration is for one reader. */
export function createKindHub({ name, kinds, review, view, alarm, clock, signal, run }: KindHubOptions): KubernetesHub {
	let hasShown = false;

	const countLists = (): number => kinds().reduce((sum, state) => sum + state.reading.count(), 0);

	/** New Services with old EndpointSlices would refuse connections: kinds that are read anew are shown together. */
	async function isWhole({ shown, lists }: Shown): Promise<boolean> {
		const states = kinds();
		if (shown === undefined) return states.every((state) => state.status().synced);
		// Where one is read anew, the others are about to find out that they have to be.
		if (lists !== countLists()) await clock.sleep(SHORTEST, signal);
		// Of Pods that are read for the first time nobody speaks yet.
		return !kinds().some((state) => state.reading.isGoingOn() && state.status().synced);
	}

	async function* follow(): AsyncGenerator<Cluster, void> {
		const running = run();
		let last: Shown = { shown: undefined, lists: 0 };
		while (!signal.aborted) {
			await alarm.wait(FOREVER);
			review();
			if (signal.aborted || !(await isWhole(last))) continue;
			hasShown = true;
			const { shown } = last;
			const next = view.snapshot();
			last = { shown: next, lists: countLists() };
			if (next === shown) continue;
			yield next;
			await clock.sleep(SHORTEST, signal);
		}
		await running;
	}

	return {
		[Symbol.asyncIterator]: follow,
		status() {
			const statuses = kinds().map((state) => state.status());
			const stale = statuses.flatMap(({ staleSince }) => staleSince ?? []).sort((a, b) => a.getTime() - b.getTime());
			return { name, synced: hasShown, staleSince: stale[0] ?? null, kinds: statuses };
		},
	};
}

// The manifests hub: a file or a folder of Kubernetes objects in YAML or JSON, read once or followed.

import { type Clock, systemClock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { type Cluster, EMPTY_CLUSTER } from "../../model/cluster.ts";
import { createAlarm } from "../alarm.ts";
import { DOUBT } from "./file_store.ts";
import { hintFor } from "./folder.ts";
import { createFolderWatch, type FolderWatch } from "./folder_watch.ts";
import { createManifestSource, type ManifestSource, type Sight } from "./manifest_source.ts";
import { findPlaces } from "./watch_places.ts";

/** Silence after which a change counts as complete, and the longest wait for it. Milliseconds. */
const QUIET = 100;
const QUIET_AT_MOST = 1000;
/** A look though nothing happened: inotify has no events for some file systems, and for folders renamed further up. Milliseconds. */
const RESCAN = 5 * 60_000;
/** The same where folders cannot be watched (inotify's limits). Milliseconds. */
const RESCAN_UNWATCHED = 5000;

/** Looks in a row while the places to watch keep changing; after that, the events of the last ones will do. */
const MAX_ROUNDS = 3;

/** What such a hub is called. */
export function manifestsName(path: string): string {
	return `manifests ${path}`;
}

export interface WatchOptions {
	/** A file, or a folder whose `*.yaml`, `*.yml` and `*.json` are read. It may come into being later. */
	readonly path: string;
	/** What the host's own Node is called: of it the snapshots have the labels and all Pods. Default: it has none. */
	readonly nodeName?: string;
	readonly log: Log;
	readonly signal: AbortSignal;
	readonly clock?: Clock;
}

/**
 * Follows a path until the signal is aborted. The first snapshot comes when the path exists and has been read completely; each
 * further one differs from the one before it. Never ends or throws because of what is, or is not, in the files.
 */
export async function* watchManifests(options: WatchOptions): AsyncGenerator<Cluster, void> {
	const { path, log } = options;
	let before: Sight | undefined;
	let shown: Cluster | undefined;
	for await (const { sight, early } of followPath(options)) {
		tell(path, { before, sight, log });
		before = sight;
		// At the start, too, a half-written file shall not look like a deletion to those who come after a restart.
		const next = early && shown === undefined ? undefined : sight.cluster;
		if (next === undefined || next === shown) continue;
		shown = next;
		yield next;
	}
}

interface Followed {
	readonly sight: Sight;
	/** Shortly after the start, and some file seems half-written. */
	readonly early: boolean;
}

async function* followPath({
	path,
	nodeName,
	log,
	signal,
	clock = systemClock,
}: WatchOptions): AsyncGenerator<Followed, void> {
	const alarm = createAlarm(clock, signal);
	const source = createManifestSource(path, clock.now, nodeName);
	using watch = createFolderWatch(alarm.ring, log);
	const patience = clock.now() + DOUBT;
	let links: readonly string[] = [];
	while (!signal.aborted) {
		const sight = await observe(path, { source, watch, links });
		links = sight.links;
		const early = sight.unsettled && clock.now() < patience;
		yield { sight, early };
		const latest = early ? patience : clock.now() + (watch.isComplete() ? RESCAN : RESCAN_UNWATCHED);
		const again = Math.min(sight.again ?? latest, latest);
		if ((await alarm.wait(Math.max(0, again - clock.now()))) === "rung") await settle(alarm, clock);
	}
}

interface Observed {
	readonly source: ManifestSource;
	readonly watch: FolderWatch;
	readonly links: readonly string[];
}

/** Watches, then looks, so that what changes in between rings; again if the look shows other places to watch. */
async function observe(path: string, { source, watch, links }: Observed): Promise<Sight> {
	watch.update(await findPlaces(path, links));
	let sight = await source.look();
	for (let round = 0; round < MAX_ROUNDS && watch.update(await findPlaces(path, sight.links)); round++)
		sight = await source.look();
	return sight;
}

async function settle(alarm: { wait(milliseconds: number): Promise<"rung" | "time"> }, clock: Clock): Promise<void> {
	const end = clock.now() + QUIET_AT_MOST;
	while (clock.now() < end && (await alarm.wait(QUIET)) === "rung");
}

function tell(
	path: string,
	{ before, sight, log }: { readonly before: Sight | undefined; readonly sight: Sight; readonly log: Log },
): void {
	if (sight.unsettled) log.debug({ path }, "Some file seems half-written, looking again soon");
	if (sight.missing !== undefined) {
		if (before?.missing === sight.missing) return;
		const fields = { path, code: sight.missing };
		if (sight.cluster === undefined) log.warn(fields, "Waiting for the manifests: the path cannot be read");
		else log.warn(fields, "The manifests are gone, what was read before stays in force");
	} else if (before?.cluster !== sight.cluster) {
		const { services, policies, problems } = sight.cluster ?? EMPTY_CLUSTER;
		const counts = { services: services.size, policies: policies.size, problems: problems.length };
		log.info({ path, files: sight.files, ...counts }, "Manifests read");
	}
}

/** Reads a path once, as it is, for the host of this name. Throws if the path itself cannot be read; what is wrong with files and objects is in the problems. */
export async function readManifests(path: string, nodeName = ""): Promise<Cluster> {
	const { cluster, missing } = await createManifestSource(path, systemClock.now, nodeName).look();
	if (cluster !== undefined) return cluster;
	const code = missing ?? "ENOENT";
	throw new Error(`Cannot read manifests ${path}: ${code} (${hintFor(code)})`);
}

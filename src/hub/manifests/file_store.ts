// What each file says, in the newest version that is to be believed: a file caught half-written takes nothing away.

import type { Problem } from "../../model/problem.ts";
import { type FileText, type ManifestPath, readFileText } from "./folder.ts";
import { type Entry, type Manifest, readManifest } from "./manifest_file.ts";

/**
 * A file that is still there but lacks objects that it had (an empty one lacks all) is believed when it has stayed so for this time:
 * cut off at the end of a line, YAML mostly remains YAML. Milliseconds.
 */
export const DOUBT = 2000;
/** When a file that cannot be read is read again, counted from the first failure; after that, when it changes. Milliseconds. */
export const RETRIES = [250, 750, 1500, 3000, 6000, 12_000] as const;
/** When a file that was written while it was read is read again. Milliseconds. */
const SETTLE = 100;
const NOTHING: Manifest = { entries: [], problems: [], rejected: new Set(), broken: true };
/** Files that are read at once, and their bytes. */
const BATCH = 16;
const BATCH_SIZE = 8 * 1024 * 1024;
/** Longest time without letting others run while a file is parsed. Milliseconds. */
const SLICE = 20;

/** One look at all files. */
export interface Look {
	readonly manifests: readonly Manifest[];
	/** The moment when to look again though no file changes, in the clock's milliseconds. */
	readonly again: number | undefined;
	/** Some file is half-written, as far as one can tell. */
	readonly unsettled: boolean;
}

export interface FileStore {
	/** Reads the files that changed. `files` is complete: what is not in it is gone. */
	look(files: readonly ManifestPath[]): Promise<Look>;
	/** Files that were read since the start. */
	readonly reads: () => number;
}

interface Known {
	readonly stamp: string;
	/** What the file says now, as far as it can be read. */
	readonly newest: Manifest;
	/** What is believed: `newest`, and objects of before that it may not take away yet. */
	readonly believed: Manifest;
	/** What to believe when the file has stayed as it is until `due`. */
	readonly settled: Manifest;
	readonly since: number;
	readonly retries: number;
	/** When to read or believe again; undefined if the file is settled. */
	readonly due: number | undefined;
}

export interface FileStoreOptions {
	/** Milliseconds. */
	readonly now: () => number;
	/** Lets others run. */
	readonly breathe: () => Promise<unknown>;
	/** Tests stand in here for files that change while they are read. */
	readonly readText?: (path: string) => Promise<FileText>;
	/** What the host's own Node is called. */
	readonly ownNode?: string;
}

export function createFileStore({ now, breathe, readText = readFileText, ownNode = "" }: FileStoreOptions): FileStore {
	let files: ReadonlyMap<string, Known> = new Map();
	let reads = 0;

	async function parse(path: string, text: string): Promise<Manifest> {
		const steps = readManifest(path, text, ownNode);
		let started = now();
		for (let step = steps.next(); ; step = steps.next()) {
			if (step.done) return step.value;
			if (now() - started < SLICE) continue;
			await breathe();
			started = now();
		}
	}

	function isToRead(file: ManifestPath, known: Known | undefined): boolean {
		if (known === undefined || known.stamp !== file.stamp) return true;
		return isDue(known) && (known.newest.broken || known.believed === known.settled);
	}

	function isDue({ due }: Known): boolean {
		return due !== undefined && due <= now();
	}

	/** What is known of a file that is not to be read. */
	function leave(known: Known | undefined): Known | undefined {
		// Nothing changed for as long as it was doubted.
		return known !== undefined && isDue(known) ? { ...known, believed: known.settled, due: undefined } : known;
	}

	async function take(file: ManifestPath, known: Known | undefined, result: FileText): Promise<Known | undefined> {
		reads++;
		if (result.kind === "failure" && result.gone && !file.isLink) return undefined;
		const newest = result.kind === "text" ? await parse(file.path, result.text) : unreadable(result.problem);
		const stamp = result.kind === "text" ? result.stamp : file.stamp;
		return judge({ file, known, newest, stamp, time: now() });
	}

	async function lookAt(batch: readonly ManifestPath[], next: Map<string, Known>): Promise<void> {
		const texts = await Promise.all(
			batch.map((file) => (isToRead(file, files.get(file.path)) ? readText(file.path) : undefined)),
		);
		for (const [index, file] of batch.entries()) {
			const text = texts[index];
			const old = files.get(file.path);
			const known = text === undefined ? leave(old) : await take(file, old, text);
			if (known !== undefined) next.set(file.path, known);
		}
	}

	return {
		async look(listed) {
			const next = new Map<string, Known>();
			for (const batch of batches(listed)) await lookAt(batch, next);
			files = next;
			const all = [...next.values()];
			const dues = all.flatMap(({ due }) => due ?? []);
			return {
				manifests: all.map(({ believed }) => believed),
				again: dues.length === 0 ? undefined : dues.reduce((a, b) => Math.min(a, b)),
				unsettled: dues.length > 0,
			};
		},
		reads: () => reads,
	};
}

/** In order. A file that is larger by itself is read alone. */
function* batches(files: readonly ManifestPath[]): Generator<readonly ManifestPath[], void> {
	let batch: ManifestPath[] = [];
	let size = 0;
	for (const file of files) {
		if (batch.length === BATCH || (batch.length > 0 && size + file.size > BATCH_SIZE)) {
			yield batch;
			batch = [];
			size = 0;
		}
		batch.push(file);
		size += file.size;
	}
	yield batch;
}

function unreadable(problem: Problem): Manifest {
	return { entries: [], problems: [problem], rejected: new Set(), broken: true };
}

interface Evidence {
	readonly file: ManifestPath;
	readonly known: Known | undefined;
	readonly newest: Manifest;
	readonly stamp: string;
	readonly time: number;
}

/** Decides what to believe of a file that was just read. */
function judge({ file, known, newest, stamp, time }: Evidence): Known {
	if (stamp !== file.stamp) {
		// Written while it was read: the stamp of before makes the next look read it again.
		const believed = known?.believed ?? NOTHING;
		return { stamp: file.stamp, newest, believed, settled: believed, since: time, retries: 0, due: time + SETTLE };
	}
	const same = known?.stamp === stamp && known.newest.broken;
	const since = same ? known.since : time;
	const retries = same ? known.retries + 1 : 0;
	const { kept, lost } = compare(known?.believed, newest);
	const settled = kept.length === 0 ? newest : withKept(file.path, newest, kept);
	const state = { stamp, newest, settled, since, retries };
	if (newest.broken) {
		const delay = RETRIES[retries];
		return { ...state, believed: settled, due: delay === undefined ? undefined : since + delay };
	}
	if (lost.length === 0) return { ...state, believed: settled, due: undefined };
	return { ...state, believed: { ...settled, entries: [...settled.entries, ...lost] }, due: since + DOUBT };
}

/** What the file had and has no more: kept as long as it cannot be read or the object is there but wrong; else lost, after a doubt. */
function compare(
	before: Manifest | undefined,
	newest: Manifest,
): { readonly kept: readonly Entry[]; readonly lost: readonly Entry[] } {
	const present = new Set(newest.entries.map(({ id }) => id));
	const missing = (before?.entries ?? []).filter(({ id }) => !present.has(id));
	const isKept = ({ id }: Entry): boolean => newest.broken || newest.rejected.has(id);
	return { kept: missing.filter(isKept), lost: missing.filter((entry) => !isKept(entry)) };
}

function withKept(path: string, newest: Manifest, kept: readonly Entry[]): Manifest {
	const [first] = kept;
	const what = kept.length === 1 ? `${first?.id}` : `${first?.id} and ${kept.length - 1} more objects`;
	const message = `${what} of the file's last good version stay in force: correct the file`;
	// Counted with the mistake that it comes from.
	const reason = newest.problems[0]?.reason ?? "InvalidObject";
	const note: Problem = { object: path, source: path, reason, message };
	return { ...newest, entries: [...newest.entries, ...kept], problems: [...newest.problems, note] };
}

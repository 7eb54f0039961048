// The hub's store: one counter of versions for all kinds, a history to replay, and lists as they were at an older version.

import { type KubeObject, keyOf, withMeta } from "./object.ts";

export interface Change {
	readonly revision: number;
	/** idOf() the kind. */
	readonly kind: string;
	readonly type: "ADDED" | "MODIFIED" | "DELETED";
	readonly key: string;
	/** As it is now; of a deleted one the last state, with the deletion's version. */
	readonly object: KubeObject;
	readonly before: KubeObject | undefined;
}

export interface Snapshot {
	readonly revision: number;
	/** In the order of their keys. */
	readonly objects: readonly KubeObject[];
}

export interface Store {
	readonly revision: () => number;
	get(kind: string, key: string): KubeObject | undefined;
	/** Creates or replaces; gives it back with its new resourceVersion. */
	put(kind: string, object: KubeObject): KubeObject;
	/** The last state, with the deletion's resourceVersion. */
	remove(kind: string, key: string): KubeObject | undefined;
	snapshot(kind: string): Snapshot;
	/** The objects as they were; undefined if that is compacted. */
	snapshotAt(kind: string, revision: number): Snapshot | undefined;
	/** What changed after a version; undefined if that is too long ago. */
	since(kind: string, revision: number): readonly Change[] | undefined;
	/** From which version on watches can be resumed. */
	readonly floor: () => number;
	/** Forgets history: watches cannot resume, pages cannot go on. */
	compact(what: { readonly watches: boolean; readonly pages: boolean }): void;
	/** Versions go by without a change, as they do in a cluster where others write. */
	skip(versions: number): void;
	subscribe(listener: (change: Change) => void): () => void;
}

export function createStore(historyLimit: number): Store {
	const kinds = new Map<string, Map<string, KubeObject>>();
	const sorted = new Map<string, readonly KubeObject[]>();
	const listeners = new Set<(change: Change) => void>();
	let history: Change[] = [];
	let revision = 1;
	let watchFloor = 1;
	let pageFloor = 1;

	const objectsOf = (kind: string) => {
		const known = kinds.get(kind) ?? new Map<string, KubeObject>();
		kinds.set(kind, known);
		return known;
	};
	const record = (change: Change) => {
		history.push(change);
		if (history.length > 2 * historyLimit) {
			history = history.slice(-historyLimit);
			watchFloor = Math.max(watchFloor, (history[0]?.revision ?? revision) - 1);
			pageFloor = Math.max(pageFloor, watchFloor);
		}
		sorted.delete(change.kind);
		for (const listener of [...listeners]) listener(change);
	};
	const snapshot = (kind: string): Snapshot => {
		const known = sorted.get(kind) ?? sortByKey(objectsOf(kind));
		sorted.set(kind, known);
		return { revision, objects: known };
	};
	return {
		revision: () => revision,
		floor: () => watchFloor,
		get: (kind, key) => objectsOf(kind).get(key),
		put(kind, object) {
			const objects = objectsOf(kind);
			const key = keyOf(object);
			const before = objects.get(key);
			revision += 1;
			const stored = withMeta(object, { resourceVersion: `${revision}` });
			objects.set(key, stored);
			record({ revision, kind, type: before === undefined ? "ADDED" : "MODIFIED", key, object: stored, before });
			return stored;
		},
		remove(kind, key) {
			const before = objectsOf(kind).get(key);
			if (before === undefined) return undefined;
			objectsOf(kind).delete(key);
			revision += 1;
			const last = withMeta(before, { resourceVersion: `${revision}` });
			record({ revision, kind, type: "DELETED", key, object: last, before });
			return last;
		},
		snapshot,
		snapshotAt(kind, wanted) {
			if (wanted < pageFloor || wanted > revision) return undefined;
			return { revision: wanted, objects: undo(snapshot(kind).objects, changesAfter(history, kind, wanted)) };
		},
		since: (kind, wanted) => (wanted < watchFloor ? undefined : changesAfter(history, kind, wanted)),
		compact({ watches, pages }) {
			// As if something else had been written: otherwise the latest version would still be good.
			revision += 1;
			if (watches) watchFloor = revision;
			if (pages) pageFloor = revision;
		},
		skip(versions) {
			revision += versions;
		},
		subscribe(listener) {
			listeners.add(listener);
			return () => void listeners.delete(listener);
		},
	};
}

function changesAfter(history: readonly Change[], kind: string, revision: number): readonly Change[] {
	let from = history.length;
	while (from > 0 && (history[from - 1]?.revision ?? 0) > revision) from -= 1;
	return history.slice(from).filter((change) => change.kind === kind);
}

function undo(objects: readonly KubeObject[], changes: readonly Change[]): readonly KubeObject[] {
	if (changes.length === 0) return objects;
	const then = new Map(objects.map((object) => [keyOf(object), object]));
	for (const { key, before } of changes.toReversed()) {
		if (before === undefined) then.delete(key);
		else then.set(key, before);
	}
	return sortByKey(then);
}

function sortByKey(objects: ReadonlyMap<string, KubeObject>): readonly KubeObject[] {
	return [...objects].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
}

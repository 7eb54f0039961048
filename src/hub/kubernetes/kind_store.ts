// What is known of one kind: projections by key, replaced object by object or all at once.

import type { Clock } from "../../lib/clock.ts";
import { isEqual } from "../../lib/equal.ts";
import { titleOf } from "../../model/metadata.ts";
import type { Problem } from "../../model/problem.ts";
import { field, isRaw, ownString } from "../../model/raw.ts";
import type { ClusterView } from "./cluster_view.ts";
import type { Known, Need } from "./needs.ts";

/** A loss of more than half of so many objects or more is doubted. */
const MANY = 10;
/** Milliseconds in which deletions count together. */
const WINDOW = 60_000;

export interface KindStore {
	put(object: unknown): void;
	/** False, with nothing done, if too many would be gone: a list has to confirm it. */
	drop(object: unknown): boolean;
	/** A list begins. What it does not name is deleted when it is committed, not before. */
	startListing(): Listing;
	size(): number;
}

export interface Listing {
	put(object: unknown): void;
	drop(object: unknown): void;
	/** Objects that would go. */
	losses(): number;
	/** So many would go that another list should say the same. */
	isDoubtful(): boolean;
	/** Takes effect, at once and as a whole. */
	commit(): void;
}

interface Held {
	readonly known: Known | undefined;
	readonly problems: readonly Problem[];
}

const NO_PROBLEMS: readonly Problem[] = [];

export interface KindStoreOptions {
	readonly need: Need;
	readonly view: ClusterView;
	readonly clock: Clock;
}

export function createKindStore({ need, view, clock }: KindStoreOptions): KindStore {
	let objects = new Map<string, Held>();
	let windowStart = Number.NEGATIVE_INFINITY;
	let sizeAtStart = 0;

	/** The projection; the one that is held already if it says the same. */
	function read(key: string, object: unknown): Held {
		const { value: known, problems } = need.project(object);
		const next: Held = { known, problems: problems.length === 0 ? NO_PROBLEMS : problems };
		const old = objects.get(key);
		return old !== undefined && isEqual(old, next) ? old : next;
	}

	function show(key: string, before: Held | undefined, after: Held | undefined): void {
		if (before === after) return;
		if (!isEqual(before?.known, after?.known)) view.change(before?.known, after?.known);
		if (!isEqual(before?.problems ?? NO_PROBLEMS, after?.problems ?? NO_PROBLEMS)) {
			view.complain(`${need.kind} ${key}`, after?.problems ?? NO_PROBLEMS);
		}
	}

	function restartWindow(): void {
		windowStart = clock.now();
		sizeAtStart = objects.size;
	}

	function startListing(): Listing {
		const next = new Map<string, Held>();
		function losses(): number {
			let lost = 0;
			for (const key of objects.keys()) if (!next.has(key)) lost++;
			return lost;
		}
		return {
			put(object) {
				const key = keyOf(need, object);
				next.set(key, read(key, object));
			},
			drop(object) {
				next.delete(keyOf(need, object));
			},
			losses,
			isDoubtful: () => objects.size >= MANY && losses() > objects.size / 2,
			commit() {
				const before = objects;
				objects = next;
				for (const [key, after] of next) show(key, before.get(key), after);
				for (const [key, old] of before) if (!next.has(key)) show(key, old, undefined);
				restartWindow();
			},
		};
	}

	return {
		put(object) {
			const key = keyOf(need, object);
			const before = objects.get(key);
			const after = read(key, object);
			objects.set(key, after);
			show(key, before, after);
		},
		drop(object) {
			const key = keyOf(need, object);
			const before = objects.get(key);
			if (before === undefined) return true;
			if (clock.now() - windowStart > WINDOW) restartWindow();
			if (sizeAtStart >= MANY && objects.size - 1 < sizeAtStart / 2) return false;
			objects.delete(key);
			show(key, before, undefined);
			return true;
		},
		startListing,
		size: () => objects.size,
	};
}

/** `namespace/name` as the object has it; one without a name gets the same key as all others without. */
function keyOf({ kind }: Need, object: unknown): string {
	const metadata = isRaw(object) ? field(object, "metadata") : undefined;
	const name = isRaw(metadata) ? field(metadata, "name") : undefined;
	const namespace = isRaw(metadata) ? field(metadata, "namespace") : undefined;
	if (typeof name === "string" && typeof namespace === "string") return ownString(`${namespace}/${name}`);
	return titleOf(kind, object);
}

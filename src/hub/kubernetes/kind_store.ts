// What is known of one kind: projections by key, replaced object by object or all at once.

import type { Clock } from "../../lib/clock.ts";
import { collectGarbage, createTidying } from "../../lib/garbage.ts";
import type { ClusterView } from "../kinds/cluster_view.ts";
import { type Held, keyOf, readHeld, showHeld } from "../kinds/held.ts";
import { MANY, MAX_OBJECTS } from "../kinds/limits.ts";
import type { Need } from "../kinds/needs.ts";
import { HubError } from "../request/hub_error.ts";

/** Milliseconds in which deletions count together. */
const WINDOW = 60_000;
/** Objects of a list that are read between two collections of all garbage. */
const PORTION = 5000;

export interface KindStore {
	/** Throws HubError if there are more than anybody has. */
	put(object: unknown): void;
	/** False, with nothing done, if too many would be gone: a list has to confirm it. */
	drop(object: unknown): boolean;
	/** A list begins. What it does not name is deleted when it is committed, not before. */
	startListing(): Listing;
	size(): number;
	get(key: string): Held | undefined;
	/** All of it is gone, whatever anybody says. */
	clear(): void;
}

export interface Listing {
	/** Throws HubError if there are more than anybody has: a list without end must not fill the memory. */
	put(object: unknown): void;
	drop(object: unknown): void;
	/** Objects that would go. */
	losses(): number;
	/** So many would go that another list should say the same. */
	isDoubtful(): boolean;
	/** Takes effect, at once and as a whole. */
	commit(): void;
}

export interface KindStoreOptions {
	readonly need: Need;
	readonly view: ClusterView;
	readonly clock: Clock;
}

export function createKindStore({ need, view, clock }: KindStoreOptions): KindStore {
	const place = { need, view };
	let objects = new Map<string, Held>();
	let windowStart = Number.NEGATIVE_INFINITY;
	let sizeAtStart = 0;

	function restartWindow(): void {
		windowStart = clock.now();
		sizeAtStart = objects.size;
	}

	function startListing(): Listing {
		const next = new Map<string, Held>();
		const tidy = createTidying();
		let read = 0;
		function losses(): number {
			let lost = 0;
			for (const key of objects.keys()) if (!next.has(key)) lost++;
			return lost;
		}
		return {
			put(object) {
				// One that comes again and again counts as well.
				if (++read > MAX_OBJECTS) throw tooMany(need);
				const key = keyOf(need, object);
				const held = readHeld(need, object, objects.get(key));
				next.set(sameText(key, held), held);
				// What is not kept of them is ten times what is; left to the runtime, it would be several times the whole in the end.
				if (next.size % PORTION === 0) collectGarbage();
				else tidy();
			},
			drop(object) {
				next.delete(keyOf(need, object));
			},
			losses,
			isDoubtful: () => objects.size >= MANY && losses() > objects.size / 2,
			commit() {
				const before = objects;
				objects = next;
				for (const [key, after] of next) showHeld(place, key, before.get(key), after);
				for (const [key, old] of before) if (!next.has(key)) showHeld(place, key, old, undefined);
				restartWindow();
			},
		};
	}

	return {
		put(object) {
			const key = keyOf(need, object);
			const before = objects.get(key);
			if (before === undefined && objects.size >= MAX_OBJECTS) throw tooMany(need);
			const after = readHeld(need, object, before);
			objects.set(key, after);
			showHeld(place, key, before, after);
		},
		drop(object) {
			const key = keyOf(need, object);
			const before = objects.get(key);
			if (before === undefined) return true;
			if (clock.now() - windowStart > WINDOW) restartWindow();
			if (sizeAtStart >= MANY && objects.size - 1 < sizeAtStart / 2) return false;
			objects.delete(key);
			showHeld(place, key, before, undefined);
			return true;
		},
		startListing,
		size: () => objects.size,
		get: (key) => objects.get(key),
		clear: () => startListing().commit(),
	};
}

/** The key as the object itself has it, if it does: one text in memory instead of two. */
function sameText(key: string, { known }: Held): string {
	const own = known?.kind === "Service" ? known.service.key : known?.kind === "EndpointSlice" ? known.slice.key : key;
	return own === key ? own : key;
}

function tooMany({ kind }: Need): HubError {
	const message = `Cannot read ${kind}s: there are over ${MAX_OBJECTS} (narrow them with --namespaces or --selector)`;
	return new HubError(message, { status: 0, reason: "TooMany" });
}

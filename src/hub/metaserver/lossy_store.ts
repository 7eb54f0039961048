// What is known of one kind from a source that loses things: what it says is believed, what it leaves out is not at once.

import { type Held, keyOf, readHeld } from "../kinds/held.ts";
import { MANY } from "../kinds/limits.ts";
import { type Absences, createAbsences } from "./absences.ts";
import { type Contents, type ContentsOptions, createContents } from "./contents.ts";

export interface LossyStore {
	/** An object came or changed. True if that is news. */
	put(object: unknown): boolean;
	/**
	 * Said to be deleted. `unsure`: nothing changes, a list will tell. What is called deleted because it is no longer selected shows
	 * that itself, and goes: `news`.
	 */
	announce(object: unknown): "unsure" | "news" | "old";
	/** One at a time: another one begins anew. */
	startListing(): LossyListing;
	get(key: string): Held | undefined;
	/** All of it is gone, whatever anybody says. */
	clear(): void;
}

export interface LossyListing {
	put(object: unknown): void;
	/** Whether the list has this object, selected or not. */
	has(key: string): boolean;
	/** Takes effect. `proved`: the list came from the cloud. */
	commit(proved: boolean): Outcome;
}

/** What became of a list. */
export interface Outcome {
	readonly changed: boolean;
	/** Nothing was known before, and the list has nothing. */
	readonly blank: boolean;
	/** Objects that it lacks go if another list lacks them as well. */
	readonly pending: boolean;
	/** What is not believed; undefined if all is. */
	readonly doubt: string | undefined;
}

export interface LossyStoreOptions extends ContentsOptions {
	/** Applied to whatever comes: a MetaServer may ignore selectors. */
	readonly selects: (object: unknown) => boolean;
}

interface Known {
	readonly contents: Contents;
	readonly absences: Absences;
}

/** By key; undefined: it is there, and not selected. */
type Listed = ReadonlyMap<string, Held | undefined>;

export function createLossyStore(options: LossyStoreOptions): LossyStore {
	const { need, selects } = options;
	const contents = createContents(options);
	const absences = createAbsences();
	/** What the watch tells while a list is on its way; undefined while none is. */
	let told: Map<string, Told> | undefined;

	/** The projection, or undefined if it is not selected. */
	function read(key: string, object: unknown): Held | undefined {
		return selects(object) ? readHeld(need, object, contents.get(key)) : undefined;
	}

	return {
		get: contents.get,
		clear() {
			for (const key of contents.keys()) take({ contents, absences }, key, undefined);
		},
		put(object) {
			const key = keyOf(need, object);
			told?.set(key, "put");
			return take({ contents, absences }, key, read(key, object));
		},
		announce(object) {
			const key = keyOf(need, object);
			told?.set(key, "deleted");
			if (contents.get(key) === undefined) return "old";
			if (!selects(object)) return take({ contents, absences }, key, undefined) ? "news" : "old";
			absences.announce(key);
			return "unsure";
		},
		startListing() {
			const next = new Map<string, Held | undefined>();
			const during = new Map<string, Told>();
			told = during;
			return {
				put(object) {
					const key = keyOf(need, object);
					next.set(key, read(key, object));
				},
				has: (key) => next.has(key),
				commit(proved) {
					told = undefined;
					return commit({ contents, absences }, { next, told: during, proved });
				},
			};
		},
	};
}

/** True if it is news. */
function take({ contents, absences }: Known, key: string, held: Held | undefined): boolean {
	absences.end(key);
	return held === undefined ? contents.remove(key) : contents.set(key, held);
}

type Told = "put" | "deleted";

interface List {
	readonly next: Listed;
	/** By key: of these the watch knows better than the list. */
	readonly told: ReadonlyMap<string, Told>;
	/** It came from the cloud. */
	readonly proved: boolean;
}

function commit(known: Known, list: List): Outcome {
	const { contents, absences } = known;
	const { next, told, proved } = list;
	const before = contents.keys();
	const absent = before.filter((key) => !next.has(key) && told.get(key) !== "put");
	const changed = takeAll(known, list);
	const isLarge = absent.length === before.length || (before.length >= MANY && absent.length > before.length / 2);
	const { gone, pending, doubted } = absences.judge(absent, { proved, isLarge });
	for (const key of gone) take(known, key, undefined);
	return {
		changed: changed || gone.length > 0,
		blank: before.length === 0 && next.size === 0,
		pending,
		doubt: doubted === 0 ? undefined : describe(doubted, before.length, proved),
	};
}

/** What the list has. True if some of it is news. */
function takeAll(known: Known, { next, told, proved }: List): boolean {
	let changed = false;
	for (const [key, held] of next) {
		// A store that has not heard of a deletion.
		const isStale = !proved && known.contents.isBuried(key);
		if (!told.has(key) && !isStale) changed = take(known, key, held) || changed;
	}
	return changed;
}

function describe(doubted: number, known: number, proved: boolean): string {
	const lack = `lacks ${doubted} of ${known} objects`;
	return proved
		? `A list ${lack}: not believed until a second list says the same`
		: `A list that the cloud has not answered ${lack}: they stay until it has`;
}

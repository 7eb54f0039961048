// Keeps the store of one kind equal to what an API server has: list, watch, resume, and list again where that is needed.

import { assertNever } from "../../lib/assert_never.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Api } from "./api.ts";
import { type Backoff, createBackoff } from "./backoff.ts";
import { HubError } from "./hub_error.ts";
import type { KindState } from "./kind_state.ts";
import type { KindStore, Listing } from "./kind_store.ts";
import type { Scope } from "./needs.ts";
import { listByPages } from "./page_list.ts";
import { Doubt, judge, type Phase, type Verdict, waitOf } from "./verdict.ts";
import { isGoneBack } from "./version_probe.ts";
import type { WatchEvent } from "./watch_event.ts";
import { watchEvents } from "./watch_stream.ts";

/** Milliseconds: a watch that ends sooner is no normal end. */
const SHORT = 1000;

/** The first bookmark of a streaming list is the mark of its end, wherever `sendInitialEvents` means something. */
const NOT_STREAMED = "Cannot list: the server sends bookmarks, and no mark after the initial events";

/** What all kinds of one hub share. */
export interface HubFeatures {
	/** False after the server refused a streaming list. */
	streaming: boolean;
}

export interface ReflectorOptions {
	readonly api: Api;
	readonly scope: Scope;
	readonly store: KindStore;
	readonly state: KindState;
	readonly features: HubFeatures;
	readonly clock: Clock;
	/** From 0 up to 1. */
	readonly random: () => number;
	readonly log: Log;
	readonly signal: AbortSignal;
}

/** Where a reflector stands. */
interface Position {
	/** What the store is equal to; undefined: a list is needed. */
	version: string | undefined;
	/** The next list goes by pages whatever the server can do. */
	pagesOnce: boolean;
	/** The next list is believed whatever it says. */
	confirming: boolean;
	/** Watches in a row that ended at once. */
	shortWatches: number;
	/** The last watch carried nothing: nobody knows whether the server knows the version. */
	unproven: boolean;
}

interface Round extends ReflectorOptions {
	readonly position: Position;
	readonly backoff: Backoff;
}

/** Runs until the signal is aborted. Never throws: what fails is told to the state and tried again. */
export async function reflect(options: ReflectorOptions): Promise<void> {
	const { clock, random, signal } = options;
	const position: Position = {
		version: undefined,
		pagesOnce: false,
		confirming: false,
		shortWatches: 0,
		unproven: false,
	};
	const round: Round = { ...options, position, backoff: createBackoff(random) };
	while (!signal.aborted) {
		// As it was when the request was made: another kind may find out meanwhile what the server can do.
		let during: Phase = "watching";
		try {
			await prove(round);
			during = phaseOf(round);
			if (during === "paging") await list(round);
			await watch(round);
		} catch (error) {
			if (signal.aborted) return;
			const verdict = judge(error, position.version === undefined ? during : "watching");
			follow(verdict, error, round);
			await clock.sleep(waitOf(verdict, error, round), signal);
		}
	}
}

function phaseOf({ position, features }: Round): Phase {
	if (position.version !== undefined) return "watching";
	return position.pagesOnce || !features.streaming ? "paging" : "streaming";
}

async function list(round: Round): Promise<void> {
	const { store, state } = round;
	const { listing, version } = await listByPages({ ...round, start: store.startListing, onBytes: state.heard });
	commit(round, listing, version);
}

function commit({ position, store, state }: Round, listing: Listing, version: string): void {
	if (listing.isDoubtful() && !position.confirming) {
		throw new Doubt(`A list lacks ${listing.losses()} of ${store.size()} objects`);
	}
	listing.commit();
	position.confirming = false;
	position.pagesOnce = false;
	position.version = version;
	state.listed();
}

/** From the position's version; without one it begins with a streaming list. */
async function watch(round: Round): Promise<void> {
	const { position, state, store, clock, signal, backoff } = round;
	let listing = position.version === undefined ? store.startListing() : undefined;
	const opened = clock.now();
	const onOpen = (): void => {
		position.unproven = listing === undefined;
		(listing === undefined ? state.live : state.heard)();
	};
	for await (const events of watchEvents({ ...round, version: position.version, onOpen })) {
		position.unproven = false;
		state.heard();
		// Not by a list: where lists work and watches do not, it would be read again and again without a pause.
		if (listing === undefined) backoff.reset();
		for (const event of events) listing = take(round, event, listing);
	}
	if (signal.aborted) return;
	if (listing !== undefined) {
		throw new HubError("Cannot list: the initial events ended early", { status: 0, reason: "Broken" });
	}
	position.shortWatches = clock.now() - opened < SHORT ? position.shortWatches + 1 : 0;
	// An end is no failure; but a server that ends each watch at once must not be asked without a pause.
	if (position.shortWatches > 1 || (position.shortWatches === 1 && position.unproven)) {
		await clock.sleep(backoff.next(), signal);
	}
}

/** Returns the listing if it is still going on. */
function take(round: Round, event: WatchEvent, listing: Listing | undefined): Listing | undefined {
	const { position, store, state } = round;
	switch (event.kind) {
		case "put":
			(listing ?? store).put(event.object);
			state.changed();
			break;
		case "drop":
			drop(event.object, listing, store);
			state.changed();
			break;
		case "bookmark":
			if (listing === undefined) break;
			if (!event.complete) throw new HubError(NOT_STREAMED, { status: 0, reason: "NotStreamed" });
			commit(round, listing, event.version);
			return undefined;
		case "error":
			throw event.error;
		default:
			assertNever(event);
	}
	if (listing === undefined) position.version = event.version;
	return listing;
}

function drop(object: unknown, listing: Listing | undefined, store: KindStore): void {
	if (listing !== undefined) listing.drop(object);
	else if (!store.drop(object)) throw new Doubt("Most objects were deleted within a minute");
}

/** After a watch that carried nothing: one from a future version, as after etcd was restored from a backup, only stays silent. */
async function prove(round: Round): Promise<void> {
	const { position } = round;
	if (position.unproven && position.version !== undefined && (await isGoneBack(round, position.version))) {
		position.version = undefined;
	}
	position.unproven = false;
}

function follow(verdict: Verdict, error: unknown, { position, features, state, scope, log }: Round): void {
	if (verdict.relist) position.version = undefined;
	if (verdict.pages === "once") position.pagesOnce = true;
	if (verdict.pages === "always") features.streaming = false;
	if (error instanceof Doubt) {
		position.confirming = true;
		state.doubted(`${error.message}: not believed until a second list says the same`);
	} else if (verdict.quiet) log.debug({ kind: scope.title, err: error }, "Listing again");
	else state.failed(error);
}

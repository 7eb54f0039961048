// Keeps the store of one kind equal to what an API server has: list, watch, resume, and list again where that is needed.

import { assertNever } from "../../lib/assert_never.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { isMissing, type KindState } from "../kinds/kind_state.ts";
import type { Scope } from "../kinds/scopes.ts";
import type { Api } from "../request/api.ts";
import { type Backoff, createBackoff } from "../request/backoff.ts";
import { HubError } from "../request/hub_error.ts";
import { askedBy, Doubt, judge, type Phase, type Verdict, waitOf } from "../request/verdict.ts";
import type { KindStore, Listing } from "./kind_store.ts";
import type { Outage, Turns } from "./outage.ts";
import { listByPages } from "./page_list.ts";
import { isGoneBack } from "./version_probe.ts";
import type { WatchEvent } from "./watch_event.ts";
import { watchEvents } from "./watch_stream.ts";

/** Seconds after which the server shall end a watch: between this and twice as long, so that clients spread. As client-go. */
const SHORTEST = 300;
/** Milliseconds: a watch that ends so much sooner than asked for was ended for a reason that other clients have too. */
const EARLY = 1000;
/** Milliseconds: a watch that worked for so long ends what was bad before. */
const STEADY = 10_000;

/** Milliseconds, up to twice as long, until a kind that is not installed is asked for once more: everybody starts without the policies once. */
const ONCE_MORE = 500;

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
	readonly outage: Outage;
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
	/** That list may be any that is not older than this; undefined: it must be the newest. */
	floor: string | undefined;
	/** The next list of what is newest goes by pages whatever the server can do. */
	pagesOnce: boolean;
	/** The next list is believed whatever it says. */
	confirming: boolean;
	/** The last watch carried nothing: nobody knows whether the server knows the version. */
	unproven: boolean;
	/** It has waited for a time of its own since the last event. */
	waited: boolean;
	/** 403 or 404 was the last answer. */
	refused: boolean;
	/** When the watch of this round began, infinite if it did not, and when it was last heard of; by the clock. */
	opened: number;
	heard: number;
}

interface Round extends ReflectorOptions {
	readonly position: Position;
	readonly backoff: Backoff;
	readonly turns: Turns;
}

function createRound(options: ReflectorOptions): Round {
	const position: Position = {
		version: undefined,
		floor: undefined,
		pagesOnce: false,
		confirming: false,
		unproven: false,
		waited: false,
		refused: false,
		opened: Number.POSITIVE_INFINITY,
		heard: 0,
	};
	return { ...options, position, backoff: createBackoff(options), turns: options.outage.join() };
}

/** Runs until the signal is aborted. Never throws: what fails is told to the state and tried again. */
export async function reflect(options: ReflectorOptions): Promise<void> {
	const round = createRound(options);
	while (!options.signal.aborted) await runOnce(round);
	round.turns.leave();
}

async function runOnce(round: Round): Promise<void> {
	const { position, state, signal } = round;
	// As it was when the request was made: another kind may find out meanwhile what the server can do.
	let during: Phase = "watching";
	position.opened = Number.POSITIVE_INFINITY;
	try {
		await prove(round);
		during = phaseOf(round);
		if (during !== "watching") state.reading.begin();
		if (during === "paging") await list(round);
		await watch(round);
	} catch (error) {
		if (signal.aborted) return;
		const verdict = judge(error, position.version === undefined ? during : "watching");
		follow(verdict, error, round);
		noteEnd(round, error);
		await pause(verdict, error, round);
	}
}

/** A connection that fell silent was there until it was last heard. */
function noteEnd({ position, clock, turns, backoff }: Round, error?: unknown): void {
	const isSilent = error instanceof HubError && error.reason === "Silent";
	const end = isSilent ? position.heard : clock.now();
	if (end - position.opened < STEADY) return;
	backoff.reset();
	turns.reset();
}

function phaseOf({ position, features }: Round): Phase {
	if (position.version !== undefined) return "watching";
	return position.floor !== undefined || position.pagesOnce || !features.streaming ? "paging" : "streaming";
}

async function list(round: Round): Promise<void> {
	const { store, state, turns, position } = round;
	const onBytes = (): void => {
		state.heard();
		turns.answered();
	};
	const { listing, version } = await listByPages({
		...round,
		floor: position.floor,
		start: store.startListing,
		onBytes,
	});
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
	position.waited = false;
	position.refused = false;
	state.listed();
}

/** From the position's version; without one it begins with a streaming list. */
async function watch(round: Round): Promise<void> {
	const { position, state, store, clock, signal, random, turns } = round;
	let listing = position.version === undefined ? store.startListing() : undefined;
	const asked = clock.now();
	const seconds = Math.round(SHORTEST * (1 + random()));
	const onOpen = (): void => {
		position.opened = clock.now();
		position.heard = clock.now();
		position.unproven = listing === undefined;
		(listing === undefined ? state.live : state.heard)();
		turns.answered();
	};
	for await (const events of watchEvents({ ...round, version: position.version, seconds, onOpen })) {
		position.unproven = false;
		position.heard = clock.now();
		state.heard();
		for (const event of events) listing = take(round, event, listing);
	}
	if (signal.aborted) return;
	if (listing !== undefined) {
		throw new HubError("Cannot list: the initial events ended early", { status: 0, reason: "Broken" });
	}
	if (clock.now() - asked >= seconds * 1000 - EARLY) return;
	// An end is no failure; but a server that is being stopped ends all watches at one moment, and one may end each at once.
	noteEnd(round);
	await waitForTurn(round, 0);
}

/** Returns the listing if it is still going on. */
function take(round: Round, event: WatchEvent, listing: Listing | undefined): Listing | undefined {
	const { position, store, state } = round;
	if (event.kind !== "error") position.waited = false;
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
		position.floor = undefined;
	}
	position.unproven = false;
}

function follow(verdict: Verdict, error: unknown, { position, features, state, store, scope, log }: Round): void {
	if (verdict.resume !== "watch") {
		position.floor = verdict.resume === "list" ? (position.version ?? position.floor) : undefined;
		position.version = undefined;
	}
	if (verdict.pages === "once") position.pagesOnce = true;
	if (verdict.pages === "always") features.streaming = false;
	if (error instanceof Doubt) {
		position.confirming = true;
		state.doubted(`${error.message}: not believed until a second list says the same`);
	} else if (verdict.quiet) log.debug({ kind: scope.title, err: error }, "Listing again");
	else if (state.failed(error) === "absent") store.clear();
}

async function pause(verdict: Verdict, error: unknown, round: Round): Promise<void> {
	const { position, scope, clock, random, turns, signal } = round;
	const { wait } = verdict;
	if (wait === "shared") return await waitForTurn(round, askedBy(error));
	if (wait === "spread") {
		if (!position.waited) await waitForTurn(round, 0);
		return;
	}
	turns.answered();
	// A server that has just started does not know everybody's rights yet.
	const isSoon = wait === "refused" && !position.refused;
	if (wait === "refused") position.refused = true;
	const isQuick = isSoon && isMissing(scope, error);
	const time = isQuick
		? ONCE_MORE * (1 + random())
		: waitOf(isSoon ? { ...verdict, wait: "alone" } : verdict, error, round);
	if (time === 0) return;
	await clock.sleep(time, signal);
	position.waited = true;
}

async function waitForTurn({ position, turns, signal }: Round, asked: number): Promise<void> {
	await turns.wait(asked, signal);
	position.waited = true;
}

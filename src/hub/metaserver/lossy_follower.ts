// Keeps the store of one kind close to what a MetaServer has: a watch for what comes, and lists again and again for what is true.

import { assertNever } from "../../lib/assert_never.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { isRaw } from "../../model/raw.ts";
import type { KindState } from "../kinds/kind_state.ts";
import { MAX_OBJECT } from "../kinds/limits.ts";
import { type Scope, selectorsOf } from "../kinds/scopes.ts";
import type { Api } from "../request/api.ts";
import { type Backoff, createBackoff, OF_ONE } from "../request/backoff.ts";
import { createLineSplitter } from "../request/json_lines.ts";
import { CONFIRM, judge, waitOf } from "../request/verdict.ts";
import { type Agenda, createAgenda } from "./agenda.ts";
import { type CloudLink, isFromCloud } from "./cloud_link.ts";
import { type LossyEvent, parseLossyEvent, strangerOf } from "./lossy_event.ts";
import type { LossyStore, Outcome } from "./lossy_store.ts";
import { readWholeList } from "./whole_list.ts";

/** Milliseconds, up to twice as long, until a list after something that only a list can tell. */
const SOON = 1000;
/** Milliseconds between two lists, give or take a tenth: watches that stay silent are known. */
const RELIST = 600_000;
/** Milliseconds, up to twice as long, between two lists while the cloud does not answer, or no watch is open. */
const UNSURE = 60_000;
/** The same while nothing at all is known yet. */
const BLANK = 5000;
/** Milliseconds without a replayed object after which a watch has told what it begins with. */
const QUIET = 1000;
/** Milliseconds: a watch that ends sooner is no normal end. */
const SHORT = 1000;
/** Seconds after which the server ends a watch, up to twice as long: KubeEdge takes watches with the same options for one. */
const LONGEST = 1800;
/** Milliseconds of silence in a watch: a loopback connection cannot be half open, and KubeEdge sends no bookmarks. */
const NO_LIMIT = 2 ** 31 - 1;

export interface FollowerOptions {
	readonly api: Api;
	readonly scope: Scope;
	readonly store: LossyStore;
	readonly state: KindState;
	readonly link: CloudLink;
	readonly clock: Clock;
	/** From 0 up to 1. */
	readonly random: () => number;
	readonly log: Log;
	readonly signal: AbortSignal;
}

interface Round extends FollowerOptions {
	readonly agenda: Agenda;
	/** A watch is open. */
	isWatching: boolean;
	/** The watch repeats what the MetaServer's store has, old or new; undefined once lists have told what is true of it. */
	replay: { lastAt: number } | undefined;
	/** Objects of another kind were seen, and told of. */
	hasStrangers: boolean;
}

/** Runs until the signal is aborted. Never throws: what fails is told to the state and tried again. */
export async function followLossily(options: FollowerOptions): Promise<void> {
	const agenda = createAgenda(options.clock, options.signal);
	const round: Round = { ...options, agenda, isWatching: false, replay: undefined, hasStrangers: false };
	await Promise.all([keepListing(round), keepWatching(round)]);
	options.link.leave(options.scope.title);
}

async function keepListing(round: Round): Promise<void> {
	const { agenda, clock, random, signal, state, log, scope } = round;
	const backoff = createBackoff({ clock, random, pace: OF_ONE });
	for (;;) {
		await agenda.wait();
		if (signal.aborted) return;
		const started = clock.now();
		try {
			agenda.within(await list(round));
			backoff.reset();
			// A list that takes long is not asked for all the time.
			agenda.rest(clock.now() - started);
		} catch (error) {
			if (signal.aborted) return;
			// Without a watch it is the watch's failure that is told.
			if (round.isWatching) state.failed(error);
			else log.debug({ kind: scope.title, err: error }, "Cannot list");
			const wait = waitOf(judge(error, "paging"), error, { backoff, random });
			agenda.rest(wait);
			agenda.within(wait);
		}
	}
}

/** Milliseconds until the next list is due. */
async function list(round: Round): Promise<number> {
	const { api, scope, store, state, link, clock, signal } = round;
	const { replay } = round;
	const isQuiet = replay === undefined || clock.now() - replay.lastAt >= QUIET;
	const listing = store.startListing();
	const onItem = (item: unknown): void => {
		const found = isRaw(item) ? strangerOf(item, scope.need.kind) : undefined;
		if (found === undefined) listing.put(item);
		else tellStranger(round, found);
	};
	const frame = await readWholeList({ api, scope, onItem, onBytes: state.heard, signal });
	const proved = isFromCloud(frame, scope, listing.has);
	const outcome = listing.commit(proved);
	// Where the cloud does not have the kind the store is asked, which has nothing either: that says nothing of the cloud.
	if (proved || !isUnknown(round, outcome)) link.answered(scope.title, proved);
	if (outcome.changed) state.changed();
	if (isQuiet && round.replay === replay) round.replay = undefined;
	report(round, outcome, proved);
	return nextIn(round, outcome, proved);
}

function report(round: Round, outcome: Outcome, proved: boolean): void {
	const { state, isWatching } = round;
	const { blank, doubt } = outcome;
	if (isUnknown(round, outcome) && !proved) state.missing();
	else if (blank && !proved && !state.status().synced) {
		state.doubted("Nothing is known yet, and the cloud has not answered: an empty list is not believed");
	} else if (doubt !== undefined) state.listedInDoubt(doubt);
	else if (isWatching) state.listed();
	else state.read();
}

/** Nothing of a kind that a cluster need not have. */
function isUnknown({ scope }: Round, { blank }: Outcome): boolean {
	return blank && scope.need.install !== undefined;
}

function nextIn({ random, replay, isWatching, state }: Round, outcome: Outcome, proved: boolean): number {
	if (!state.status().synced) return BLANK * (1 + random());
	if (outcome.pending) return CONFIRM * (1 + random() / 2);
	if (replay !== undefined) return SOON * (1 + random());
	if (!proved || !isWatching) return UNSURE * (1 + random());
	return RELIST * (0.9 + random() / 5);
}

async function keepWatching(round: Round): Promise<void> {
	const { clock, random, signal, state } = round;
	const backoff = createBackoff({ clock, random, pace: OF_ONE });
	while (!signal.aborted) {
		let wait = 0;
		try {
			const lasted = await watch(round, backoff);
			// An end is no failure; but a server that ends each watch at once must not be asked without a pause.
			if (lasted < SHORT) wait = backoff.next();
		} catch (error) {
			if (signal.aborted) return;
			state.failed(error);
			wait = waitOf(judge(error, "paging"), error, { backoff, random });
		}
		await clock.sleep(wait, signal);
	}
}

/** Milliseconds that it was open. */
async function watch(round: Round, backoff: Backoff): Promise<number> {
	const { api, scope, state, clock, random, signal } = round;
	using answer = await api.get({
		path: scope.path,
		query: {
			watch: "true",
			...selectorsOf(scope),
			timeoutSeconds: String(Math.round(LONGEST * (1 + random()))),
		},
		action: `watch ${scope.title}`,
		silence: NO_LIMIT,
		signal,
	});
	round.isWatching = true;
	round.replay = { lastAt: clock.now() };
	askSoon(round);
	const opened = clock.now();
	const lines = createLineSplitter(MAX_OBJECT);
	try {
		for await (const chunk of answer.chunks()) {
			state.heard();
			for (const line of lines.push(chunk)) take(round, parseLossyEvent(line, scope.need.kind));
		}
	} finally {
		round.isWatching = false;
		if (clock.now() - opened >= SHORT) backoff.reset();
	}
	return clock.now() - opened;
}

function take(round: Round, event: LossyEvent): void {
	const { store, state, replay, log, scope, clock } = round;
	switch (event.kind) {
		case "added":
			if (replay !== undefined) {
				replay.lastAt = clock.now();
				askSoon(round);
			} else if (store.put(event.object)) state.changed();
			return;
		case "modified":
			if (store.put(event.object)) state.changed();
			return;
		case "deleted":
			takeDeleted(round, event.object);
			return;
		case "error":
			throw event.error;
		case "skipped":
			log.debug({ kind: scope.title }, `An event is skipped: ${event.why}`);
			return;
		case "stranger":
			tellStranger(round, event.found);
			return;
		default:
			assertNever(event);
	}
}

function takeDeleted(round: Round, object: unknown): void {
	const { store, state } = round;
	const found = store.announce(object);
	if (found === "unsure") askSoon(round);
	else if (found === "news") state.changed();
}

function askSoon({ agenda, random }: Round): void {
	agenda.within(SOON * (1 + random()));
}

function tellStranger(round: Round, found: string): void {
	if (round.hasStrangers) return;
	round.hasStrangers = true;
	round.log.warn(
		{ kind: round.scope.title, found },
		"The MetaServer sends objects of another kind, which are left out",
	);
}

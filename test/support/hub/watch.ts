// Watches: what was, what changes, bookmarks, and a handle by which tests break each of them.

import { headersFor } from "./answer.ts";
import type { Response } from "./http.ts";
import { idOf } from "./kind.ts";
import { type Features, type ListContext, reach, type Selection, type Timing, versionOf } from "./list.ts";
import { type Fields, type KubeObject, withMeta } from "./object.ts";
import { ApiError, badRequest, type Cause, expired, forbiddenField, invalidOptions, statusObject } from "./status.ts";
import type { Change, Store } from "./store.ts";
import { encode, encodeBookmark, encodeOne, type Form } from "./wire.ts";

/** A watch that a client holds open. */
export interface OpenWatch {
	readonly user: string;
	/** services, leases.coordination.k8s.io */
	readonly resource: string;
	readonly namespace: string | undefined;
	readonly target: string;
	/** Events sent, bookmarks among them. */
	readonly sent: () => number;
	readonly isOpen: () => boolean;
	/** The terminating chunk: a clean end, the connection stays. */
	end(): void;
	/** The connection ends without the terminating chunk. */
	fin(): void;
	reset(): void;
	/** Not a byte any more, and no end. */
	silence(): void;
	/** A bookmark of now, or of any version. */
	bookmark(revision?: number): void;
	/** An ERROR event with a Status, then a clean end as the API server does it. */
	error(status: ApiError): void;
	/** Any event: with a bogus type, object, or version. */
	event(type: string, object: unknown): void;
	/** Any text, as a chunk of the stream. */
	text(text: string): void;
}

export interface WatchContext extends ListContext {
	readonly watches: Set<OpenWatch>;
}

export interface WatchWish {
	readonly selection: Selection;
	readonly query: URLSearchParams;
	readonly form: Form;
	readonly user: string;
	readonly target: string;
}

const FOREVER_S = 1800;
/** How long before its end a watch gets its last bookmark. */
const LAST_BOOKMARK_MS = 1500;

/** Serves a watch to its end. Throws, before anything is sent, what is wrong with its options. */
export async function serveWatch(context: WatchContext, wish: WatchWish, response: Response): Promise<void> {
	const { store, features, timing } = context;
	const { query, selection } = wish;
	const mode = modeOf(query, features.initialEvents);
	const revision = versionOf(query, "watch");
	const stream = createStream(context, wish, response);
	response.start(200, headersFor("application/json"));
	if (mode === "marked" && !(await isReached(store, revision ?? 0, { timing, stream }))) return;
	const start = startOf(store, selection, { mode, revision });
	if (start === undefined) return stream.error(expired(`too old resource version: ${revision} (${store.floor()})`));
	stream.follow(start.revision);
	await stream.early(start.objects.filter(selection.matches));
	if (mode === "marked" && query.get("allowWatchBookmarks") === "true")
		stream.bookmark(start.revision, { annotations: { "k8s.io/initial-events-end": "true" } });
	for (const change of start.missed) stream.change(change);
	stream.goLive();
	await stream.ended;
}

/** Waits for a version of the future. False: it did not come, and the watch is over. */
async function isReached(
	store: Store,
	revision: number,
	{ timing, stream }: { readonly timing: Timing; readonly stream: Stream },
): Promise<boolean> {
	try {
		await reach(store, revision, timing);
	} catch (error) {
		if (!(error instanceof ApiError)) throw error;
		stream.error(error);
	}
	return stream.isOpen();
}

/** `marked`: what is there, and a mark after it; `none`: only what comes; `usual`: by the resourceVersion. */
type Mode = "marked" | "none" | "usual";

interface Start {
	readonly revision: number;
	/** Sent as ADDED. */
	readonly objects: readonly KubeObject[];
	readonly missed: readonly Change[];
}

/** Where a watch begins; undefined if that is too long ago. */
function startOf(
	store: Store,
	{ kind }: Selection,
	{ mode, revision = 0 }: { readonly mode: Mode; readonly revision: number | undefined },
): Start | undefined {
	const snapshot = store.snapshot(idOf(kind));
	if (mode === "marked" || (mode === "usual" && revision === 0)) return { ...snapshot, missed: [] };
	if (revision === 0) return { revision: snapshot.revision, objects: [], missed: [] };
	const missed = store.since(idOf(kind), revision);
	return missed === undefined ? undefined : { revision, objects: [], missed };
}

const ONLY_NOT_OLDER = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
const GATE_OFF = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled";
const NO_MATCH = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";

/** What sendInitialEvents says. Throws 422 if the options do not go together. */
function modeOf(query: URLSearchParams, support: Features["initialEvents"]): Mode {
	const wanted = query.get("sendInitialEvents") ?? undefined;
	const match = query.get("resourceVersionMatch") ?? "";
	if (support === "ignored") return "usual";
	if (support === "bad-request" && wanted !== undefined) throw badRequest("unknown parameter: sendInitialEvents");
	const causes =
		wanted === undefined ? usualFaults(match) : [...initialFaults(match), ...(support === "forbidden" ? [GATE] : [])];
	if (causes.length > 0) throw invalidOptions("ListOptions", causes);
	if (wanted === undefined) return "usual";
	return wanted === "true" ? "marked" : "none";
}

const GATE = forbiddenField("sendInitialEvents", GATE_OFF);

function usualFaults(match: string): readonly Cause[] {
	return match === "" ? [] : [forbiddenField("resourceVersionMatch", NO_MATCH)];
}

function initialFaults(match: string): readonly Cause[] {
	return match === "NotOlderThan" ? [] : [forbiddenField("resourceVersionMatch", ONLY_NOT_OLDER)];
}

interface Stream extends Omit<OpenWatch, "bookmark"> {
	/** Takes note of what changes after this version; it is sent once the stream is live. */
	follow(revision: number): void;
	/** Sends what is there before the stream is live, as fast as the reader takes it. */
	early(objects: readonly KubeObject[]): Promise<void>;
	bookmark(revision?: number, metadata?: Fields): void;
	change(change: Change): void;
	goLive(): void;
	readonly ended: Promise<void>;
}

function createStream(context: WatchContext, wish: WatchWish, response: Response): Stream {
	const { store, watches, timing, features } = context;
	const { selection, form, query, user, target } = wish;
	const { kind } = selection;
	const { promise: ended, resolve } = Promise.withResolvers<void>();
	const { connection } = response;
	let open = true;
	let sent = 0;
	let started = 0;
	let backlog: Change[] | undefined = [];
	const cleanup: (() => void)[] = [];
	const close = () => {
		if (!open) return;
		open = false;
		watches.delete(stream);
		for (const undo of cleanup) undo();
		resolve();
	};
	const text = (line: string): boolean => {
		if (!open) return true;
		sent += 1;
		return response.chunk(line);
	};
	const send = (type: string, object: KubeObject) =>
		text(`{"type":"${type}","object":${encodeOne(object, kind, form)}}\n`);
	const change = (each: Change) => {
		const event = eventFor(each, selection);
		if (event !== undefined) send(event.type, event.object);
	};
	const finish = () => {
		if (open) response.finish();
		close();
	};
	const stream: Stream = {
		user,
		target,
		resource: idOf(kind),
		namespace: selection.namespace,
		ended,
		sent: () => sent,
		isOpen: () => open,
		end: finish,
		fin: () => connection.fin(),
		reset: () => connection.reset(),
		silence: () => connection.silence(),
		text: (raw) => void text(raw),
		event: (type, object) => void text(`${encode({ type, object })}\n`),
		error(status) {
			text(`${encode({ type: "ERROR", object: statusObject(status.failure) })}\n`);
			finish();
		},
		bookmark(revision = store.revision(), metadata = {}) {
			const object = encodeBookmark(kind, form, { resourceVersion: `${revision}`, ...metadata });
			text(`{"type":"BOOKMARK","object":${object}}\n`);
		},
		change,
		follow(revision) {
			started = revision;
			cleanup.push(
				store.subscribe((each) => {
					if (each.kind !== idOf(kind) || each.revision <= started) return;
					if (backlog === undefined) change(each);
					else backlog.push(each);
				}),
			);
		},
		async early(objects) {
			for (const object of objects) {
				if (!open) return;
				if (!send("ADDED", object)) await response.drained();
			}
		},
		goLive() {
			const waiting = backlog ?? [];
			backlog = undefined;
			for (const each of waiting) change(each);
		},
	};
	const regular = () => {
		// No bookmark comes while nothing moved past the version the watch began at.
		if (store.revision() > Math.max(started, 1) && features.bookmarks && backlog === undefined) stream.bookmark();
	};
	const seconds = Number(query.get("timeoutSeconds") ?? 0) || FOREVER_S;
	const timers = [setTimeout(finish, seconds * 1000)];
	if (query.get("allowWatchBookmarks") === "true") {
		const interval = setInterval(regular, timing.bookmarkMs);
		cleanup.push(() => clearInterval(interval));
		timers.push(setTimeout(regular, Math.max(seconds * 1000 - LAST_BOOKMARK_MS, 100)));
	}
	cleanup.push(() => timers.forEach(clearTimeout));
	watches.add(stream);
	connection.onClose(close);
	return stream;
}

/** An object that comes to be selected is ADDED, one that is no longer is DELETED: its last state with the new version. */
function eventFor(
	change: Change,
	{ matches }: Selection,
): { readonly type: string; readonly object: KubeObject } | undefined {
	const { type, object, before } = change;
	const was = before !== undefined && matches(before);
	if (type === "DELETED") return was ? { type, object } : undefined;
	const is = matches(object);
	if (is) return { type: was ? "MODIFIED" : "ADDED", object };
	if (!was) return undefined;
	return { type: "DELETED", object: withMeta(before, { resourceVersion: `${change.revision}` }) };
}

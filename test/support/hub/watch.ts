// Watches: what was, what changes, bookmarks, and a handle by which tests break each of them.

import { headersFor } from "./answer.ts";
import type { Response } from "./http.ts";
import { idOf } from "./kind.ts";
import { type ListContext, reach, type Selection, versionOf } from "./list.ts";
import { type Fields, type KubeObject, withMeta } from "./object.ts";
import { ApiError, badRequest, type Cause, expired, forbiddenField, invalidOptions, statusObject } from "./status.ts";
import type { Change } from "./store.ts";
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
	const { store, features } = context;
	const { query, selection } = wish;
	const wanted = checkWatchOptions(query, features.initialEvents);
	const revision = versionOf(query, "watch");
	const initial = features.initialEvents === "served" && query.get("sendInitialEvents") === "true";
	const stream = createStream(context, wish, response);
	response.start(200, headersFor("application/json"));
	try {
		if (initial && revision !== undefined) await reach(store, revision, context.timing);
	} catch (error) {
		if (!(error instanceof ApiError)) throw error;
		stream.error(error);
		return;
	}
	if (!stream.isOpen()) return;
	const synthetic = initial || (wanted === undefined && (revision === undefined || revision === 0));
	const snapshot = store.snapshot(idOf(selection.kind));
	const from = synthetic || revision === undefined ? snapshot.revision : revision;
	const missed = synthetic ? [] : store.since(idOf(selection.kind), from);
	if (missed === undefined) {
		stream.error(expired(`too old resource version: ${from} (${store.floor()})`));
		return;
	}
	stream.follow(from);
	for (const object of synthetic ? snapshot.objects : []) {
		if (!selection.matches(object)) continue;
		await stream.early("ADDED", object);
		if (!stream.isOpen()) return;
	}
	if (initial && query.get("allowWatchBookmarks") === "true")
		stream.bookmark(snapshot.revision, { annotations: { "k8s.io/initial-events-end": "true" } });
	for (const change of missed) stream.change(change);
	stream.goLive();
	await stream.ended;
}

/** What sendInitialEvents says. Throws 422 if the options do not go together. */
function checkWatchOptions(query: URLSearchParams, mode: ListContext["features"]["initialEvents"]): string | undefined {
	const wanted = query.get("sendInitialEvents") ?? undefined;
	const match = query.get("resourceVersionMatch") ?? "";
	if (mode === "ignored") return undefined;
	if (mode === "bad-request" && wanted !== undefined) throw badRequest("unknown parameter: sendInitialEvents");
	const causes: Cause[] = [];
	const forbid = (field: string, why: string) => causes.push(forbiddenField(field, why));
	if (wanted !== undefined && match !== "NotOlderThan")
		forbid("resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
	if (wanted !== undefined && mode === "forbidden")
		forbid(
			"sendInitialEvents",
			"sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled",
		);
	if (wanted === undefined && match !== "")
		forbid("resourceVersionMatch", "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
	if (causes.length > 0) throw invalidOptions("ListOptions", causes);
	return wanted;
}

interface Stream extends Omit<OpenWatch, "bookmark"> {
	/** Takes note of what changes after this version; it is sent once the stream is live. */
	follow(revision: number): void;
	/** An event of before the stream is live: waits for a slow reader. */
	early(type: string, object: KubeObject): Promise<void>;
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
		async early(type, object) {
			if (!send(type, object)) await response.drained();
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

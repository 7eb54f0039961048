// One watch request -> its events.

import { MAX_OBJECT } from "../kinds/limits.ts";
import { type Scope, selectorsOf } from "../kinds/scopes.ts";
import type { Api } from "../request/api.ts";
import { createLineSplitter } from "../request/json_lines.ts";
import { parseEvent, type WatchEvent } from "./watch_event.ts";

/**
 * Milliseconds without a byte after which a watch counts as dead. Bookmarks come every minute while anything in the cluster changes;
 * two may be late.
 */
const SILENCE = 150_000;
export interface WatchOptions {
	readonly api: Api;
	readonly scope: Scope;
	/** From here; undefined for a streaming list: what exists as "put", then a complete bookmark, then changes. */
	readonly version: string | undefined;
	/** After which the server shall end it. */
	readonly seconds: number;
	/** The server has answered. */
	readonly onOpen: () => void;
	readonly signal: AbortSignal;
}

/**
 * The events of each portion that arrives, all to be taken before the next portion. Each is parsed when it is asked for: a long list never
 * sits in memory as objects. Ends when the server ends it, or when the signal is aborted. Throws HubError.
 */
export async function* watchEvents(options: WatchOptions): AsyncGenerator<Iterable<WatchEvent>, void> {
	const { api, scope, version, seconds, onOpen, signal } = options;
	const initial = { sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan", resourceVersion: "" };
	using answer = await api.get({
		path: scope.path,
		query: {
			watch: "true",
			allowWatchBookmarks: "true",
			...selectorsOf(scope),
			timeoutSeconds: String(seconds),
			...(version === undefined ? initial : { resourceVersion: version }),
		},
		action: `watch ${scope.title}`,
		// What a streaming list begins with must come as any list does.
		...(version === undefined ? {} : { silence: SILENCE }),
		signal,
	});
	onOpen();
	const lines = createLineSplitter(MAX_OBJECT);
	for await (const chunk of answer.chunks()) yield eventsIn(lines.push(chunk), () => answer.setSilence(SILENCE));
}

function* eventsIn(lines: Iterable<Uint8Array>, onComplete: () => void): Generator<WatchEvent, void> {
	for (const line of lines) {
		const event = parseEvent(line);
		if (event?.kind === "bookmark" && event.complete) onComplete();
		if (event !== undefined) yield event;
	}
}

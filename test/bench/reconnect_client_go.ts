// The policy of client-go's reflector (tools/cache/reflector.go, 1.34), which agents in Go have: what it asks for, and when.

import { parseEvent } from "../../src/hub/kubernetes/watch_event.ts";
import type { Api } from "../../src/hub/request/api.ts";
import { HubError, isExpired } from "../../src/hub/request/hub_error.ts";
import { createLineSplitter } from "../../src/hub/request/json_lines.ts";
import type { Clock } from "../../src/lib/clock.ts";
import { errorCode } from "../../src/lib/error_code.ts";

/** Milliseconds. */
const FIRST = 800;
const LONGEST = 30_000;
const FORGET = 120_000;
/** A watch that ends sooner, without an event, is a failure. */
const SHORT = 1000;
/** It relies on HTTP/2's pings. */
const SILENCE = 1_000_000;

export interface ClientGoOptions {
	readonly api: Api;
	readonly clock: Clock;
	readonly random: () => number;
	/** Of one collection. */
	readonly path: string;
	readonly signal: AbortSignal;
	/** A list was read. */
	readonly onList: () => void;
}

/** Runs until the signal is aborted. */
export async function followLikeClientGo(options: ClientGoOptions): Promise<void> {
	const { clock, signal } = options;
	const pause = createPause(options);
	let version = "";
	while (!signal.aborted) {
		try {
			version = await list(options, version);
			version = await watchOn(options, version, pause);
		} catch {
			// Whatever it was: the next list is at least as new as what is known.
		}
		await clock.sleep(pause(), signal);
	}
}

/** wait.NewExponentialBackoffManager(800 ms, 30 s, 2 min, 2.0, 1.0). */
function createPause({ clock, random }: ClientGoOptions): () => number {
	let base = FIRST;
	let last = clock.now();
	return () => {
		if (clock.now() - last > FORGET) base = FIRST;
		last = clock.now();
		const pause = base * (1 + random());
		base = Math.min(LONGEST, base * 2);
		return pause;
	};
}

async function list({ api, path, signal, onList }: ClientGoOptions, version: string): Promise<string> {
	using answer = await api.get({
		path,
		query: { resourceVersion: version === "" ? "0" : version },
		action: "list",
		signal,
	});
	const decoder = new TextDecoder();
	let text = "";
	for await (const chunk of answer.chunks()) text += decoder.decode(chunk, { stream: true });
	const { metadata }: { readonly metadata: { readonly resourceVersion: string } } = JSON.parse(text);
	onList();
	return metadata.resourceVersion;
}

/** Returns when a list is needed. */
async function watchOn(options: ClientGoOptions, from: string, pause: () => number): Promise<string> {
	const { clock, signal } = options;
	let version = from;
	while (!signal.aborted) {
		const opened = clock.now();
		const before = version;
		const watched = await watchOnce(options, before);
		version = watched.version;
		const { error } = watched;
		if (error !== undefined && isRetriable(error)) await clock.sleep(pause(), signal);
		// A watch that broke is one that ended; one that never began, or was too old, is a failure.
		else if (error !== undefined && (!watched.began || isExpired(error))) return version;
		else if (version === before && clock.now() - opened < SHORT) return version;
	}
	return version;
}

interface Watched {
	readonly version: string;
	readonly began: boolean;
	readonly error?: unknown;
}

async function watchOnce(options: ClientGoOptions, from: string): Promise<Watched> {
	let version = from;
	let began = false;
	const onBegin = (): void => {
		began = true;
	};
	try {
		for await (const next of versionsOf(options, from, onBegin)) version = next;
		return { version, began };
	} catch (error) {
		return { version, began, error };
	}
}

function isRetriable(error: unknown): boolean {
	if (!(error instanceof HubError)) return false;
	return error.status === 429 || errorCode(error.cause) === "ConnectionRefused";
}

/** The version of each event. */
async function* versionsOf(
	{ api, path, random, signal }: ClientGoOptions,
	version: string,
	onBegin: () => void,
): AsyncGenerator<string, void> {
	const timeoutSeconds = String(Math.round(300 * (1 + random())));
	using answer = await api.get({
		path,
		query: { watch: "true", allowWatchBookmarks: "true", timeoutSeconds, resourceVersion: version },
		action: "watch",
		silence: SILENCE,
		signal,
	});
	onBegin();
	const lines = createLineSplitter(1 << 20);
	for await (const chunk of answer.chunks()) {
		for (const line of lines.push(chunk)) {
			const event = parseEvent(line);
			if (event?.kind === "error") throw event.error;
			if (event !== undefined) yield event.version;
		}
	}
}

// A plain client for tests of the hub itself: one request, or a watch line by line.

import type { TestHub } from "./hub.ts";
import { at, isFields } from "./object.ts";

export interface Ask {
	readonly method?: string;
	/** Default admin; "nobody" shows no credentials. */
	readonly user?: string;
	readonly token?: string;
	readonly headers?: Readonly<Record<string, string>>;
	readonly body?: string | object;
	readonly signal?: AbortSignal;
}

export interface Answered {
	readonly code: number;
	readonly headers: Headers;
	readonly text: string;
	/** The body, if it is JSON. */
	readonly json: unknown;
	/** What stands in it at a path. */
	at(...path: readonly string[]): unknown;
}

/** fetch with the credentials of a user. */
export function request(hub: TestHub, path: string, ask: Ask = {}): Promise<Response> {
	const nobody = ask.user === "nobody" || ask.token !== undefined;
	const { authority, certificate, key, token } = hub.credentials(nobody ? "admin" : ask.user);
	const bearer = ask.token ?? (nobody ? undefined : token);
	const login = nobody || certificate === undefined || key === undefined ? {} : { cert: certificate, key };
	const body = typeof ask.body === "object" ? JSON.stringify(ask.body) : ask.body;
	return fetch(`${hub.url}${path}`, {
		method: ask.method ?? "GET",
		headers: {
			accept: "application/json",
			"accept-encoding": "identity",
			...(body !== undefined && { "content-type": "application/json" }),
			...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
			...ask.headers,
		},
		...(body !== undefined && { body }),
		...(ask.signal !== undefined && { signal: ask.signal }),
		tls: { ca: authority, ...login },
		timeout: false,
	} as RequestInit);
}

export async function ask(hub: TestHub, path: string, wish: Ask = {}): Promise<Answered> {
	const answer = await request(hub, path, wish);
	const text = await answer.text();
	const isJson = /^application\/json/.test(answer.headers.get("content-type") ?? "") && text !== "";
	const json: unknown = isJson ? JSON.parse(text) : undefined;
	return { code: answer.status, headers: answer.headers, text, json, at: (...path) => at(json, ...path) };
}

export interface Lines extends AsyncDisposable {
	readonly answer: Response;
	/** The next event; undefined at a clean end. Rejects if the connection broke. */
	next(): Promise<WatchEvent | undefined>;
	/** So many events. */
	take(count: number): Promise<readonly WatchEvent[]>;
	/** All events to the end. */
	rest(): Promise<readonly WatchEvent[]>;
	close(): void;
}

export interface WatchEvent {
	readonly type: string;
	readonly object: unknown;
	/** TYPE NAME, or TYPE alone: for comparing sequences. */
	readonly title: string;
	readonly line: string;
}

export async function watch(hub: TestHub, path: string, wish: Ask = {}): Promise<Lines> {
	const abort = new AbortController();
	const answer = await request(hub, path, { ...wish, signal: abort.signal });
	const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
	let waiting = "";
	const next = async (): Promise<WatchEvent | undefined> => {
		for (;;) {
			const end = waiting.indexOf("\n");
			if (end >= 0) {
				const line = waiting.slice(0, end);
				waiting = waiting.slice(end + 1);
				return eventOf(line);
			}
			const read = await reader?.read();
			if (read === undefined || read.done) return undefined;
			waiting += read.value;
		}
	};
	const take = async (count: number) => {
		const events: WatchEvent[] = [];
		while (events.length < count) {
			const event = await next();
			if (event === undefined) throw new Error(`Cannot take ${count} events: the watch ended after ${events.length}`);
			events.push(event);
		}
		return events;
	};
	const rest = async () => {
		const events: WatchEvent[] = [];
		for (let event = await next(); event !== undefined; event = await next()) events.push(event);
		return events;
	};
	const close = () => abort.abort();
	return { answer, next, take, rest, close, [Symbol.asyncDispose]: async () => close() };
}

function eventOf(line: string): WatchEvent {
	const event: unknown = JSON.parse(line);
	const type = `${at(event, "type")}`;
	const object = isFields(event) ? event["object"] : undefined;
	const name = at(object, "metadata", "name");
	return { type, object, title: name === undefined ? type : `${type} ${name}`, line };
}

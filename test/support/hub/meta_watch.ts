// A watch at a MetaServer: it begins with everything that the node's store has, whatever version was asked for.

import type { Response } from "./http.ts";
import type { MetaEventType } from "./meta_cache.ts";
import { type KubeObject, keyOf } from "./object.ts";
import type { Matches } from "./selector.ts";

export interface MetaWatch {
	/** services, endpointslices.discovery.k8s.io */
	readonly resource: string;
	readonly query: URLSearchParams;
	readonly sent: () => number;
	/** A clean end. */
	end(): void;
	reset(): void;
	/** An event as it is, whatever the object. */
	event(type: string, object: unknown): void;
	/** Any text. */
	text(text: string): void;
}

export interface MetaStream extends MetaWatch {
	/** An event as a MetaServer makes it of a change: by what this watch was told before, and by its selector. */
	change(type: MetaEventType, object: KubeObject): void;
	readonly ended: Promise<void>;
}

export interface MetaWatchOptions {
	readonly resource: string;
	readonly query: URLSearchParams;
	readonly inside: Matches;
	readonly matches: Matches;
	/** After each event some that say nothing. */
	readonly emptyEvents: () => boolean;
	readonly onEnd: () => void;
}

const EMPTY_EVENTS = [
	'{"type":"","object":null}\n',
	"{}\n",
	'{"type":"ADDED","object":{}}\n',
	'{"type":"MODIFIED","object":{"kind":"Service","apiVersion":"v1","metadata":{}}}\n',
	'{"type":"NEWS","object":{"metadata":{"name":"a","namespace":"b"}}}\n',
];

/** The response must have been started. */
export function createMetaWatch(response: Response, options: MetaWatchOptions): MetaStream {
	const { resource, query, inside, matches, emptyEvents, onEnd } = options;
	const { promise: ended, resolve } = Promise.withResolvers<void>();
	const added = new Set<string>();
	let open = true;
	let sent = 0;
	const close = () => {
		if (!open) return;
		open = false;
		clearTimeout(timer);
		onEnd();
		resolve();
	};
	const text = (line: string) => {
		if (!open) return;
		sent += 1;
		response.chunk(line);
	};
	const event = (type: string, object: unknown) => {
		text(`${JSON.stringify({ type, object })}\n`);
		if (emptyEvents()) for (const empty of EMPTY_EVENTS) text(empty);
	};
	const end = () => {
		if (open) response.finish();
		close();
	};
	const timer = setTimeout(end, Number(query.get("timeoutSeconds") ?? 1800) * 1000);
	response.connection.onClose(close);
	return {
		resource,
		query,
		ended,
		sent: () => sent,
		end,
		reset: () => response.connection.reset(),
		event,
		text,
		change(type, object) {
			const key = keyOf(object);
			const had = added.has(key);
			const fits = matches(object);
			if (!inside(object) || (!had && !fits)) return;
			if (type === "DELETED" || !fits) {
				added.delete(key);
				event("DELETED", object);
			} else {
				added.add(key);
				event(had ? type : "ADDED", object);
			}
		},
	};
}

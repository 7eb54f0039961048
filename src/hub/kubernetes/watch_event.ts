// One line of a watch -> one event.

import { field, isRaw, ownString, type Raw } from "../../model/raw.ts";
import { errorOfStatus, HubError } from "../request/hub_error.ts";

export type WatchEvent =
	| { readonly kind: "put"; readonly object: Raw; readonly version: string }
	| { readonly kind: "drop"; readonly object: Raw; readonly version: string }
	/** Nothing happened up to this version; `complete` ends the initial events of a streaming list. */
	| { readonly kind: "bookmark"; readonly version: string; readonly complete: boolean }
	| { readonly kind: "error"; readonly error: HubError };

const INITIAL_EVENTS_END = "k8s.io/initial-events-end";
const decoder = new TextDecoder("utf-8");

/** Throws HubError if the line is no event. Unknown types are undefined: newer servers may send them. */
export function parseEvent(line: Uint8Array): WatchEvent | undefined {
	const event = parseLine(line);
	const type = field(event, "type");
	const object = field(event, "object");
	if (typeof type !== "string" || !isRaw(object)) throw protocolError("an event has no type or no object");
	if (type === "ERROR") return { kind: "error", error: errorOfStatus("go on watching", object) };
	const metadata = field(object, "metadata");
	const version = isRaw(metadata) ? field(metadata, "resourceVersion") : undefined;
	if (typeof version !== "string" || version === "") throw protocolError("an event has no resourceVersion");
	return toEvent(type, object, ownString(version));
}

function toEvent(type: string, object: Raw, version: string): WatchEvent | undefined {
	switch (type) {
		case "ADDED":
		case "MODIFIED":
			return { kind: "put", object, version };
		case "DELETED":
			return { kind: "drop", object, version };
		case "BOOKMARK":
			return { kind: "bookmark", version, complete: isComplete(object) };
		default:
			return undefined;
	}
}

function isComplete(object: Raw): boolean {
	const metadata = field(object, "metadata");
	const annotations = isRaw(metadata) ? field(metadata, "annotations") : undefined;
	return isRaw(annotations) && field(annotations, INITIAL_EVENTS_END) === "true";
}

function parseLine(line: Uint8Array): Raw {
	let value: unknown;
	try {
		value = JSON.parse(decoder.decode(line));
	} catch (cause) {
		throw protocolError("a line is not JSON", cause);
	}
	if (!isRaw(value)) throw protocolError("a line is no object");
	return value;
}

function protocolError(fact: string, cause?: unknown): HubError {
	return new HubError(`Cannot read the watch: ${fact}`, { status: 0, reason: "Protocol", cause });
}

// The bytes of a List in any portions -> its items, one by one: the whole never sits in memory.

import { HubError } from "./hub_error.ts";
import { join } from "./json_lines.ts";
import { createJsonScan } from "./json_scan.ts";

const COMMA = 44;
const OPEN_LIST = 91;
const CLOSE_LIST = 93;
const OPEN_OBJECT = 123;
/** White space is at or below it. */
const SPACE = 32;
/** Brackets around an item: the List's, and those of `items`. */
const AROUND_ITEM = 2;

export interface ListSplitter {
	/** The items that are complete now, each parsed when it is asked for: all are to be taken before the next call. */
	push(chunk: Uint8Array): Iterable<unknown>;
	/** The List without its items. Throws HubError if it is not complete. */
	end(): unknown;
}

/** `limit`: bytes of one item, and of everything else together. Throws HubError over it, and at what is no List. */
export function createListSplitter(limit: number): ListSplitter {
	const frame = createPiece(limit);
	const item = createPiece(limit);
	const scan = createJsonScan();
	let inItems = false;
	let inItem = false;
	let between = 0;

	/** All of these return the place up to which the chunk is done. */
	function takeFrame(chunk: Uint8Array, from: number): number {
		let at = from;
		while (at < chunk.length && !inItems) {
			const byte = chunk[at] ?? 0;
			scan.step(byte);
			inItems = byte === OPEN_LIST && scan.depth() === AROUND_ITEM && scan.name() === "items";
			at++;
		}
		frame.add(chunk.slice(from, at));
		return at;
	}

	function takeBetween(chunk: Uint8Array, from: number): number {
		const byte = chunk[from] ?? 0;
		if (byte === COMMA || byte <= SPACE) {
			if (++between > limit) throw protocolError(`over ${limit} bytes stand between items`);
			return from + 1;
		}
		if (byte === OPEN_OBJECT) inItem = true;
		else if (byte === CLOSE_LIST) inItems = false;
		else throw protocolError("an item is no object");
		return from;
	}

	/** -1: it goes on in the next chunk. */
	function takeItem(chunk: Uint8Array, from: number): number {
		const end = scan.close(chunk, from, AROUND_ITEM);
		// A copy of what has to wait: the runtime may use the chunk's memory again.
		item.add(end === -1 ? chunk.slice(from) : chunk.subarray(from, end));
		if (end !== -1) inItem = false;
		return end;
	}

	return {
		*push(chunk) {
			for (let at = 0; at < chunk.length; ) {
				if (!inItem) {
					at = inItems ? takeBetween(chunk, at) : takeFrame(chunk, at);
					continue;
				}
				at = takeItem(chunk, at);
				if (at === -1) return;
				yield parse(item.take());
			}
		},
		end: () => parse(frame.take()),
	};
}

const decoder = new TextDecoder("utf-8");

function parse(bytes: Uint8Array): unknown {
	try {
		return JSON.parse(decoder.decode(bytes));
	} catch (cause) {
		throw protocolError("it is not JSON, or not complete", cause);
	}
}

function protocolError(fact: string, cause?: unknown): HubError {
	return new HubError(`Cannot read the list: ${fact}`, { status: 0, reason: "Protocol", cause });
}

interface Piece {
	add(part: Uint8Array): void;
	take(): Uint8Array;
}

function createPiece(limit: number): Piece {
	let parts: Uint8Array[] = [];
	let length = 0;
	return {
		add(part) {
			length += part.length;
			if (length > limit) throw protocolError(`one part has over ${limit} bytes`);
			parts.push(part);
		},
		take() {
			const whole = parts.length === 1 && parts[0] !== undefined ? parts[0] : join(parts, length);
			parts = [];
			length = 0;
			return whole;
		},
	};
}

// The requests of a connection, read from its bytes.

import { Buffer } from "node:buffer";

export interface HttpRequest {
	readonly method: string;
	/** As it was sent, with the query. */
	readonly target: string;
	readonly path: string;
	readonly query: URLSearchParams;
	/** By name in lower case. */
	readonly headers: Readonly<Record<string, string>>;
	readonly body: Buffer;
	/** Bytes on the wire, head included. */
	readonly size: number;
}

export type Headers = Readonly<Record<string, string>>;

const MAX_HEAD = 1 << 16;

/** The client waits for a word before it sends the body. */
export function expectsContinue(received: Buffer): boolean {
	return /^expect: *100-continue\r$/im.test(headOf(received));
}

function headOf(received: Buffer): string {
	const end = received.indexOf("\r\n\r\n");
	return end < 0 ? "" : received.toString("latin1", 0, end + 2);
}

export interface Parsed {
	/** Undefined: what came is not HTTP. */
	readonly request: HttpRequest | undefined;
	readonly rest: Buffer;
}

/** The first request of what was received; undefined if it is not complete. */
export function parseRequest(received: Buffer): Parsed | undefined {
	const end = received.indexOf("\r\n\r\n");
	if (end < 0) return received.length > MAX_HEAD ? { request: undefined, rest: received } : undefined;
	const [first = "", ...lines] = received.toString("latin1", 0, end).split("\r\n");
	const [, method, target] = /^([A-Z]+) (\S+) HTTP\/1\.1$/.exec(first) ?? [];
	if (method === undefined || target === undefined) return { request: undefined, rest: received };
	const headers: Record<string, string> = {};
	for (const line of lines) {
		const colon = line.indexOf(":");
		const name = line.slice(0, colon).toLowerCase();
		const value = line.slice(colon + 1).trim();
		headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
	}
	const body = headers["transfer-encoding"] === "chunked" ? chunkedBody : sizedBody;
	const content = body(received.subarray(end + 4), headers);
	if (content === undefined) return undefined;
	const [path = "", query = ""] = splitOnce(target, "?");
	const size = received.length - content.rest.length;
	const request = { method, target, path, query: new URLSearchParams(query), headers, body: content.body, size };
	return { request, rest: content.rest };
}

function sizedBody(received: Buffer, headers: Headers): { body: Buffer; rest: Buffer } | undefined {
	const size = Number(headers["content-length"] ?? 0);
	if (received.length < size) return undefined;
	return { body: received.subarray(0, size), rest: received.subarray(size) };
}

function chunkedBody(received: Buffer): { body: Buffer; rest: Buffer } | undefined {
	const chunks: Buffer[] = [];
	let from = 0;
	for (;;) {
		const lineEnd = received.indexOf("\r\n", from);
		if (lineEnd < 0) return undefined;
		const size = Number.parseInt(received.toString("latin1", from, lineEnd), 16);
		const next = lineEnd + 2 + size + 2;
		if (received.length < next) return undefined;
		if (size === 0) return { body: Buffer.concat(chunks), rest: received.subarray(next) };
		chunks.push(received.subarray(lineEnd + 2, lineEnd + 2 + size));
		from = next;
	}
}

function splitOnce(text: string, separator: string): readonly string[] {
	const place = text.indexOf(separator);
	return place < 0 ? [text] : [text.slice(0, place), text.slice(place + separator.length)];
}

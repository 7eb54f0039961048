// Answers as the API server frames them: its headers, short ones by length, long ones by chunks, gzip from 128 KiB on.

import { Buffer } from "node:buffer";
import { randomUUID } from "node:crypto";
import { gzipSync } from "node:zlib";
import { stringify } from "yaml";
import type { Response } from "./http.ts";
import type { Headers, HttpRequest } from "./http_request.ts";
import { type ApiError, statusObject } from "./status.ts";
import { encode, type Form } from "./wire.ts";

/** Go's net/http gives a length to what fits in its first buffer. */
const SHORT_BYTES = 2048;
const GZIP_BYTES = 128 * 1024;
const WRITE_BYTES = 64 * 1024;

export function headersFor(contentType: string, more: Headers = {}): Headers {
	return {
		"Audit-Id": randomUUID(),
		"Cache-Control": "no-cache, private",
		"Content-Type": contentType,
		...more,
		"X-Kubernetes-Pf-Flowschema-Uid": "a26d6ab0-bf64-412a-8916-d60f50ab22ee",
		"X-Kubernetes-Pf-Prioritylevel-Uid": "9d73b80f-26dd-4b12-9275-ecf6601843d9",
		Date: new Date().toUTCString(),
	};
}

export interface Answer {
	readonly code: number;
	/** JSON, in pieces. */
	readonly pieces: Iterable<string>;
	readonly form?: Form;
	readonly headers?: Headers;
}

/** Answers with JSON, or YAML if that was asked for. */
export async function sendJson(request: HttpRequest, response: Response, answer: Answer): Promise<void> {
	const gzip = /\bgzip\b/.test(request.headers["accept-encoding"] ?? "");
	const pretty = /^(?:1|true)$/i.test(request.query.get("pretty") ?? "");
	if (gzip || pretty || answer.form?.yaml) return sendWhole(response, answer, { gzip, pretty });
	const headers = headersFor("application/json", answer.headers);
	const writes = joined(answer.pieces);
	const first = writes.next().value ?? "";
	if (Buffer.byteLength(first) <= SHORT_BYTES) return response.full(answer.code, headers, first);
	response.start(answer.code, headers);
	for (let write: string | undefined = first; write !== undefined; write = writes.next().value) {
		if (!response.chunk(write)) await response.drained();
		if (!response.connection.isOpen()) return;
	}
	response.finish();
}

/** Few large pieces for many small ones. */
function* joined(pieces: Iterable<string>): Generator<string, undefined> {
	let waiting = "";
	for (const piece of pieces) {
		waiting += piece;
		if (waiting.length < WRITE_BYTES) continue;
		yield waiting;
		waiting = "";
	}
	if (waiting !== "") yield waiting;
	return undefined;
}

async function sendWhole(
	response: Response,
	{ code, pieces, form, headers }: Answer,
	{ gzip, pretty }: { readonly gzip: boolean; readonly pretty: boolean },
): Promise<void> {
	let text = [...pieces].join("");
	if (form?.yaml) text = stringify(JSON.parse(text));
	else if (pretty) text = JSON.stringify(JSON.parse(text), undefined, 2);
	const type = form?.yaml ? "application/yaml" : "application/json";
	if (gzip && Buffer.byteLength(text) >= GZIP_BYTES) {
		response.start(code, headersFor(type, { ...headers, "Content-Encoding": "gzip", Vary: "Accept-Encoding" }));
		if (!response.chunk(gzipSync(text, { level: 4 }))) await response.drained();
		return response.finish();
	}
	if (Buffer.byteLength(text) <= SHORT_BYTES) return response.full(code, headersFor(type, headers), text);
	response.start(code, headersFor(type, headers));
	if (!response.chunk(text)) await response.drained();
	response.finish();
}

export function sendText(response: Response, code: number, text: string): Promise<void> {
	const headers = headersFor("text/plain; charset=utf-8", { "X-Content-Type-Options": "nosniff" });
	return response.full(code, headers, text);
}

export function sendError(response: Response, { failure }: ApiError): Promise<void> {
	const { code, message, plain, pretty, headers } = failure;
	if (plain) return response.full(code, headersFor("text/plain; charset=utf-8", headers), message);
	const status = statusObject(failure);
	const body = pretty ? JSON.stringify(status, undefined, 2) : `${encode(status)}\n`;
	return response.full(code, headersFor("application/json", headers), body);
}

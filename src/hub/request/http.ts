// One HTTP request: the only file of this room that knows what the runtime's fetch takes besides the standard.

import type { Buffer } from "node:buffer";

/** PEM texts, as node:tls takes them. */
export interface Tls {
	readonly ca?: Buffer | string;
	readonly cert?: Buffer | string;
	readonly key?: Buffer | string;
	/** The name, or address, that the server's certificate must be for; and SNI, if it is a name. */
	readonly serverName?: string;
	/** The certificate is not looked at. */
	readonly insecure?: boolean;
}

export interface HttpRequest {
	readonly url: string;
	readonly headers: Readonly<Record<string, string>>;
	readonly tls: Tls;
	/** Without it the connection is direct, whatever the environment says. */
	readonly proxy: string | undefined;
	readonly signal: AbortSignal;
	/** Default: GET. */
	readonly method?: HttpMethod;
	/** Its Content-Type is in the headers. */
	readonly body?: string;
}

export type HttpMethod = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
export type HttpSend = (request: HttpRequest) => Promise<Response>;

/** Resolves when the head of the answer is there; connections are kept for later requests. Never times out by itself. */
export async function httpSend(request: HttpRequest): Promise<Response> {
	const { method, body } = request;
	return await send(request, { ...(method === undefined ? {} : { method }), ...(body === undefined ? {} : { body }) });
}

/** POST of a form (application/x-www-form-urlencoded); else as `httpSend`. */
export async function httpPost(request: HttpRequest, form: URLSearchParams): Promise<Response> {
	return await send(request, { method: "POST", body: form });
}

async function send({ url, headers, tls, proxy, signal }: HttpRequest, more: object): Promise<Response> {
	const { insecure, ...rest } = tls;
	const init: object = {
		headers,
		signal,
		redirect: "error",
		tls: { ...rest, rejectUnauthorized: insecure !== true },
		proxy: proxy ?? false,
		// Else a watch without events ends after five minutes.
		timeout: false,
		...more,
	};
	return await fetch(url, init);
}

/** The beginning of a body as text: so many bytes, as far as they come. */
export async function readStart({ body }: Response, bytes: number): Promise<string> {
	const decoder = new TextDecoder("utf-8");
	let text = "";
	let read = 0;
	try {
		for await (const chunk of body ?? []) {
			text += decoder.decode(chunk.subarray(0, bytes - read), { stream: true });
			read += chunk.length;
			if (read >= bytes) break;
		}
	} catch {
		// What has come says more than how it ended.
	}
	return text;
}

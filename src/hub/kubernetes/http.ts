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
}

export type HttpGet = (request: HttpRequest) => Promise<Response>;

/** GET. Resolves when the head of the answer is there; connections are kept for later requests. Never times out by itself. */
export async function httpGet({ url, headers, tls, proxy, signal }: HttpRequest): Promise<Response> {
	const { insecure, ...rest } = tls;
	const init: object = {
		headers,
		signal,
		redirect: "error",
		tls: { ...rest, rejectUnauthorized: insecure !== true },
		proxy: proxy ?? false,
		// Else a watch without events ends after five minutes.
		timeout: false,
	};
	return await fetch(url, init);
}

// A few read-only pages over HTTP: on a TCP address for machines, on a Unix socket for our own commands.

import { Buffer } from "node:buffer";
import { createServer, type IncomingMessage, request, type Server } from "node:http";
import { errorCode } from "../lib/error_code.ts";

export interface Page {
	readonly status: number;
	readonly type: "text/plain; charset=utf-8" | "application/json" | "text/plain; version=0.0.4";
	readonly body: string;
}

/** By path; a page is made when it is asked for. */
export type Pages = Readonly<Record<string, () => Page>>;

/** Where to listen: `{ host, port }` or `{ path }` of a Unix socket. */
export type Place = { readonly host: string; readonly port: number } | { readonly path: string };

export interface Listener extends AsyncDisposable {
	/** 0 of a Unix socket. */
	readonly port: number;
}

/** `127.0.0.1:5810` or `[::1]:5810`, checked by config.ts already. */
export function parseListen(listen: string): Place {
	const colon = listen.lastIndexOf(":");
	const host = listen.slice(0, colon).replace(/^\[|\]$/g, "");
	return { host, port: Number(listen.slice(colon + 1)) };
}

/** What helps against an errno of listen(2). */
const HINTS: Readonly<Record<string, string>> = {
	EADDRINUSE: "something else listens there: give another address, or off",
	EADDRNOTAVAIL: "this machine has no such address",
	EACCES: "ports below 1024 need root",
	ENAMETOOLONG: "a Unix socket's path has 107 bytes at the most: give a shorter folder",
};

function listenError(place: Place, cause: Error): Error {
	const where = "path" in place ? place.path : `${place.host}:${place.port}`;
	const code = errorCode(cause);
	const hint = HINTS[code];
	return new Error(`Cannot listen on ${where}: ${code}${hint === undefined ? "" : ` (${hint})`}`, { cause });
}

function close(server: Server): Promise<void> {
	return new Promise((resolve) => {
		server.close(() => resolve());
		server.closeAllConnections();
	});
}

function text(status: number, body: string): Page {
	return { status, type: "text/plain; charset=utf-8", body };
}

/** Never throws: a page that cannot be made must not take the agent with it. */
function answer(pages: Pages | undefined, { method, url = "/" }: IncomingMessage): Page {
	if (method !== "GET" && method !== "HEAD") return text(405, "Only GET and HEAD\n");
	if (!pages) return text(503, "Starting\n");
	const path = url.split("?")[0] ?? "/";
	const page = Object.hasOwn(pages, path) ? pages[path] : undefined;
	if (!page) return text(404, `No such page; there are:\n${Object.keys(pages).join("\n")}\n`);
	try {
		return page();
	} catch (error) {
		return text(500, `Cannot make this page: ${error instanceof Error ? error.message : String(error)}\n`);
	}
}

/** Rejects if the place is taken or forbidden. Until there are pages, every request is answered 503. */
export function serve(pages: () => Pages | undefined, place: Place): Promise<Listener> {
	const server = createServer((incoming, response) => {
		const { status, type, body } = answer(pages(), incoming);
		const allow = status === 405 ? { allow: "GET, HEAD" } : {};
		response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body), ...allow });
		response.end(incoming.method === "HEAD" ? "" : body);
	});
	return new Promise((resolve, reject) => {
		// Once it listens, what goes wrong concerns one connection, and nobody is left to hear of it.
		server.on("error", (cause) => reject(listenError(place, cause)));
		server.listen(place, () => {
			const address = server.address();
			resolve({
				port: typeof address === "object" && address !== null ? address.port : 0,
				[Symbol.asyncDispose]: () => close(server),
			});
		});
	});
}

/** One page from a Unix socket; rejects with ENOENT or ECONNREFUSED where nobody listens. */
export function fetchPage(socketPath: string, path: string, signal: AbortSignal): Promise<Omit<Page, "type">> {
	return new Promise((resolve, reject) => {
		const outgoing = request({ socketPath, path, signal }, (response) => {
			let body = "";
			response.setEncoding("utf8");
			response.on("data", (chunk: string) => {
				body += chunk;
			});
			response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
			response.on("error", reject);
		});
		outgoing.on("error", reject);
		outgoing.end();
	});
}

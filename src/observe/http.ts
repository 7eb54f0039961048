// A few read-only pages over HTTP: on a TCP address for machines, on a Unix socket for our own commands.

import { createServer, request, type Server } from "node:http";

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
	readonly port: number;
}

/** `127.0.0.1:5810` or `[::1]:5810`, checked by config.ts already. */
export function parseListen(listen: string): Place {
	const colon = listen.lastIndexOf(":");
	const host = listen.slice(0, colon).replace(/^\[|\]$/g, "");
	return { host, port: Number(listen.slice(colon + 1)) };
}

function close(server: Server): Promise<void> {
	return new Promise((resolve) => {
		server.close(() => resolve());
		server.closeAllConnections();
	});
}

/** Rejects if the place is taken or forbidden. */
export function serve(pages: Pages, place: Place): Promise<Listener> {
	const server = createServer((incoming, response) => {
		const path = (incoming.url ?? "/").split("?")[0] ?? "/";
		const page = Object.hasOwn(pages, path) ? pages[path]?.() : undefined;
		const readable = incoming.method === "GET" || incoming.method === "HEAD";
		const { status, type, body } = readable
			? (page ?? { status: 404, type: "text/plain; charset=utf-8", body: `${Object.keys(pages).join("\n")}\n` })
			: { status: 405, type: "text/plain; charset=utf-8", body: "GET only\n" };
		response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) });
		response.end(incoming.method === "HEAD" ? "" : body);
	});
	return new Promise((resolve, reject) => {
		server.once("error", (cause) => {
			const where = "path" in place ? place.path : `${place.host}:${place.port}`;
			reject(new Error(`Cannot listen on ${where}: ${cause.message}`, { cause }));
		});
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

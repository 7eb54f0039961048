// The webhooks over TLS: a certificate that can be changed while they are served, and bodies of a size that makes sense.

import { Buffer } from "node:buffer";
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { WebhookAnswer, WebhookRequest } from "../../admission/admission.ts";
import type { KeyPair } from "../../lib/certificate.ts";
import { errorCode } from "../../lib/error_code.ts";
import type { Log } from "../../lib/log.ts";

/** Bytes: etcd takes objects of 1.5 MiB, and a review has two of them, with escapes. */
const LARGEST = 8 << 20;
const IDLE = 120_000;
/** Each may have a body; API servers are few, and keep theirs open. */
const MOST_CONNECTIONS = 100;

export interface WebhookServer extends AsyncDisposable {
	readonly port: number;
	/** For connections from now on. Throws if key and certificate do not belong together. */
	use(pair: KeyPair): void;
}

export interface WebhookOptions {
	/** `:5822` for all addresses, or HOST:PORT. */
	readonly listen: string;
	readonly pair: KeyPair;
	readonly answer: (request: WebhookRequest) => WebhookAnswer;
	readonly log: Log;
	/** Milliseconds without a byte after which a connection is closed: API servers use theirs again. Default: two minutes. */
	readonly idle?: number;
}

/** Rejects if the place is taken or forbidden. */
export async function serveWebhooks({
	listen,
	pair,
	answer,
	log,
	idle = IDLE,
}: WebhookOptions): Promise<WebhookServer> {
	const http = createHttpServer({ keepAliveTimeout: 0 }, (incoming, response) => {
		void serveOne(incoming, response, answer).catch((err: unknown) => {
			log.error({ err }, "Cannot answer a webhook");
			response.destroy();
		});
	});
	const sockets = new Set<Socket>();
	const server = createTlsServer({ ...optionsOf(pair), minVersion: "TLSv1.2" }, (socket) => {
		sockets.add(socket);
		socket.on("error", () => socket.destroy());
		// The server of HTTP does not listen, and what does not listen has no timeouts.
		socket.setTimeout(idle, () => socket.destroy());
		socket.on("close", () => sockets.delete(socket));
		http.emit("connection", socket);
	});
	server.maxConnections = MOST_CONNECTIONS;
	// Who does not trust us says so; at debug, as anybody can make such lines.
	server.on("tlsClientError", (err) => log.debug({ err }, "A TLS handshake of a webhook failed"));
	const colon = listen.lastIndexOf(":");
	const host = listen.slice(0, colon).replace(/^\[|\]$/g, "");
	const place = { port: Number(listen.slice(colon + 1)), ...(host === "" ? {} : { host }) };
	await new Promise<void>((resolve, reject) => {
		server.once("error", (cause) => {
			reject(new Error(`Cannot listen on ${listen} for webhooks: ${errorCode(cause)}`, { cause }));
		});
		server.listen(place, () => resolve());
	});
	const address = server.address();
	return {
		port: typeof address === "object" && address !== null ? address.port : 0,
		use(next) {
			server.setSecureContext({ ...optionsOf(next), minVersion: "TLSv1.2" });
		},
		async [Symbol.asyncDispose]() {
			const closed = new Promise((resolve) => server.close(resolve));
			for (const socket of sockets) socket.destroy();
			await closed;
		},
	};
}

function optionsOf({ certificate, key }: KeyPair) {
	return { cert: certificate, key };
}

async function serveOne(
	incoming: IncomingMessage,
	response: ServerResponse,
	answer: (request: WebhookRequest) => WebhookAnswer,
): Promise<void> {
	const body = await readBody(incoming);
	const { method = "GET", url = "/" } = incoming;
	const {
		status,
		type,
		body: text,
	} = body === undefined ? TOO_LARGE : answer({ method, path: url.split("?")[0] ?? "/", body });
	const allow = status === 405 ? { allow: "POST" } : {};
	response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(text), ...allow });
	response.end(text);
}

const TOO_LARGE: WebhookAnswer = {
	status: 413,
	type: "text/plain; charset=utf-8",
	body: `The body is larger than ${LARGEST} bytes\n`,
};

/** Undefined if it is too large; all of it is read, so that the peer hears the answer. */
async function readBody(incoming: IncomingMessage): Promise<string | undefined> {
	const chunks: Uint8Array[] = [];
	let size = 0;
	for await (const chunk of incoming) {
		size += chunk.length;
		if (size <= LARGEST) chunks.push(chunk);
		else chunks.length = 0;
	}
	return size > LARGEST ? undefined : Buffer.concat(chunks).toString("utf8");
}

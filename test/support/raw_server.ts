// A server on a plain socket that answers HTTP as a test writes it down, right or wrong; where it says nothing, an API server with one Service and one Node.

import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { KIND_OF, webService } from "./follow_hub.ts";

export interface RawRequest {
	/** With the query. */
	readonly target: string;
	/** services, endpointslices ... */
	readonly resource: string;
	readonly kind: "list" | "watch";
	/** How many of this resource and kind came before. */
	readonly before: number;
	/** performance.now() when it came. */
	readonly at: number;
}

export interface RawAnswer {
	/** Writes, and waits until the peer has taken most of it. False: the connection is gone. */
	send(content: string | Uint8Array): Promise<boolean>;
	/** FIN. */
	end(): void;
	/** Bytes that were sent so far. */
	sent(): number;
}

/** Undefined: as a good server would. */
export type Answering = (request: RawRequest) => ((answer: RawAnswer) => Promise<void> | void) | undefined;

export interface RawServer extends AsyncDisposable {
	kubeconfig(): string;
	requests(filter?: Partial<RawRequest>): readonly RawRequest[];
	/** Bytes sent in all answers. */
	sent(): number;
	/** Connections that are open. */
	open(): number;
}

export async function startRawServer(answering: Answering): Promise<RawServer> {
	const requests: RawRequest[] = [];
	const sockets = new Set<Socket>();
	let total = 0;

	function open(socket: Socket): RawAnswer {
		let sent = 0;
		return {
			async send(content) {
				if (socket.destroyed) return false;
				sent += content.length;
				total += content.length;
				const taken = socket.write(content);
				// A turn of the event loop in any case: an endless answer would starve all others.
				await (taken ? Bun.sleep(0) : drained(socket));
				return !socket.destroyed;
			},
			end: () => void socket.end(),
			sent: () => sent,
		};
	}

	const server = createServer((socket) => {
		sockets.add(socket);
		socket.on("close", () => sockets.delete(socket));
		socket.on("error", () => socket.destroy());
		let received = "";
		socket.on("data", (piece: Buffer) => {
			received += piece.toString("latin1");
			for (let end = received.indexOf("\r\n\r\n"); end !== -1; end = received.indexOf("\r\n\r\n")) {
				const request = readRequest(received.slice(0, end), requests);
				received = received.slice(end + 4);
				requests.push(request);
				void (answering(request) ?? answerWell(request))(open(socket));
			}
		});
	});
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	const address = server.address();
	const port = typeof address === "object" && address !== null ? address.port : 0;
	return {
		kubeconfig: () =>
			JSON.stringify({
				apiVersion: "v1",
				kind: "Config",
				clusters: [{ name: "raw", cluster: { server: `http://127.0.0.1:${port}` } }],
				contexts: [{ name: "raw", context: { cluster: "raw" } }],
				"current-context": "raw",
			}),
		requests: (filter = {}) =>
			requests.filter((request) => Object.entries(filter).every(([key, value]) => Reflect.get(request, key) === value)),
		sent: () => total,
		open: () => sockets.size,
		async [Symbol.asyncDispose]() {
			for (const socket of sockets) socket.destroy();
			server.close();
		},
	};
}

/** Or closed. */
function drained(socket: Socket): Promise<void> {
	return new Promise((resolve) => {
		const done = (): void => {
			socket.off("drain", done).off("close", done);
			resolve();
		};
		socket.on("drain", done).on("close", done);
	});
}

function readRequest(head: string, earlier: readonly RawRequest[]): RawRequest {
	const target = head.split(" ")[1] ?? "";
	const resource = Object.keys(KIND_OF).find((each) => target.includes(`/${each}?`)) ?? "services";
	const kind = target.includes("watch=true") ? "watch" : "list";
	const before = earlier.filter((each) => each.resource === resource && each.kind === kind).length;
	return { target, resource, kind, before, at: performance.now() };
}

/** A head and a body that is as long as it says. */
export function whole(head: string, body: string): string {
	const bytes = Buffer.from(body);
	return `HTTP/1.1 ${head}\r\nContent-Length: ${bytes.length}\r\n\r\n${bytes.toString("latin1")}`;
}

/** The Service demo/web, its slice, or the Node n1, as a list of version 10; of other kinds nothing. */
export function goodList(resource: string): string {
	const [service, slice] = webService("web");
	const objects: Readonly<Record<string, unknown>> = {
		services: service,
		endpointslices: slice,
		nodes: { metadata: { name: "n1" } },
	};
	const items = resource in objects ? [objects[resource]] : [];
	return JSON.stringify({
		kind: `${KIND_OF[resource]}List`,
		apiVersion: "v1",
		metadata: { resourceVersion: "10" },
		items,
	});
}

function answerWell({ resource, kind, target }: RawRequest): (answer: RawAnswer) => Promise<void> {
	return async ({ send }) => {
		if (kind === "list") await send(whole("200 OK\r\nContent-Type: application/json", goodList(resource)));
		// As servers without streaming lists.
		else if (target.includes("sendInitialEvents")) await send(whole("422 Unprocessable Entity", "{}"));
		else await send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
	};
}

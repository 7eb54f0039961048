// HTTP/1.1 on a socket, mostly of TLS, small enough that every chunk, record and missing byte is under a test's control.

import { Buffer } from "node:buffer";
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { expectsContinue, type Headers, type HttpRequest, parseRequest } from "./http_request.ts";

/** How bytes leave: small chunks and small TLS records show who relies on their boundaries. */
export interface Shape {
	/** Largest HTTP chunk in bytes. */
	readonly chunkBytes?: number | undefined;
	/** Largest write, which is a TLS record of its own, in bytes. */
	readonly writeBytes?: number | undefined;
	/** Each write waits for a turn of the event loop: a reader in the same process gets them one by one too. */
	readonly apart?: boolean | undefined;
}

export interface Response {
	/** A whole answer. */
	full(code: number, headers: Headers, body: string | Buffer): Promise<void>;
	/** The head of an answer that goes on by chunks. */
	start(code: number, headers: Headers): void;
	/** True if the peer takes it; after false wait for drained(). */
	chunk(content: string | Buffer): boolean;
	/** The terminating chunk: a clean end. */
	finish(): void;
	drained(): Promise<void>;
	readonly connection: Connection;
	/** Bytes of the answer so far, head and framing included. */
	bytes(): number;
	/** Of the answer, once it has begun. */
	code(): number | undefined;
}

export interface Connection {
	readonly id: number;
	readonly socket: Socket;
	/** FIN after what was written: the answer just ends. */
	fin(): void;
	/** RST. */
	reset(): void;
	/** From now on not a byte more, and no end: what a dead path looks like. */
	silence(): void;
	readonly isOpen: () => boolean;
	/** Called once when the connection is gone. */
	onClose(listener: () => void): void;
	/** Writes bytes that are not HTTP. */
	raw(content: string | Buffer): boolean;
	/** Breaks after so many more bytes of answers. */
	cutAfter(bytes: number, how: "fin" | "reset" | "silence"): void;
	/** From now on so many bytes at a time. */
	drip(bytes: number, everyMs: number): void;
}

export interface ConnectionOptions {
	readonly id: number;
	readonly shape: () => Shape;
	readonly answer: (request: HttpRequest, response: Response) => Promise<void>;
}

/** Serves the requests of a connection, one after the other, until it is closed. */
export function serveConnection(socket: Socket, { id, shape, answer }: ConnectionOptions): Connection {
	let closed = false;
	let received: Buffer = Buffer.alloc(0);
	let busy = false;
	const listeners = new Set<() => void>();
	const outlet = createOutlet(socket, shape);
	const write = (content: Buffer): boolean => closed || outlet.write(content);
	const connection: Connection = {
		id,
		socket,
		fin() {
			outlet.silence();
			socket.destroySoon();
		},
		reset: () => void socket.resetAndDestroy(),
		silence: outlet.silence,
		cutAfter: outlet.cutAfter,
		drip: outlet.drip,
		isOpen: () => !closed,
		onClose(listener) {
			if (closed) listener();
			else listeners.add(listener);
		},
		raw: (content) => write(Buffer.from(content)),
	};
	const serve = async () => {
		while (!closed && !outlet.isSilent()) {
			const parsed = parseRequest(received);
			if (parsed === undefined) return;
			received = parsed.rest;
			if (parsed.request === undefined) {
				write(Buffer.from("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
				return void socket.end();
			}
			const keep = parsed.request.headers["connection"]?.toLowerCase() !== "close";
			await answer(parsed.request, createResponse(connection, write, { shape, keep }));
			if (!keep) socket.end();
		}
	};
	const serveOnce = async () => {
		if (busy) return;
		busy = true;
		await serve();
		busy = false;
	};
	const gone = () => {
		if (closed) return;
		closed = true;
		outlet.silence();
		for (const listener of listeners) listener();
		listeners.clear();
	};
	socket.setNoDelay(true);
	socket.on("data", (piece: Buffer) => {
		const waiting = received.length > 0;
		received = waiting ? Buffer.concat([received, piece]) : piece;
		if (!waiting && expectsContinue(received)) write(Buffer.from("HTTP/1.1 100 Continue\r\n\r\n"));
		void serveOnce();
	});
	socket.on("error", gone);
	socket.on("end", gone);
	socket.on("close", gone);
	return connection;
}

interface Outlet extends Pick<Connection, "silence" | "cutAfter" | "drip"> {
	/** False: the peer is slow, wait for drain. */
	write(content: Buffer): boolean;
	isSilent(): boolean;
}

interface Apart {
	push(piece: Buffer): boolean;
	isEmpty(): boolean;
}

/** A queue that gives out one piece in each turn of the event loop. */
function createApart(write: (piece: Buffer) => void): Apart {
	const queue: Buffer[] = [];
	const pump = () => {
		const piece = queue.shift();
		if (piece !== undefined) write(piece);
		if (queue.length > 0) setImmediate(pump);
	};
	return {
		isEmpty: () => queue.length === 0,
		push(piece) {
			queue.push(piece);
			if (queue.length === 1) setImmediate(pump);
			return true;
		},
	};
}

/** What leaves by a socket, and how. */
function createOutlet(socket: Socket, shape: () => Shape): Outlet {
	let silent = false;
	let left = Number.POSITIVE_INFINITY;
	let broken: () => void = () => undefined;
	let waiting: Buffer | undefined;
	let timer: ReturnType<typeof setInterval> | undefined;
	const silence = () => {
		silent = true;
		clearInterval(timer);
	};
	const apart = createApart((piece) => silent || socket.write(piece));
	const put = (content: Buffer): boolean => {
		const { writeBytes = content.length, apart: isApart } = shape();
		const write = isApart || !apart.isEmpty() ? apart.push : (piece: Buffer) => socket.write(piece);
		let taken = true;
		for (let from = 0; from < content.length; from += writeBytes)
			taken = write(content.subarray(from, from + writeBytes));
		return taken;
	};
	return {
		silence,
		isSilent: () => silent,
		write(content) {
			if (silent) return true;
			const rest = content.subarray(0, left);
			left -= rest.length;
			if (waiting !== undefined) waiting = Buffer.concat([waiting, rest]);
			const taken = waiting !== undefined || put(rest);
			if (left === 0) broken();
			return taken;
		},
		cutAfter(bytes, how) {
			left = bytes;
			broken = () => {
				silence();
				if (how === "fin") socket.end();
				if (how === "reset") socket.resetAndDestroy();
			};
		},
		drip(bytes, everyMs) {
			waiting ??= Buffer.alloc(0);
			clearInterval(timer);
			timer = setInterval(() => {
				if (waiting === undefined || waiting.length === 0) return;
				put(waiting.subarray(0, bytes));
				waiting = waiting.subarray(bytes);
			}, everyMs);
			timer.unref();
		},
	};
}

interface ResponseOptions {
	readonly shape: () => Shape;
	readonly keep: boolean;
}

function createResponse(
	connection: Connection,
	write: (content: Buffer) => boolean,
	{ shape, keep }: ResponseOptions,
): Response {
	let bytes = 0;
	let answered: number | undefined;
	const send = (content: Buffer) => {
		bytes += content.length;
		return write(content);
	};
	const head = (code: number, headers: Headers) => {
		answered = code;
		const lines = Object.entries(keep ? headers : { ...headers, Connection: "close" });
		const text = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
		return Buffer.from(`HTTP/1.1 ${code} ${STATUS_CODES[code] ?? "Unknown"}\r\n${text}\r\n`);
	};
	const chunk = (content: string | Buffer): boolean => {
		const data = Buffer.from(content);
		const size = shape().chunkBytes ?? data.length;
		let taken = true;
		for (let from = 0; from < data.length; from += size) {
			const piece = data.subarray(from, from + size);
			taken = send(Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n")]));
		}
		return taken;
	};
	return {
		connection,
		bytes: () => bytes,
		code: () => answered,
		chunk,
		async full(code, headers, body) {
			const content = Buffer.from(body);
			send(head(code, { ...headers, "Content-Length": `${content.length}` }));
			if (content.length > 0 && !send(content)) await drained(connection);
		},
		start: (code, headers) => void send(head(code, { ...headers, "Transfer-Encoding": "chunked" })),
		finish: () => void send(Buffer.from("0\r\n\r\n")),
		drained: () => drained(connection),
	};
}

function drained(connection: Connection): Promise<void> {
	if (!connection.isOpen() || !connection.socket.writableNeedDrain) return Promise.resolve();
	return new Promise((resolve) => {
		connection.socket.once("drain", resolve);
		connection.onClose(resolve);
	});
}

// Exchanges recorded from kube-apiserver 1.36.2, and how to replay their answers byte for byte.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { RawAnswer } from "./raw_server.ts";

const FOLDER = join(import.meta.dir, "../hub/recorded");

/** One HTTP chunk, or how the answer ended. */
interface Chunk {
	readonly data?: string;
	/** `zero-chunk`: cleanly; `eof`: the connection alone; `client-closed`: it went on. */
	readonly end?: string;
}

interface Exchange {
	/** Status line and headers as on the wire. */
	readonly head: string;
	readonly body: string;
	/** Of a watch: where the server cut. */
	readonly chunks: readonly Chunk[];
}

function read(name: string): Exchange {
	const bytes = readFileSync(join(FOLDER, `${name}.http`), "latin1");
	const from = bytes.indexOf("HTTP/1.1 ", bytes.indexOf("\n\n"));
	const end = bytes.indexOf("\n\n", from);
	const chunks = join(FOLDER, `${name}.chunks`);
	return {
		head: `${bytes.slice(from, end).replaceAll("\n", "\r\n")}\r\n\r\n`,
		body: bytes.slice(end + 2),
		chunks: existsSync(chunks) ? JSON.parse(readFileSync(chunks, "utf8")) : [],
	};
}

/** The body that was sent, of a request that has one. */
export function recordedRequest(name: string): string {
	const bytes = readFileSync(join(FOLDER, `${name}.http`));
	const body = bytes.indexOf("\n\n") + 2;
	const [, length = "0"] = /^content-length: (\d+)$/im.exec(bytes.subarray(0, body).toString("latin1")) ?? [];
	return bytes.subarray(body, body + Number(length)).toString("utf8");
}

/** An HTTP chunk of bytes, one for each character. */
export function frame(content: string): Buffer {
	return Buffer.from(`${content.length.toString(16)}\r\n${content}\r\n`, "latin1");
}

/** The recording of a watch stopped before the watch did. */
export function isOpenEnded(name: string): boolean {
	return read(name).chunks.at(-1)?.end === "client-closed";
}

/** Answers as the server did, with its headers, its chunks, its end. */
export async function replay(name: string, { send, end }: RawAnswer): Promise<void> {
	const { head, body, chunks } = read(name);
	await send(Buffer.from(head, "latin1"));
	if (!/^transfer-encoding: chunked\r$/im.test(head)) return void (await send(Buffer.from(body, "latin1")));
	if (chunks.length === 0) {
		await send(frame(body));
		return void (await send("0\r\n\r\n"));
	}
	for (const { data, end: ending } of chunks) {
		if (data !== undefined) await send(frame(Buffer.from(data).toString("latin1")));
		if (ending === "zero-chunk") await send("0\r\n\r\n");
		if (ending === "eof") end();
	}
}

interface Conditions {
	readonly ready: boolean;
	readonly serving: boolean;
	readonly terminating: boolean;
}

interface Recorded {
	readonly kind?: string;
	readonly metadata: {
		readonly name: string;
		readonly namespace: string;
		readonly resourceVersion: string;
		readonly labels?: Readonly<Record<string, string>>;
	};
	/** Of a Service. */
	readonly spec?: { readonly clusterIPs?: readonly string[] };
	/** Of an EndpointSlice. */
	readonly endpoints?: readonly RecordedEndpoint[] | null;
}

interface RecordedEndpoint {
	readonly addresses: readonly string[];
	readonly conditions: Conditions;
	readonly nodeName?: string;
	readonly zone?: string;
	readonly hints?: { readonly forZones?: readonly Named[]; readonly forNodes?: readonly Named[] };
}

interface Named {
	readonly name: string;
}

/** What a client must know in the end: lists by page replace what was there, events of watches change it. */
export interface Truth {
	/** `namespace/name` -> the object. */
	readonly objects: ReadonlyMap<string, Recorded>;
	/** The last version that was heard of. */
	readonly version: string;
}

const utf8 = (name: string): string => Buffer.from(read(name).body, "latin1").toString("utf8");
const keyOf = ({ metadata }: Recorded) => `${metadata.namespace}/${metadata.name}`;

export function truthOf(pages: readonly string[], watches: readonly string[]): Truth {
	const objects = new Map<string, Recorded>();
	let version = "";
	for (const page of pages) {
		const list: { metadata: { resourceVersion: string }; items: Recorded[] } = JSON.parse(utf8(page));
		for (const item of list.items) objects.set(keyOf(item), item);
		version = list.metadata.resourceVersion;
	}
	for (const line of watches.flatMap((watch) => utf8(watch).split("\n")).filter((each) => each !== "")) {
		const { type, object }: { type: string; object: Recorded } = JSON.parse(line);
		if (type === "ERROR") continue;
		if (type === "DELETED") objects.delete(keyOf(object));
		else if (type !== "BOOKMARK") objects.set(keyOf(object), object);
		version = object.metadata.resourceVersion;
	}
	return { objects, version };
}

// Answers without end: they are given up, what they take is bounded, and the next good answer counts.

import { describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { memoryOf } from "../bench/process_figures.ts";
import { temporaryFolder, webService } from "../support/follow_hub.ts";
import { type Lines, lines } from "../support/lines.ts";
import { type RawAnswer, type RawRequest, startRawServer } from "../support/raw_server.ts";
import { until } from "../support/wait.ts";

const MIB = 2 ** 20;
const OK = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;
const X = "x".repeat(MIB);

function chunk(content: string | Uint8Array): Buffer {
	const bytes = Buffer.from(content);
	return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);
}

type Endless = (answer: RawAnswer, request: RawRequest) => Promise<void>;

/** A head, then the same again and again. */
function forever(head: string, again: string | Uint8Array): Endless {
	const bytes = Buffer.from(again);
	return async ({ send }) => {
		if (await send(head)) while (await send(bytes));
	};
}

const LIST = '{"kind":"ServiceList","apiVersion":"v1","metadata":{"resourceVersion":"10"},"items":[';
const [WEB] = webService("web");

/** A thousand Services at a time, each with another name or all with one. */
function items(head: string, separator: string, of: (object: object) => string, distinct: boolean): Endless {
	return async ({ send }) => {
		if (!(await send(head))) return;
		for (let made = 0; ; made += 1000) {
			const names = Array.from({ length: 1000 }, (_, n) => (distinct ? `s${made + n}` : "same"));
			const texts = names.map((name) => of({ ...WEB, metadata: { name, namespace: "demo", resourceVersion: "1" } }));
			if (!(await send(chunk(texts.map((text) => text + separator).join(""))))) return;
		}
	};
}

const event = (object: object) => JSON.stringify({ type: "ADDED", object });

/** Each page is empty and names a next one. */
const pages: Endless = async ({ send }, { before }) => {
	const body = `{"kind":"ServiceList","metadata":{"resourceVersion":"10","continue":"${before}"},"items":[]}`;
	await send(`${OK}Content-Length: ${body.length}\r\n\r\n${body}`);
};

/** 256 MiB of blanks in a quarter of one, as the space before a List. */
const BOMB = gzipSync(Buffer.alloc(256 * MIB, " "), { level: 9 });
const bomb: Endless = async ({ send }) => {
	await send(`${OK}Content-Encoding: gzip\r\nContent-Length: ${BOMB.length}\r\n\r\n`);
	await send(BOMB);
};

/** An answer without end, and what the request that it answers is. */
interface Struck {
	readonly kind: RawRequest["kind"];
	readonly endless: Endless;
}
const list = (endless: Endless): Struck => ({ kind: "list", endless });
const watch = (endless: Endless): Struck => ({ kind: "watch", endless });
const errorHead = "HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n";

/** What it is, what the log says, and MiB that may be sent before it is given up. */
type Case = readonly [string, Struck, RegExp, number];

/** Bytes that mean nothing yet. */
const BYTES: readonly Case[] = [
	["a header", list(forever("HTTP/1.1 200 OK\r\nX-A: ", X)), /at http/, 64],
	["headers", list(forever("HTTP/1.1 200 OK\r\n", `X-A: ${"y".repeat(1000)}\r\n`.repeat(64))), /at http/, 64],
	["a reason", list(forever("HTTP/1.1 200 ", X)), /at http/, 64],
	["an error's body", list(forever(errorHead, chunk(X))), /: 500 xxx/, 64],
	["a string in a list", list(forever(`${CHUNKED}2\r\n{"\r\n`, chunk(X))), /one part has over/, 128],
	["an item", list(forever(CHUNKED + chunk(`${LIST}{"a":"`), chunk(X))), /one part has over/, 128],
	["space between items", list(forever(CHUNKED + chunk(LIST), chunk(" ".repeat(MIB)))), /stand between items/, 128],
	["brackets", list(forever(CHUNKED + chunk('{"items":'), chunk("[".repeat(MIB)))), /Cannot read the list/, 128],
	["a little that unpacks", list(bomb), /one part has over/, 64],
	["pages", list(pages), /it has over 10000 pages/, 16],
	["a line in a watch", watch(forever(CHUNKED, chunk(X))), /a line has over/, 128],
];

const MANY = /there are over 200000/;
const OBJECTS: readonly Case[] = [
	["items", list(items(CHUNKED + chunk(LIST), ",", JSON.stringify, true)), MANY, 256],
	["the same item", list(items(CHUNKED + chunk(LIST), ",", JSON.stringify, false)), MANY, 256],
	["initial events", watch(items(CHUNKED, "\n", event, true)), MANY, 256],
	["one initial event", watch(items(CHUNKED, "\n", event, false)), MANY, 256],
];

/** Follows until the one good Service is shown; what was told until then. */
async function followToTheEnd(child: Lines, onLine: (line: string) => void = () => {}): Promise<string> {
	const seen: string[] = [];
	while (seen.at(-1) !== '{"services":1}') {
		const line = await child.read();
		onLine(line);
		seen.push(line);
	}
	return seen.join("\n");
}

function follow(kubeconfig: string): Lines {
	return lines([process.execPath, `${import.meta.dir}/follow_process.ts`, kubeconfig]);
}

// Of a client that does not hold all there is: 95 MiB were the most for bytes, 360 MiB for 200,000 Services.
describe.each([
	["bytes", BYTES, 200],
	["objects", OBJECTS, 700],
] as const)("%s", (_, cases, most) => {
	test.each(cases)("%s without end", async (_title, { kind, endless }, told, mebibytes) => {
		await using server = await startRawServer((request) => {
			if (request.resource !== "services" || request.kind !== kind) return undefined;
			// Each page of an endless list is another request.
			const strikes = request.before <= (endless === pages ? 10_000 : 0);
			return strikes ? (answer) => endless(answer, request) : undefined;
		});
		using folder = temporaryFolder();
		using child = follow(folder.write("config", server.kubeconfig()));
		let sent = Number.POSITIVE_INFINITY;
		await followToTheEnd(child, (line) => {
			if (told.test(line)) sent = Math.min(sent, server.sent());
		});
		expect(sent / MIB).toBeLessThan(mebibytes);
		expect(memoryOf(child.pid).peak / MIB).toBeLessThan(most);
	});
});

/** What the runtime reads and throws away by itself: only time tells. */
const UNSEEN: readonly (readonly [string, Endless])[] = [
	["answers of 103", forever("", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(1000))],
	["a chunk's extension", forever(`${CHUNKED}5;`, X)],
	["trailers", forever(`${CHUNKED}${chunk("{}")}0\r\n`, `X-A: ${"y".repeat(1000)}\r\n`.repeat(64))],
];

test.each(UNSEEN)("%s without end, which nobody sees but the watchdog", async (_, endless) => {
	await using server = await startRawServer((request) =>
		request.resource === "services" && request.kind === "list" && request.before === 0
			? (answer) => endless(answer, request)
			: undefined,
	);
	using folder = temporaryFolder();
	using child = follow(folder.write("config", server.kubeconfig()));
	expect(await followToTheEnd(child)).toMatch(/nothing was heard for 30 s|at http/);
	expect(memoryOf(child.pid).peak / MIB).toBeLessThan(200);
	await until("the connection closed", () => server.open() <= 2);
});

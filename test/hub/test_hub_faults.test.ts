// The hub misbehaves as it is told, over real sockets: what a client of it must live through.

import { afterEach, describe, expect, test } from "bun:test";
import { connect as connectTcp } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { ask, request, watch } from "../support/hub/ask.ts";
import type { Fault } from "../support/hub/fault.ts";
import { type HubOptions, startHub, type TestHub } from "../support/hub/hub.ts";
import { at } from "../support/hub/object.ts";
import { expired, serverError, storageInitializing, tooManyRequests, unauthorized } from "../support/hub/status.ts";
import { until } from "../support/wait.ts";

const hubs: TestHub[] = [];
async function hubWith(options: HubOptions = {}): Promise<TestHub> {
	const hub = await startHub({ kubernetes: false, ...options });
	hubs.push(hub);
	return hub;
}
afterEach(async () => {
	for (const hub of hubs.splice(0)) await hub.close();
});

const SERVICES = "/api/v1/namespaces/demo/services";
const WATCH = `${SERVICES}?watch=1`;

function service(name: string): object {
	return { apiVersion: "v1", kind: "Service", metadata: { name, namespace: "demo" }, spec: { ports: [{ port: 80 }] } };
}

interface Raw extends Disposable {
	readonly socket: TLSSocket;
	/** What came so far. */
	text(): string;
	/** Pieces as they were read. */
	pieces(): readonly string[];
	/** How the connection ended: "end", "close", an error's code; undefined while it has not. */
	ended(): string | undefined;
}

/** One request on a socket of its own, so that the test sees each piece and how the connection ends. */
async function raw(hub: TestHub, path: string): Promise<Raw> {
	const { authority, certificate, key } = hub.credentials();
	const pieces: string[] = [];
	let ended: string | undefined;
	const socket = connect({ host: "127.0.0.1", port: hub.port, ca: authority, cert: certificate, key });
	socket.on("data", (piece: Buffer) => pieces.push(piece.toString("utf8")));
	socket.on("error", (error: NodeJS.ErrnoException) => {
		ended ??= error.code ?? error.message;
	});
	socket.on("end", () => {
		ended ??= "end";
	});
	socket.on("close", () => {
		ended ??= "close";
	});
	await new Promise<void>((resolve) => socket.once("secureConnect", resolve));
	socket.write(`GET ${path} HTTP/1.1\r\nHost: hub\r\n\r\n`);
	return {
		socket,
		text: () => pieces.join(""),
		pieces: () => pieces,
		ended: () => ended,
		[Symbol.dispose]: () => socket.destroy(),
	};
}

describe("a watch", () => {
	test("ends cleanly, by FIN without the terminating chunk, or by RST", async () => {
		const hub = await hubWith();
		hub.apply(service("a"));
		for (const [how, expected, last] of [
			["fin", "end", false],
			["reset", "ECONNRESET", false],
			["end", undefined, true],
		] as const) {
			using client = await raw(hub, WATCH);
			await until("the first event came", () => client.text().includes('"name":"a"'));
			hub.watches()[0]?.[how]();
			if (expected === undefined)
				await until("the terminating chunk came", () => client.text().endsWith("\r\n0\r\n\r\n"));
			else await until("the connection ended", () => client.ended() !== undefined);
			expect([how, client.ended(), client.text().endsWith("\r\n0\r\n\r\n")]).toEqual([how, expected, last]);
			await until("the hub knows", () => hub.watches().length === 0);
		}
	});

	test("goes silent: no byte more, no end, and the hub goes on with others", async () => {
		const hub = await hubWith();
		hub.apply(service("a"));
		using client = await raw(hub, WATCH);
		await until("the first event came", () => client.text().includes('"name":"a"'));
		const before = client.text();
		hub.watches()[0]?.silence();
		hub.apply(service("b"));
		await using other = await watch(hub, WATCH);
		expect((await other.take(2)).map(({ title }) => title)).toEqual(["ADDED a", "ADDED b"]);
		expect([client.text(), client.ended(), hub.watches().length]).toEqual([before, undefined, 2]);
	});

	test("comes byte by byte", async () => {
		const hub = await hubWith();
		hub.apply({ ...service("a"), metadata: { name: "a", namespace: "demo", annotations: { greeting: "Grüße" } } });
		hub.shape({ chunkBytes: 1, writeBytes: 1, apart: true });
		using client = await raw(hub, WATCH);
		await until("the event came", () => client.text().includes("}\r\n1\r\n\n\r\n"));
		expect(client.text()).toContain('1\r\n{\r\n1\r\n"\r\n1\r\nt\r\n');
		// Reads are small, and cut within lines, chunks and characters.
		expect(client.pieces().length).toBeGreaterThan(100);
		await using lines = await watch(hub, WATCH);
		expect(at((await lines.next())?.object, "metadata", "annotations")).toEqual({ greeting: "Grüße" });
	});

	test("sends ERROR events, bogus events, garbage, and bookmarks of any version", async () => {
		const hub = await hubWith();
		hub.apply(service("a"));
		await using lines = await watch(hub, WATCH);
		await lines.take(1);
		const [open] = hub.watches();
		open?.event("DELETED", { kind: "Service", apiVersion: "v1", metadata: { name: "never", namespace: "demo" } });
		open?.event("NONSENSE", null);
		open?.bookmark(1);
		open?.text('{"type":"ADDED","object":\n');
		expect((await lines.take(3)).map(({ title }) => title)).toEqual(["DELETED never", "NONSENSE", "BOOKMARK"]);
		await expect(lines.next()).rejects.toThrow(SyntaxError);
		open?.error(serverError(500, "etcd is away"));
		const [error, after] = [await lines.next(), await lines.next()];
		expect([error?.type, at(error?.object, "code"), at(error?.object, "reason"), after]).toEqual([
			"ERROR",
			500,
			"InternalError",
			undefined,
		]);
	});

	test("of before a compaction gets 410 and starts anew after a list", async () => {
		const hub = await hubWith();
		hub.apply(service("a"));
		const then = hub.revision();
		hub.compact();
		await using old = await watch(hub, `${WATCH}&resourceVersion=${then}`);
		expect((await old.rest()).map(({ object }) => at(object, "code"))).toEqual([410]);
		const list = await ask(hub, SERVICES);
		await using next = await watch(hub, `${WATCH}&resourceVersion=${list.at("metadata", "resourceVersion")}`);
		hub.apply(service("b"));
		expect((await next.next())?.title).toBe("ADDED b");
	});
});

describe("requests", () => {
	test.each<[string, Fault, number, string | null]>([
		["429 in text", { kind: "error", error: tooManyRequests(7) }, 429, "7"],
		["429 as a Status", { kind: "error", error: storageInitializing() }, 429, "1"],
		["410 on a page", { kind: "error", error: expired("gone") }, 410, null],
		["500", { kind: "error", error: serverError(500, "no") }, 500, null],
		["503", { kind: "error", error: serverError(503, "no") }, 503, null],
		["401", { kind: "error", error: unauthorized() }, 401, null],
	])("are answered with %s, as often as wanted", async (_, fault, code, retryAfter) => {
		const hub = await hubWith();
		const injected = hub.inject({ verb: "list", resource: "services" }, fault, 2);
		const answers = [
			await ask(hub, SERVICES),
			await ask(hub, SERVICES),
			await ask(hub, SERVICES),
			await ask(hub, "/api/v1/nodes"),
		];
		expect(answers.map((answer) => answer.code)).toEqual([code, code, 200, 200]);
		expect(answers[0]?.headers.get("retry-after")).toBe(retryAfter);
		expect(injected.hits()).toBe(2);
	});

	test("of one user only, until the fault is removed", async () => {
		const hub = await hubWith({ users: { edge: { groups: ["system:masters"] } } });
		const fault = hub.inject({ user: "edge" }, { kind: "error", error: tooManyRequests(1) });
		expect([(await ask(hub, SERVICES, { user: "edge" })).code, (await ask(hub, SERVICES)).code]).toEqual([429, 200]);
		fault.remove();
		expect((await ask(hub, SERVICES, { user: "edge" })).code).toBe(200);
	});

	test("get no answer: the connection is reset, ends, or stays silent", async () => {
		const hub = await hubWith();
		for (const [how, expected] of [
			["reset", "ECONNRESET"],
			["fin", "end"],
		] as const) {
			hub.inject({ verb: "list" }, { kind: "break", how }, 1);
			using client = await raw(hub, SERVICES);
			await until("the connection ended", () => client.ended() !== undefined);
			expect([client.ended(), client.text()]).toEqual([expected, ""]);
		}
		hub.inject({ verb: "list" }, { kind: "break", how: "silence" }, 1);
		using client = await raw(hub, SERVICES);
		await until("the hub has it", () => hub.count({ verb: "list" }) === 3);
		expect((await ask(hub, SERVICES)).code).toBe(200);
		expect([client.text(), client.ended()]).toEqual(["", undefined]);
	});

	test("get half an answer", async () => {
		const hub = await hubWith();
		hub.apply(Array.from({ length: 50 }, (_, n) => service(`s${n}`)));
		const whole = (await ask(hub, SERVICES)).text.length;
		hub.inject({ verb: "list" }, { kind: "cut", bytes: 5000, how: "fin" }, 1);
		using client = await raw(hub, SERVICES);
		await until("the connection ended", () => client.ended() !== undefined);
		expect(client.text().length).toBe(5000);
		expect(whole).toBeGreaterThan(10_000);
		hub.inject({ verb: "list" }, { kind: "cut", bytes: 5000, how: "reset" }, 1);
		await expect(ask(hub, SERVICES)).rejects.toThrow();
	});

	test("are answered late, or by drops", async () => {
		const hub = await hubWith();
		hub.apply(service("a"));
		const hour = hub.inject({ verb: "list" }, { kind: "delay", ms: 3_600_000 }, 1);
		using late = await raw(hub, SERVICES);
		await until("it is held back", () => hour.hits() === 1);
		hub.inject({ verb: "list" }, { kind: "delay", ms: 1 }, 1);
		expect([(await ask(hub, SERVICES)).code, late.text()]).toEqual([200, ""]);
		hub.inject({ verb: "list" }, { kind: "drip", bytes: 100, everyMs: 1 }, 1);
		using client = await raw(hub, SERVICES);
		await until("all came", () => client.text().endsWith("]}\n"));
		expect(client.pieces().length).toBeGreaterThan(5);
	});

	test("are answered with garbage without end, as fast as it is read", async () => {
		const hub = await hubWith();
		const megabyte = "x".repeat(1 << 20);
		let made = 0;
		function* endless() {
			for (;;) {
				made += 1;
				yield megabyte;
			}
		}
		hub.inject({ verb: "watch" }, { kind: "content", pieces: endless(), ending: "end" }, 1);
		const abort = new AbortController();
		const answer = await request(hub, WATCH, { signal: abort.signal });
		const reader = answer.body?.getReader();
		let read = 0;
		while (read < 8 << 20) read += (await reader?.read())?.value?.length ?? 0;
		abort.abort();
		await until("the hub stopped", () => hub.connections().length === 0);
		// Backpressure: it is not much ahead of its reader.
		expect(made).toBeLessThan(200);
	});
});

describe("the server", () => {
	test("refuses new connections while old ones stay, and is back on its port", async () => {
		const hub = await hubWith();
		await using lines = await watch(hub, WATCH);
		const { port } = hub;
		await hub.stopAccepting();
		const refused = new Promise((resolve) =>
			connectTcp(port, "127.0.0.1").on("error", (error: NodeJS.ErrnoException) => resolve(error.code)),
		);
		expect(await refused).toBe("ECONNREFUSED");
		hub.apply(service("a"));
		expect((await lines.next())?.title).toBe("ADDED a");
		await hub.resumeAccepting();
		expect([(await ask(hub, SERVICES)).code, hub.port]).toEqual([200, port]);
	});

	test("accepts and says nothing", async () => {
		const hub = await hubWith();
		await hub.stall();
		const signal = AbortSignal.timeout(100);
		await expect(request(hub, SERVICES, { signal })).rejects.toThrow();
		await hub.resumeAccepting();
		expect((await ask(hub, SERVICES)).code).toBe(200);
	});

	test("restarts with its objects, and without its history", async () => {
		const hub = await hubWith();
		hub.apply(service("a"));
		const then = hub.revision();
		const { port } = hub;
		using client = await raw(hub, WATCH);
		await until("the first event came", () => client.text().includes('"name":"a"'));
		await hub.restart();
		await until("the connection broke", () => client.ended() !== undefined);
		expect([client.ended(), hub.port, hub.watches()]).toEqual(["ECONNRESET", port, []]);
		await using old = await watch(hub, `${WATCH}&resourceVersion=${then}`);
		expect((await old.rest()).map(({ object }) => at(object, "reason"))).toEqual(["Expired"]);
		await using fresh = await watch(
			hub,
			`${WATCH}&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=${then}&allowWatchBookmarks=true`,
		);
		expect((await fresh.take(2)).map(({ title }) => title)).toEqual(["ADDED a", "BOOKMARK"]);
	});

	test("restarts as a new cluster: nothing is there, and old versions are of the future", async () => {
		const hub = await hubWith({ timing: { futureMs: 20 } });
		hub.apply(Array.from({ length: 20 }, (_, n) => service(`s${n}`)));
		const then = hub.revision();
		await hub.restart({ store: "empty", how: "fin" });
		const list = await ask(hub, "/api/v1/services");
		expect([list.code, list.at("items")]).toEqual([200, []]);
		expect((await ask(hub, `/api/v1/services?resourceVersion=${then}`)).code).toBe(504);
	});
});

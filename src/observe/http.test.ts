// Pages over real sockets.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { fetchPage, type Pages, parseListen, serve } from "./http.ts";

let folder: string;
beforeAll(() => {
	folder = mkdtempSync(`${tmpdir()}/balancing-test-${process.pid}-http-`);
});
afterAll(() => rmSync(folder, { recursive: true }));

const TEXT = "text/plain; charset=utf-8";
const ANYWHERE = { host: "127.0.0.1", port: 0 };
const NEVER = new AbortController().signal;
const PAGES: Pages = {
	"/a": () => ({ status: 200, type: TEXT, body: "ä\n" }),
	"/b": () => ({ status: 503, type: "application/json", body: "{}" }),
	"/broken": () => {
		throw new Error("the kernel said no");
	},
};

async function ask(path: string, method = "GET") {
	await using listener = await serve(() => PAGES, ANYWHERE);
	const answer = await fetch(`http://127.0.0.1:${listener.port}${path}`, { method });
	return { status: answer.status, headers: answer.headers, body: await answer.text() };
}

/** What goes over the wire, until the other side is done. */
async function raw(port: number, request: string): Promise<string> {
	const { promise, resolve } = Promise.withResolvers<void>();
	let text = "";
	const socket = connect(port, "127.0.0.1", () => socket.write(request));
	socket.on("data", (chunk) => {
		text += chunk;
	});
	socket.on("close", () => resolve());
	await promise;
	return text;
}

test.each([
	["127.0.0.1:5810", "127.0.0.1", 5810],
	["[::1]:80", "::1", 80],
	["localhost:0", "localhost", 0],
])("parseListen(%s)", (text, host, port) => {
	expect(parseListen(text)).toEqual({ host, port });
});

describe("serve()", () => {
	test.each([
		["/a", 200, TEXT, "ä\n"],
		["/a?x=1", 200, TEXT, "ä\n"],
		["/b", 503, "application/json", "{}"],
		["/broken", 500, TEXT, "Cannot make this page: the kernel said no\n"],
		["/", 404, TEXT, "No such page; there are:\n/a\n/b\n/broken\n"],
		["/toString", 404, TEXT, "No such page; there are:\n/a\n/b\n/broken\n"],
		["/a/", 404, TEXT, "No such page; there are:\n/a\n/b\n/broken\n"],
	])("answers %s", async (path, status, type, body) => {
		const answer = await ask(path);
		expect([answer.status, answer.headers.get("content-type"), answer.body]).toEqual([status, type, body]);
	});

	test.each(["POST", "PUT", "DELETE", "OPTIONS"])("refuses %s", async (method) => {
		const { status, headers, body } = await ask("/a", method);
		expect([status, headers.get("allow"), body]).toEqual([405, "GET, HEAD", "Only GET and HEAD\n"]);
	});

	test("answers HEAD with the headers only", async () => {
		await using listener = await serve(() => PAGES, ANYWHERE);
		const text = await raw(listener.port, "HEAD /a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
		expect(text).toStartWith("HTTP/1.1 200 OK\r\n");
		expect(text.toLowerCase()).toContain("content-length: 3\r\n");
		expect(text).toEndWith("\r\n\r\n");
	});

	test("survives what is no HTTP", async () => {
		await using listener = await serve(() => PAGES, ANYWHERE);
		await raw(listener.port, "\x16\x03\x01 nonsense\r\n\r\n");
		expect((await fetch(`http://127.0.0.1:${listener.port}/a`)).status).toBe(200);
	});

	test("answers 503 as long as there are no pages", async () => {
		let pages: Pages | undefined;
		await using listener = await serve(() => pages, ANYWHERE);
		const url = `http://127.0.0.1:${listener.port}/a`;
		expect((await fetch(url)).status).toBe(503);
		pages = PAGES;
		expect((await fetch(url)).status).toBe(200);
	});

	test("says that a port is taken, and serves on", async () => {
		await using listener = await serve(() => PAGES, ANYWHERE);
		const { port } = listener;
		await expect(serve(() => PAGES, { host: "127.0.0.1", port })).rejects.toThrow(
			`Cannot listen on 127.0.0.1:${port}: EADDRINUSE (something else listens there: give another address, or off)`,
		);
		expect((await fetch(`http://127.0.0.1:${port}/a`)).status).toBe(200);
	});

	test.each([
		// 192.0.2.0/24 is for documentation (RFC 5737).
		[
			{ host: "192.0.2.1", port: 5810 },
			/^Cannot listen on 192\.0\.2\.1:5810: EADDRNOTAVAIL \(this machine has no such/,
		],
		[{ path: "/nonexistent/folder/x.sock" }, /^Cannot listen on \/nonexistent\/folder\/x\.sock: ENOENT/],
		[{ path: `/tmp/${"x".repeat(150)}` }, /^Cannot listen on \/tmp\/x+: ENAMETOOLONG \(a Unix socket's path has 107/],
	])("rejects %j", async (place, message) => {
		await expect(serve(() => PAGES, place)).rejects.toThrow(message);
	});

	test("gives its port back when disposed, though a client keeps its connection", async () => {
		const listener = await serve(() => PAGES, ANYWHERE);
		const socket = connect(listener.port, "127.0.0.1");
		const { promise, resolve } = Promise.withResolvers<void>();
		socket.on("close", () => resolve());
		socket.write("GET /a HTTP/1.1\r\nhost: x\r\n\r\n");
		await new Promise((answered) => socket.once("data", answered));
		await listener[Symbol.asyncDispose]();
		await promise;
		await using again = await serve(() => PAGES, { host: "127.0.0.1", port: listener.port });
		expect(again.port).toBe(listener.port);
	});
});

describe("fetchPage()", () => {
	test("reads a page from a Unix socket", async () => {
		await using _ = await serve(() => PAGES, { path: `${folder}/a.sock` });
		expect(await fetchPage(`${folder}/a.sock`, "/a", NEVER)).toEqual({ status: 200, body: "ä\n" });
		expect((await fetchPage(`${folder}/a.sock`, "/x", NEVER)).status).toBe(404);
	});

	test("rejects with ENOENT where there is no socket", async () => {
		await expect(fetchPage(`${folder}/none.sock`, "/a", NEVER)).rejects.toMatchObject({ code: "ENOENT" });
	});

	test("rejects with ECONNREFUSED where nobody listens any more, as on what a killed agent leaves", async () => {
		// SIGKILL leaves the socket's file.
		const path = `${folder}/stale.sock`;
		const code = `require("node:http").createServer().listen(${JSON.stringify(path)}, () => console.log("up"))`;
		const child = Bun.spawn([process.execPath, "-e", code], { stdout: "pipe" });
		await child.stdout.getReader().read();
		child.kill("SIGKILL");
		await child.exited;
		expect(existsSync(path)).toBe(true);
		await expect(fetchPage(path, "/a", NEVER)).rejects.toMatchObject({ code: "ECONNREFUSED" });
		// And nobody can listen there until it is removed.
		await expect(serve(() => PAGES, { path })).rejects.toThrow("EADDRINUSE");
		rmSync(path);
		await using _ = await serve(() => PAGES, { path });
		expect((await fetchPage(path, "/a", NEVER)).status).toBe(200);
	});

	test("rejects with ECONNREFUSED where there is a plain file", async () => {
		writeFileSync(`${folder}/file`, "");
		await expect(fetchPage(`${folder}/file`, "/a", NEVER)).rejects.toMatchObject({ code: "ECONNREFUSED" });
	});

	test("gives up when the signal is aborted", async () => {
		const stop = new AbortController();
		const path = `${folder}/slow.sock`;
		await using _ = await serve(
			() => {
				stop.abort();
				return PAGES;
			},
			{ path },
		);
		await expect(fetchPage(path, "/a", stop.signal)).rejects.toThrow();
	});
});

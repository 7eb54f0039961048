// The webhooks' server over TLS: certificates that change, bodies and connections of every kind.

import { expect, test } from "bun:test";
import { connect as connectTcp } from "node:net";
import { connect } from "node:tls";
import { temporaryFolder } from "../../../test/support/follow_hub.ts";
import { recordingLog } from "../../../test/support/log.ts";
import { until } from "../../../test/support/wait.ts";
import type { WebhookRequest } from "../../admission/admission.ts";
import type { Objects } from "../../hub/request/objects.ts";
import { createAuthority, createServerPair, type KeyPair } from "../../lib/certificate.ts";
import { serveWebhooks, type WebhookServer } from "./webhook_server.ts";
import { openWebhooks } from "./webhooks.ts";

const validity = { from: new Date(Date.now() - 60_000), until: new Date(Date.now() + 3_600_000) };
const authority = { name: "A", ...createAuthority("A", validity) };
const other = { name: "B", ...createAuthority("B", validity) };
const pairOf = (issuer: KeyPair & { readonly name: string }) => createServerPair(["127.0.0.1"], validity, issuer);

interface Served extends AsyncDisposable {
	readonly server: WebhookServer;
	readonly requests: readonly WebhookRequest[];
}

async function serving(idle?: number): Promise<Served> {
	const requests: WebhookRequest[] = [];
	const server = await serveWebhooks({
		listen: "127.0.0.1:0",
		pair: pairOf(authority),
		answer(request) {
			requests.push(request);
			return { status: 200, type: "application/json", body: `{"bytes":${request.body.length}}` };
		},
		log: recordingLog(),
		...(idle === undefined ? {} : { idle }),
	});
	return { server, requests, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

async function post(
	port: number,
	body: string,
	ca = authority.certificate,
): Promise<readonly [number, string] | string> {
	const init: object = { method: "POST", body, keepalive: false, tls: { ca } };
	try {
		const answer = await fetch(`https://127.0.0.1:${port}/validate?timeout=5s`, init);
		return [answer.status, await answer.text()];
	} catch (error) {
		return error instanceof Error && "code" in error ? String(error.code) : String(error);
	}
}

test("a request comes without its query, and its body as it was sent", async () => {
	await using served = await serving();
	expect(await post(served.server.port, "größe")).toEqual([200, '{"bytes":5}']);
	expect(served.requests).toEqual([{ method: "POST", path: "/validate", body: "größe" }]);
});

test("a body that is too large is answered with 413, and the next one as if nothing had been", async () => {
	await using served = await serving();
	const [status] = await post(served.server.port, "x".repeat((8 << 20) + 1));
	expect([status, served.requests.length]).toEqual([413, 0]);
	expect(await post(served.server.port, "x".repeat(8 << 20))).toEqual([200, `{"bytes":${8 << 20}}`]);
});

test("another certificate is for the connections after it; those that are open go on", async () => {
	await using served = await serving();
	const socket = connect({ port: served.server.port, host: "127.0.0.1", ca: authority.certificate });
	let heard = "";
	socket.on("data", (data) => {
		heard += data.toString();
	});
	const ask = "POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}";
	socket.write(ask);
	await until("answered", () => heard.includes('{"bytes":2}'));
	served.server.use(pairOf(other));
	expect(await post(served.server.port, "a")).not.toEqual([200, '{"bytes":1}']);
	expect(await post(served.server.port, "a", other.certificate)).toEqual([200, '{"bytes":1}']);
	socket.write(ask);
	await until("answered again", () => heard.split('{"bytes":2}').length === 3);
	socket.destroy();
});

test("a certificate without its key is refused, and the former one goes on", async () => {
	await using served = await serving();
	expect(() => served.server.use({ ...pairOf(other), key: authority.key })).toThrow();
	expect(await post(served.server.port, "a")).toEqual([200, '{"bytes":1}']);
});

test("who speaks no TLS, or leaves in the middle, disturbs nobody", async () => {
	await using served = await serving();
	const { port } = served.server;
	const plain = connectTcp(port, "127.0.0.1");
	plain.on("error", () => {});
	plain.write("POST /validate HTTP/1.1\r\n\r\n");
	await until("closed", () => plain.destroyed || plain.readableEnded || plain.closed);
	const half = connect({ port, host: "127.0.0.1", ca: authority.certificate });
	await until("connected", () => half.authorized);
	half.write("POST /validate HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{");
	half.destroy();
	expect(await post(port, "a")).toEqual([200, '{"bytes":1}']);
});

test("a connection that says nothing, or half a request, is closed in time", async () => {
	await using served = await serving(50);
	for (const said of ["", "POST /validate HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"]) {
		const socket = connect({ port: served.server.port, host: "127.0.0.1", ca: authority.certificate });
		socket.on("error", () => {});
		socket.write(said);
		await until("closed", () => socket.destroyed);
	}
	expect(await post(served.server.port, "a")).toEqual([200, '{"bytes":1}']);
});

test("an address that is taken is an error with the address", async () => {
	await using served = await serving();
	const listen = `127.0.0.1:${served.server.port}`;
	const again = serveWebhooks({ listen, pair: pairOf(authority), answer: () => NOTHING, log: recordingLog() });
	expect(await again.catch(String)).toBe(`Error: Cannot listen on ${listen} for webhooks: EADDRINUSE`);
});

const NOTHING = { status: 200, type: "application/json", body: "" } as const;
/** Files need none. */
const NO_OBJECTS: Objects = {
	get: () => Promise.reject(new Error("asked")),
	list: () => Promise.reject(new Error("asked")),
	create: () => Promise.reject(new Error("asked")),
	replace: () => Promise.reject(new Error("asked")),
	patch: () => Promise.reject(new Error("asked")),
	remove: () => Promise.reject(new Error("asked")),
};

test("a certificate in files is read again when it changes, and kept while it is half written", async () => {
	using folder = temporaryFolder();
	const stop = new AbortController();
	const log = recordingLog();
	let port = 0;
	await using webhooks = await openWebhooks({
		listen: "127.0.0.1:0",
		source: { kind: "files", folder: folder.path },
		answer: () => NOTHING,
		objects: NO_OBJECTS,
		log,
		signal: stop.signal,
		pace: { every: 20, settle: 0 },
		onServing(serving) {
			port = serving;
		},
	});
	await until("told", () => log.said.length > 0);
	expect(webhooks.hasCertificate()).toBe(false);
	expect(Reflect.get(log.said[0]?.fields ?? {}, "err").message).toBe(
		`Cannot read ${folder.path}/tls.crt: ENOENT (is the certificate's Secret mounted there?)`,
	);
	const [first, second] = [pairOf(authority), pairOf(other)];
	folder.write("tls.crt", first.certificate);
	folder.write("tls.key", first.key);
	await until("served", () => webhooks.hasCertificate());
	expect(await post(port, "")).toEqual([200, ""]);
	folder.write("tls.crt", second.certificate);
	await until("told", () =>
		log.said.some(({ fields }) => String(Reflect.get(fields, "err")).includes("it is not the key of")),
	);
	expect(await post(port, "")).toEqual([200, ""]);
	folder.write("tls.key", second.key);
	await until("replaced", () => log.messages().includes("info The webhooks have another certificate"));
	expect(await post(port, "", other.certificate)).toEqual([200, ""]);
	stop.abort();
	await webhooks.stopped;
});

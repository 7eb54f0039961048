// Probes against real servers that serve well, badly, or not at all.

import { afterEach, expect, test } from "bun:test";
import { createSocket, type Socket as DatagramSocket } from "node:dgram";
import { readdirSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { createAuthority } from "../../../test/support/hub/certificates.ts";
import { until } from "../../../test/support/wait.ts";
import { l4Address, parseIp, parsePort } from "../../model/address.ts";
import type { HealthCheck } from "../../model/health_check.ts";
import { runProbe } from "./probe.ts";

const HTTP_OK = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n";

let held = new AsyncDisposableStack();
afterEach(async () => {
	await held.disposeAsync();
	held = new AsyncDisposableStack();
});

type Check = Partial<Omit<HealthCheck, "probe">> & Pick<HealthCheck, "probe">;

function ask(ip: string, port: number, check: Check, signal = new AbortController().signal) {
	const [parsedIp, parsedPort] = [parseIp(ip), parsePort(port)];
	if (parsedIp === undefined || parsedPort === undefined) throw new Error(`Cannot probe ${ip} ${port}`);
	const defaults = { interval: 10_000, timeout: 5000, fails: 3, passes: 2, panic: 0 };
	return runProbe({ address: l4Address(parsedIp, parsedPort, "TCP"), check: { ...defaults, ...check } }, signal);
}

interface Listening {
	readonly port: number;
	/** What clients said, a text for each connection. */
	readonly heard: string[];
	readonly sockets: ReadonlySet<Socket>;
}

async function listenOn(server: Server, host: string, sockets: Set<Socket>): Promise<number> {
	server.on("connection", (socket) => {
		sockets.add(socket);
		socket.on("error", () => {});
		socket.on("close", () => sockets.delete(socket));
	});
	await new Promise<void>((resolve) => server.listen(0, host, resolve));
	held.defer(async () => {
		for (const socket of sockets) socket.destroy();
		await new Promise((resolve) => server.close(resolve));
	});
	const address = server.address();
	return typeof address === "object" ? (address?.port ?? 0) : 0;
}

/** Answers what a client says as `answer` does. */
async function serve(answer: (socket: Socket) => void, host = "127.0.0.1"): Promise<Listening> {
	const [heard, sockets] = [[] as string[], new Set<Socket>()];
	const server = createServer((socket) => {
		const number = heard.push("") - 1;
		socket.on("data", (chunk) => {
			heard[number] += chunk.toString("latin1");
			if (heard[number]?.endsWith("\r\n\r\n")) answer(socket);
		});
	});
	return { port: await listenOn(server, host, sockets), heard, sockets };
}

/** A port that nobody listens on: nobody else gets it while its socket is bound. */
async function closedPort(): Promise<number> {
	const socket = createSocket("udp4");
	await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
	held.defer(() => void socket.close());
	return socket.address().port;
}

async function serveUdp(answer: (socket: DatagramSocket, message: Buffer, port: number) => void, host = "127.0.0.1") {
	const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
	const heard: Buffer[] = [];
	socket.on("message", (message, { port }) => {
		heard.push(Buffer.from(message));
		answer(socket, Buffer.from(message), port);
	});
	await new Promise<void>((resolve) => socket.bind(0, host, resolve));
	held.defer(() => void socket.close());
	return { port: socket.address().port, heard };
}

/** A server in a process of its own, which says its port. */
async function another(program: string): Promise<number> {
	const child = Bun.spawn([process.execPath, "-e", program], { stdout: "pipe" });
	held.defer(async () => {
		child.kill("SIGKILL");
		await child.exited;
	});
	const { value } = await child.stdout.getReader().read();
	return Number(new TextDecoder().decode(value));
}

const PASSED = { kind: "passed" } as const;
const failed = (reason: string) => ({ kind: "failed", reason }) as const;
const REFUSED = failed("connection refused, or no route");
const TCP = { probe: { kind: "tcp" } } as const;
const HTTP = { probe: { kind: "http", path: "/healthz" } } as const;
const HTTPS = { probe: { kind: "https", path: "/healthz" } } as const;
const DNS = { probe: { kind: "dns", name: "example.org" } } as const;
/** Of probes that are to time out: long enough for a busy machine to have done what comes before. */
const SOON = 300;

test.each(["127.0.0.1", "::1"])("tcp passes where somebody listens, and closes its connection (%s)", async (ip) => {
	const { port, sockets } = await serve(() => {}, ip);
	expect(await ask(ip, port, TCP)).toEqual(PASSED);
	await until("closed", () => sockets.size === 0);
});

test("tcp fails where nobody listens", async () => {
	expect(await ask("127.0.0.1", await closedPort(), TCP)).toEqual(REFUSED);
});

test("a check's port is asked instead of the backend's own", async () => {
	const { port } = await serve(() => {});
	const other = parsePort(port);
	if (other === undefined) throw new Error("Cannot listen");
	expect(await ask("127.0.0.1", await closedPort(), { ...TCP, port: other })).toEqual(PASSED);
});

test.each([
	["HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", PASSED],
	["HTTP/1.0 204 No Content\r\n\r\n", PASSED],
	["HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n", PASSED],
	["HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", PASSED],
	["HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n", failed("answered 400")],
	["HTTP/1.1 500 Internal Server Error\r\ncontent-length: 4\r\n\r\nsad\n", failed("answered 500")],
	["HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\r\n", failed("answered 503")],
])("http judges the status of %j", async (answer, expected) => {
	const { port, heard, sockets } = await serve((socket) => void socket.end(answer));
	expect(await ask("127.0.0.1", port, HTTP)).toEqual(expected);
	expect(heard[0]).toStartWith("GET /healthz HTTP/1.1\r\n");
	expect(heard[0]?.toLowerCase()).toContain(`\r\nhost: 127.0.0.1:${port}\r\n`);
	expect(heard.length).toBe(1);
	await until("closed", () => sockets.size === 0);
});

test("http names an IPv6 backend in brackets", async () => {
	const { port, heard } = await serve((socket) => void socket.end(HTTP_OK), "::1");
	expect(await ask("::1", port, HTTP)).toEqual(PASSED);
	expect(heard[0]?.toLowerCase()).toContain(`\r\nhost: [::1]:${port}\r\n`);
});

test.each([
	["SSH-2.0-OpenSSH_9.2\r\n", "the answer is no HTTP (HPE_INVALID_CONSTANT)"],
	[`HTTP/1.1 200 OK\r\nx: ${"y".repeat(2 ** 20)}`, "the answer is no HTTP (HPE_HEADER_OVERFLOW)"],
	["", "connection closed before an answer"],
	["HTTP/1.1 200 O", "connection closed before an answer"],
	[
		"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
		"connection closed before an answer",
	],
])("http fails at an answer that is none (%#)", async (answer, reason) => {
	const { port } = await serve((socket) => void socket.end(answer));
	expect(await ask("127.0.0.1", port, HTTP)).toEqual(failed(reason));
});

test("http fails in time where nothing is answered", async () => {
	const { port, sockets } = await serve(() => {});
	const outcome = await ask("127.0.0.1", port, { ...HTTP, timeout: SOON });
	expect(outcome).toEqual(failed(`no answer within ${SOON} ms`));
	await until("closed", () => sockets.size === 0);
});

test("http is judged by a status that comes in time, though the body never ends", async () => {
	const head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n";
	const { port, sockets } = await serve((socket) => void socket.write(head));
	expect(await ask("127.0.0.1", port, { ...HTTP, timeout: SOON })).toEqual(PASSED);
	await until("closed", () => sockets.size === 0);
});

test("http reads no more of a long body than a little", async () => {
	let written = 0;
	const chunk = "x".repeat(64 * 1024);
	const { port } = await serve((socket) => {
		socket.write("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
		const pour = () => {
			while (!socket.destroyed && written < 2 ** 30) {
				written += chunk.length;
				if (!socket.write(chunk)) return;
			}
		};
		socket.on("drain", pour);
		pour();
	});
	expect(await ask("127.0.0.1", port, HTTP)).toEqual(PASSED);
	// What fits in the kernel's buffers may be on its way.
	expect(written).toBeLessThan(2 ** 26);
});

test("https does not check certificates", async () => {
	const { certificate, key } = createAuthority("balancing-test-probe").server(["DNS:somebody.else"]);
	const sockets = new Set<Socket>();
	const server = createTlsServer({ cert: certificate, key }, (socket) => {
		socket.on("data", () => socket.end(HTTP_OK));
		socket.on("error", () => {});
	});
	const port = await listenOn(server, "127.0.0.1", sockets);
	expect(await ask("127.0.0.1", port, HTTPS)).toEqual(PASSED);
	await until("closed", () => sockets.size === 0);
});

test("https fails at a server that speaks no TLS, or nothing", async () => {
	const sockets = new Set<Socket>();
	const port = await listenOn(
		createServer((socket) => void socket.resume().end(HTTP_OK)),
		"127.0.0.1",
		sockets,
	);
	const reason = "no TLS connection (ERR_SSL_WRONG_VERSION_NUMBER)";
	expect(await ask("127.0.0.1", port, HTTPS)).toEqual(failed(reason));
	const silent = await listenOn(
		createServer((socket) => void socket.resume()),
		"127.0.0.1",
		sockets,
	);
	expect(await ask("127.0.0.1", silent, { ...HTTPS, timeout: SOON })).toEqual(failed(`no answer within ${SOON} ms`));
	await until("closed", () => sockets.size === 0);
});

test("http fails at a path that cannot be asked for", async () => {
	const { port } = await serve((socket) => void socket.end(HTTP_OK));
	expect(await ask("127.0.0.1", port, { probe: { kind: "http", path: "/ä b" } })).toMatchObject({ kind: "failed" });
});

/** The question with the flags and the id of an answer. */
function answerTo(question: Buffer, flags: number, id = question.readUInt16BE(0)): Buffer {
	const answer = Buffer.from(question);
	answer.writeUInt16BE(id, 0);
	answer.writeUInt16BE(flags, 2);
	return answer;
}

test.each([
	["NOERROR", 0x8180, PASSED],
	["NXDOMAIN", 0x8183, PASSED],
	["NOERROR, truncated", 0x8380, PASSED],
	["SERVFAIL", 0x8182, failed("answered SERVFAIL")],
	["REFUSED", 0x8185, failed("answered REFUSED")],
	["RCODE 9", 0x8189, failed("answered RCODE 9")],
])("dns judges %s", async (_, flags, expected) => {
	const { port, heard } = await serveUdp((socket, question, to) => socket.send(answerTo(question, flags), to));
	expect(await ask("127.0.0.1", port, DNS)).toEqual(expected);
	expect(heard[0]?.subarray(2).toString("latin1")).toBe(
		"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03org\x00\x00\x01\x00\x01",
	);
});

test("dns asks over IPv6, too", async () => {
	const { port } = await serveUdp((socket, question, to) => socket.send(answerTo(question, 0x8180), to, "::1"), "::1");
	expect(await ask("::1", port, DNS)).toEqual(PASSED);
});

test("dns does not believe another id, another question, or a question", async () => {
	const { port } = await serveUdp((socket, question, to) => {
		socket.send(answerTo(question, 0x8180, question.readUInt16BE(0) ^ 1), to);
		const other = answerTo(question, 0x8180);
		other.write("x", 13);
		socket.send(other, to);
		socket.send(question, to);
		socket.send("short", to);
	});
	const outcome = await ask("127.0.0.1", port, { ...DNS, timeout: SOON });
	expect(outcome).toEqual(failed(`no answer within ${SOON} ms, but 4 to what was not asked`));
});

test("dns believes an answer that comes after a lie", async () => {
	const { port } = await serveUdp((socket, question, to) => {
		socket.send(answerTo(question, 0x8182, question.readUInt16BE(0) ^ 1), to, () =>
			socket.send(answerTo(question, 0x8180), to),
		);
	});
	expect(await ask("127.0.0.1", port, DNS)).toEqual(PASSED);
});

test("dns fails in time where datagrams are dropped, and at once where nobody listens", async () => {
	const { port } = await serveUdp(() => {});
	expect(await ask("127.0.0.1", port, { ...DNS, timeout: SOON })).toEqual(failed(`no answer within ${SOON} ms`));
	const gone = createSocket("udp4");
	await new Promise<void>((resolve) => gone.bind(0, "127.0.0.1", resolve));
	const nobody = gone.address().port;
	await new Promise<void>((resolve) => gone.close(resolve));
	expect(await ask("127.0.0.1", nobody, DNS)).toEqual(REFUSED);
});

test("an answer that has arrived counts, though this process was busy when it was time", async () => {
	const port = await another(LATE_ANSWER);
	const outcome = ask("127.0.0.1", port, { ...DNS, timeout: 50 });
	// After the first, the second and the probe's own timer are due in one turn of the loop; in the second the answer comes.
	setTimeout(() => Bun.sleepSync(100), 10);
	setTimeout(() => Bun.sleepSync(500), 20);
	expect(await outcome).toEqual(PASSED);
});

const LATE_ANSWER = `
	const socket = require("node:dgram").createSocket("udp4");
	socket.on("message", (question, { port }) => {
		const answer = Buffer.from(question);
		answer.writeUInt16BE(0x8180, 2);
		Bun.sleepSync(200);
		socket.send(answer, port);
	});
	socket.bind(0, "127.0.0.1", () => require("node:fs").writeSync(1, socket.address().port + "\\n"));
`;

test("what is given up ends at once, and leaves nothing open", async () => {
	const silent = await serve(() => {});
	const { port } = await serveUdp(() => {});
	const ended = new AbortController();
	const all = [
		ask("127.0.0.1", silent.port, HTTP, ended.signal),
		ask("127.0.0.1", port, DNS, ended.signal),
		ask("127.0.0.1", silent.port, TCP, AbortSignal.abort()),
	];
	await until("asked", () => silent.heard.length === 1);
	ended.abort();
	for (const outcome of await Promise.all(all)) expect(outcome.kind).toBe("broken");
	await until("closed", () => silent.sockets.size === 0);
});

test("thousands of probes leave no file open", async () => {
	const well = await serve((socket) => void socket.end(HTTP_OK));
	const bad = await serve((socket) => void socket.destroy());
	const refused = await closedPort();
	const names = await serveUdp((socket, question, to) => socket.send(answerTo(question, 0x8180), to));
	const openFiles = () => readdirSync("/proc/self/fd").length;
	const once = () =>
		Promise.all([
			ask("127.0.0.1", well.port, TCP),
			ask("127.0.0.1", well.port, HTTP),
			ask("127.0.0.1", bad.port, HTTP),
			ask("127.0.0.1", refused, HTTP),
			ask("127.0.0.1", refused, TCP),
			ask("127.0.0.1", names.port, DNS),
		]);
	await once();
	await until("closed", () => well.sockets.size + bad.sockets.size === 0);
	const before = openFiles();
	for (let round = 0; round < 400; round++)
		expect((await once()).map(({ kind }) => kind)).toEqual([
			"passed",
			"passed",
			"failed",
			"failed",
			"failed",
			"passed",
		]);
	await until("closed", () => well.sockets.size + bad.sockets.size === 0);
	await until("as many as before", () => openFiles() <= before);
}, 60_000);

test("that no file can be opened is our own fault, whatever the runtime says", async () => {
	const { port } = await serve(() => {});
	const program = `
		import { openSync } from "node:fs";
		import { runProbe } from ${JSON.stringify(`${import.meta.dir}/probe.ts`)};
		const probe = (kind) => runProbe({ address: "127.0.0.1:${port}/TCP", check: { ...kind, timeout: 5000 } }, new AbortController().signal);
		const kinds = [{ probe: { kind: "tcp" } }, { probe: { kind: "http", path: "/" } }, { probe: { kind: "dns", name: "a" } }];
		await probe(kinds[0]);
		try {
			for (;;) openSync("/dev/null", "r");
		} catch {}
		console.log(JSON.stringify(await Promise.all(kinds.map(probe))));
		process.exit(0);
	`;
	const limited = ["sh", "-c", 'ulimit -n 64; exec "$@"', "sh", process.execPath, "-e", program];
	const child = Bun.spawn(limited, { stdout: "pipe", stderr: "inherit" });
	const outcome = { kind: "broken", reason: "no more files can be opened: EMFILE" };
	expect(JSON.parse(await child.stdout.text())).toEqual([outcome, outcome, outcome]);
});

// The sockets of a network namespace: listed as they are, and closed under their owners.

import { afterEach, beforeAll, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { readlinkSync } from "node:fs";
import { connect, createServer } from "node:net";
import { type InetSocket, openSockDiag, possibleCpus, type SocketQuery } from "./mod.ts";
import { destinationFilter } from "./sock_diag_filter.ts";
import {
	type ConnectedSocket,
	connectedSocket,
	describeAsRoot,
	errorOf,
	openFds,
	uniqueName,
	until,
} from "./test/support.ts";

// The library opens itself once; it shall not count.
beforeAll(() => {
	possibleCpus();
});

const V4 = new Uint8Array([127, 9, 8, 7]);
const MAPPED = new Uint8Array([...new Array(10).fill(0), 0xff, 0xff, ...V4]);
const V6 = new Uint8Array([...new Array(15).fill(0), 1]);
/** Nobody else's, so that only our sockets are listed. */
const PORT = 40_000 + (process.pid % 10_000);

const KINDS = [
	{ name: "IPv4", type: "udp4", address: "127.9.8.7", family: "IPv4", ip: V4, wanted: V4 },
	{ name: "v4-mapped", type: "udp6", address: "::ffff:127.9.8.7", family: "IPv6", ip: MAPPED, wanted: V4 },
	{ name: "IPv6", type: "udp6", address: "::1", family: "IPv6", ip: V6, wanted: V6 },
] as const;

function udpTo(family: "IPv4" | "IPv6", ip: Uint8Array): SocketQuery {
	return { family, protocol: "udp", states: ["established"], destinations: [{ ip, port: PORT }] };
}

function only(sockets: readonly InetSocket[]): InetSocket {
	const [first] = sockets;
	if (first === undefined || sockets.length > 1) throw new Error(`Not one socket but ${sockets.length}`);
	return first;
}

const opened: ConnectedSocket[] = [];
async function open(kind: (typeof KINDS)[number]): Promise<ConnectedSocket> {
	const socket = await connectedSocket(kind.type, kind.address, PORT);
	opened.push(socket);
	return socket;
}
afterEach(() => {
	for (const socket of opened.splice(0)) socket[Symbol.dispose]();
});

describe.each(KINDS)("list() and destroy() of UDP over $name", (kind) => {
	test("find a socket by where it is connected to", async () => {
		using diag = openSockDiag();
		expect(diag.list(udpTo(kind.family, kind.wanted))).toEqual([]);
		const { port } = await open(kind);
		const found = only(diag.list(udpTo(kind.family, kind.wanted)));
		expect(found).toMatchObject({ family: kind.family, protocol: "udp", state: "established" });
		expect([found.destination, found.destinationPort, found.sourcePort]).toEqual([kind.ip, PORT, port]);
		expect([found.uid, found.inode > 0, found.cookie > 0n]).toEqual([process.getuid?.() ?? -1, true, true]);
		const another = kind.wanted.length === 4 ? new Uint8Array([127, 9, 8, 6]) : new Uint8Array(16).fill(9);
		expect(diag.list(udpTo(kind.family, another))).toEqual([]);
		const all = diag.list({ family: kind.family, protocol: "udp" });
		expect(all.map(({ cookie }) => cookie)).toContain(found.cookie);
	});

	test.skipIf(process.getuid?.() !== 0)("close it under its owner, once (needs root)", async () => {
		using diag = openSockDiag();
		expect(diag.canDestroy("udp")).toBe(true);
		const socket = await open(kind);
		const found = only(diag.list(udpTo(kind.family, kind.wanted)));
		expect(diag.destroy(found)).toBe(true);
		await until("told of it", () => socket.error() !== undefined);
		expect(socket.error()).toBe("ECONNABORTED");
		expect(diag.destroy(found)).toBe(false);
		// Its addresses alone do not do: another socket may have them by now.
		const id = found.id.slice();
		await open(kind);
		id.set(only(diag.list(udpTo(kind.family, kind.wanted))).id.subarray(0, 40));
		expect(diag.destroy({ ...found, id })).toBe(false);
		expect(diag.list(udpTo(kind.family, kind.wanted))).toHaveLength(1);
	});
});

describeAsRoot("openSockDiag()", () => {
	test("lists and closes TCP connections, and says their states", async () => {
		using diag = openSockDiag();
		const server = createServer(() => {}).listen(0, "127.0.0.1");
		await once(server, "listening");
		const address = server.address();
		const port = typeof address === "object" && address !== null ? address.port : 0;
		const client = connect(port, "127.0.0.1");
		const ended = Promise.withResolvers<string | undefined>();
		client.on("error", (error) => ended.resolve("code" in error ? String(error.code) : error.message));
		client.on("close", () => ended.resolve(undefined));
		await once(client, "connect");
		const destinations = [{ ip: new Uint8Array([127, 0, 0, 1]), port }];
		const query = { family: "IPv4", protocol: "tcp", destinations } as const;
		expect(diag.list({ ...query, states: ["syn-sent", "close-wait"] })).toEqual([]);
		const found = only(diag.list(query));
		expect(found.state).toBe("established");
		expect(diag.canDestroy("tcp")).toBe(true);
		expect(diag.destroy(found)).toBe(true);
		await ended.promise;
		expect(diag.list(query)).toEqual([]);
		client.destroy();
		server.close();
	});

	test("sees another network namespace, and comes back", async () => {
		const netns = uniqueName();
		const home = () => readlinkSync("/proc/thread-self/ns/net");
		const [process, thread] = [readlinkSync("/proc/self/ns/net"), home()];
		const first = KINDS[0];
		await open(first);
		Bun.spawnSync(["ip", "netns", "add", netns]);
		try {
			using there = openSockDiag({ netns: `/run/netns/${netns}` });
			using here = openSockDiag({ netns: "/proc/self/ns/net" });
			expect(there.list({ family: "IPv4", protocol: "udp" })).toEqual([]);
			expect(here.list(udpTo("IPv4", V4))).toHaveLength(1);
		} finally {
			Bun.spawnSync(["ip", "netns", "delete", netns]);
		}
		expect([readlinkSync("/proc/self/ns/net"), home()]).toEqual([process, thread]);
	});

	test.each([
		["/no/such/namespace", "ENOENT", "ask for the sockets of /no/such/namespace"],
		["/dev/null", "EINVAL", "ask for the sockets of /dev/null"],
		["/proc/self/ns/pid", "EINVAL", "ask for the sockets of /proc/self/ns/pid"],
	])("throws for %s, and leaves no file descriptor", (netns, code, action) => {
		const before = openFds();
		const error = errorOf(() => openSockDiag({ netns }));
		expect([error.code, error.message]).toEqual([code, `Cannot ${action}: ${code}${error.message.split(code)[1]}`]);
		expect(openFds()).toBe(before);
	});

	test("is over when it is closed", () => {
		const diag = openSockDiag();
		diag.close();
		diag.close();
		expect(errorOf(() => diag.list({ family: "IPv4", protocol: "udp" })).code).toBe("EBADF");
	});

	test("takes many destinations, and lists all where there are too many to tell the kernel", async () => {
		using diag = openSockDiag();
		await open(KINDS[0]);
		const others = (count: number) =>
			Array.from({ length: count }, (_, n) => ({ ip: new Uint8Array([127, 1, n >> 8, n & 0xff]), port: PORT }));
		const query = { family: "IPv4", protocol: "udp", states: ["established"] } as const;
		const wanted = { ip: V4, port: PORT };
		expect(diag.list({ ...query, destinations: others(255) })).toEqual([]);
		expect(diag.list({ ...query, destinations: [...others(255), wanted] })).toHaveLength(1);
		expect(diag.list({ ...query, destinations: [wanted, ...others(255)] })).toHaveLength(1);
		expect(destinationFilter(others(257))).toBeUndefined();
		expect(diag.list({ ...query, destinations: others(257) }).length).toBeGreaterThan(0);
	});
});

test("destinationFilter() refuses what is no address", () => {
	expect(() => destinationFilter([{ ip: new Uint8Array(5), port: 1 }])).toThrow("An address is 4 or 16 bytes, not 5");
});

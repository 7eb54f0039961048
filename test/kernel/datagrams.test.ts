// UDP through frontends: where datagrams arrive, and whom the client sees answer.

import { beforeEach, describe, expect, test } from "bun:test";
import type { Client } from "../support/client.ts";
import { FAMILIES, V4 } from "../support/family.ts";
import { programLab } from "../support/program_lab.ts";
import { parseAnswer } from "../support/server.ts";

const { place, bpf } = await programLab();

// Without frontends, so that each test's counters begin at zero.
beforeEach(() => bpf.program());

/** `SOURCE PORT`, and what the server said. */
function parseReceived(answer: string): { readonly source: string; readonly server: string; readonly text: string } {
	const [address, port, ...rest] = answer.split(" ");
	const { server, text } = parseAnswer(rest.join(" "));
	return { source: `${address} ${port}`, server, text };
}

/** Sends one datagram and receives one. */
async function exchange(client: Client, to: string, text = "x") {
	await client.ask(`sendto a ${to} ${text}`);
	return parseReceived(await client.ask("recvfrom a"));
}

describe.each(FAMILIES)("sendto() over $name", (family) => {
	const { domain, dial } = family;
	const at = (n: number) => family.l4(family.vip(n), 53, "UDP");
	const vip = (n: number) => `${dial(family.vip(n))} 53`;
	const to = (...n: readonly number[]) => n.map((each) => family.l4(family.backend(each), 5353, "UDP"));
	const server = (n: number) => `${family.backend(n)} 5353`;
	const direct = (n: number) => `${dial(family.backend(n))} 5353`;

	test.each(["recvfrom", "recvmsg", "recvmmsg", "peek"])("shows %s() the frontend as the source", async (call) => {
		bpf.program({ at: at(1), to: to(1) });
		await using client = place.client();
		await client.each(`socket a ${domain} udp`, `sendto a ${vip(1)} hello`);
		const answer = await client.ask(call === "recvmmsg" ? "recvmmsg a 1" : `${call} a`);
		expect(parseReceived(answer)).toEqual({ source: vip(1), server: server(1), text: "hello" });
		// What was only looked at is still there.
		if (call === "peek") expect(parseReceived(await client.ask("recvfrom a")).source).toBe(vip(1));
	});

	test("arrives at each backend from many sockets, with the client's own address", async () => {
		bpf.program({ at: at(1), to: to(1, 2, 3) });
		await using client = place.client();
		const seen = new Set<string>();
		for (let n = 0; n < 60; n++) {
			await client.each(`socket a ${domain} udp`, `sendto a ${vip(1)} x`);
			const answer = (await client.ask("recvfrom a")).split(" ").slice(2).join(" ");
			const [, port] = (await client.ask("name a")).split(" ");
			expect(parseAnswer(answer).client).toBe(`${family.client} ${port}`);
			seen.add(parseAnswer(answer).server);
			await client.ask("close a");
		}
		expect([...seen].sort()).toEqual([server(1), server(2), server(3)]);
	});

	test("to a backend's own address stays as it is", async () => {
		bpf.program({ at: at(1), to: to(1) });
		await using client = place.client();
		await client.ask(`socket a ${domain} udp`);
		expect(await exchange(client, direct(1))).toEqual({ source: direct(1), server: server(1), text: "x" });
		expect(bpf.frontend(at(1)).resolved).toBe(0);
	});

	test("of several datagrams in one call shows each answer's own frontend", async () => {
		bpf.program({ at: at(1), to: to(1) }, { at: at(2), to: to(2) }, { at: at(3), to: to(3) });
		await using client = place.client();
		await client.each(`socket a ${domain} udp`, `sendmmsg a x ${vip(1)} ${vip(2)} ${direct(9)} ${vip(3)}`);
		const answers: string[] = [];
		for (let n = 0; n < 4; n++) answers.push(await client.ask("recvfrom a"));
		const pairs = answers.map(parseReceived).map(({ source, server }) => `${source} ${server}`);
		const expected = [1, 2, 3].map((n) => `${vip(n)} ${server(n)}`);
		expect(pairs.sort()).toEqual([...expected, `${direct(9)} ${server(9)}`].sort());
	});

	test("keeps a socket's backend for every frontend, up to eight of them", async () => {
		const all = [1, 2, 3, 4, 5, 6, 7, 8];
		bpf.program(...all.map((n) => ({ at: at(n), to: to(10 * n, 10 * n + 1, 10 * n + 2, 10 * n + 3, 10 * n + 4) })));
		await using client = place.client();
		await client.ask(`socket a ${domain} udp`);
		const first: string[] = [];
		for (const n of all) first.push((await exchange(client, vip(n))).server);
		for (const n of [...all, ...all].reverse()) {
			const { source, server } = await exchange(client, vip(n));
			expect(source).toBe(vip(n));
			expect(server).toBe(first[n - 1] ?? "");
		}
		for (const n of all) expect(bpf.frontend(at(n)).resolved).toBe(1);
	});

	test("to more than eight frontends lets the oldest give way, and goes on to all of them", async () => {
		const all = Array.from({ length: 12 }, (_, index) => index + 1);
		bpf.program(...all.map((n) => ({ at: at(n), to: to(n) })));
		await using client = place.client();
		await client.ask(`socket a ${domain} udp`);
		for (const n of [...all, ...all, 1, 12, 1, 12]) {
			expect(await exchange(client, vip(n), `to-${n}`)).toEqual({ source: vip(n), server: server(n), text: `to-${n}` });
		}
		// Twice round twelve: every time the one that comes is the one that left. Then 1 comes back, and 12 is still there.
		expect(all.map((n) => bpf.frontend(at(n)).resolved)).toEqual([3, ...new Array<number>(11).fill(2)]);
		const open = all.map((n) => bpf.backend(to(n)[0] ?? "").open);
		expect(open.reduce((sum, each) => sum + each, 0)).toBe(8);
	});

	test("to two ports of one Service, and of one backend, keeps them apart", async () => {
		const port = (n: number) => family.l4(family.vip(1), n, "UDP");
		const behind = (n: number) => family.l4(family.backend(1), n, "UDP");
		bpf.program({ at: port(53), to: [behind(5353)] }, { at: port(54), to: [behind(8080)] });
		await using client = place.client();
		await client.ask(`socket a ${domain} udp`);
		for (const n of [53, 54, 53]) {
			const { source, server } = await exchange(client, `${dial(family.vip(1))} ${n}`);
			expect(source).toBe(`${dial(family.vip(1))} ${n}`);
			expect(server).toBe(`${family.backend(1)} ${n === 53 ? 5353 : 8080}`);
		}
		expect([bpf.frontend(port(53)).resolved, bpf.frontend(port(54)).resolved]).toEqual([1, 1]);
		// A port of the backend that no frontend leads to.
		expect((await exchange(client, `${dial(family.backend(1))} 8081`)).source).toBe(`${dial(family.backend(1))} 8081`);
	});

	test("to two frontends with the same backend shows the one that was asked last", async () => {
		bpf.program({ at: at(1), to: to(1) }, { at: at(2), to: to(1) });
		await using client = place.client();
		await client.ask(`socket a ${domain} udp`);
		for (const n of [1, 2, 2, 1, 2, 1]) expect((await exchange(client, vip(n))).source).toBe(vip(n));
	});
});

describe.each(FAMILIES)("connected UDP over $name", (family) => {
	const { domain, dial } = family;
	const at = (n: number) => family.l4(family.vip(n), 53, "UDP");
	const vip = (n: number) => `${dial(family.vip(n))} 53`;
	const to = (...n: readonly number[]) => n.map((each) => family.l4(family.backend(each), 5353, "UDP"));
	const server = (n: number) => `${family.backend(n)} 5353`;
	const direct = (n: number) => `${dial(family.backend(n))} 5353`;
	const many = Array.from({ length: 50 }, (_, index) => index + 1);

	/** Sends on the connection and receives. */
	async function converse(client: Client) {
		await client.ask("send a x");
		return parseReceived(await client.ask("recvfrom a"));
	}

	test("shows getpeername() and recvfrom() the frontend", async () => {
		bpf.program({ at: at(1), to: to(1) });
		await using client = place.client();
		await client.each(`socket a ${domain} udp`, `connect a ${vip(1)}`);
		expect(await client.ask("peer a")).toBe(vip(1));
		expect(await converse(client)).toEqual({ source: vip(1), server: server(1), text: "x" });
		await client.ask("send a again");
		expect(parseAnswer(await client.ask("recv a")).server).toBe(server(1));
		expect(await client.ask("peer a")).toBe(vip(1));
		const [address] = (await client.ask("name a")).split(" ");
		expect(address).toBe(dial(family.client));
	});

	test("with sendto() to the same frontend keeps its backend", async () => {
		bpf.program({ at: at(1), to: to(...many) });
		await using client = place.client();
		await client.each(`socket a ${domain} udp`, `connect a ${vip(1)}`);
		const first = (await converse(client)).server;
		for (let n = 0; n < 10; n++) {
			expect(await exchange(client, vip(1))).toEqual({ source: vip(1), server: first, text: "x" });
		}
		expect(bpf.frontend(at(1)).resolved).toBe(1);
	});

	test("after sendto() keeps the socket's backend, and has a peer", async () => {
		bpf.program({ at: at(1), to: to(...many) }, { at: at(2), to: to(60) });
		await using client = place.client();
		await client.ask(`socket a ${domain} udp`);
		const first = (await exchange(client, vip(1))).server;
		await client.ask(`connect a ${vip(1)}`);
		expect(await client.ask("peer a")).toBe(vip(1));
		expect(await converse(client)).toEqual({ source: vip(1), server: first, text: "x" });
		await client.ask(`connect a ${vip(2)}`);
		expect(await client.ask("peer a")).toBe(vip(2));
		await client.ask(`connect a ${vip(1)}`);
		expect(await client.ask("peer a")).toBe(vip(1));
		expect((await converse(client)).server).toBe(first);
	});

	test("with sendto() to another frontend shows who was asked", async () => {
		// A connected socket only hears its peer: so that the other one's answer gets through, it is the same backend.
		bpf.program({ at: at(1), to: to(1) }, { at: at(2), to: to(1) }, { at: at(3), to: to(3) });
		await using client = place.client();
		await client.each(`socket a ${domain} udp`, `connect a ${vip(1)}`);
		expect((await exchange(client, vip(2))).source).toBe(vip(2));
		expect((await exchange(client, vip(1))).source).toBe(vip(1));
		expect((await converse(client)).source).toBe(vip(1));
		// It goes on counting under its id, if the test before had it.
		const { connections } = bpf.backend(to(3)[0] ?? "");
		await client.ask(`sendto a ${vip(3)} x`);
		expect(bpf.backend(to(3)[0] ?? "").connections).toBe(connections + 1);
		expect(await client.ask("peer a")).toBe(vip(1));
	});

	test("connected anew shows the new peer: a frontend, a backend, nobody", async () => {
		bpf.program({ at: at(1), to: to(1) }, { at: at(2), to: to(2) });
		await using client = place.client();
		await client.each(`socket a ${domain} udp`, `connect a ${vip(1)}`, `connect a ${vip(2)}`);
		expect(await client.ask("peer a")).toBe(vip(2));
		expect(await converse(client)).toEqual({ source: vip(2), server: server(2), text: "x" });
		await client.ask(`connect a ${direct(2)}`);
		expect(await client.ask("peer a")).toBe(direct(2));
		expect(await converse(client)).toEqual({ source: direct(2), server: server(2), text: "x" });
		await client.each(`connect a ${vip(2)}`, "disconnect a");
		expect(await client.run("peer a")).toBe("ENOTCONN");
	});

	test("disconnected is an unconnected socket: answers come from whom it asks", async () => {
		bpf.program({ at: at(1), to: to(1) });
		await using client = place.client();
		await client.each(`socket a ${domain} udp`, `connect a ${vip(1)}`, "disconnect a");
		expect((await exchange(client, direct(1))).source).toBe(direct(1));
		expect((await exchange(client, vip(1))).source).toBe(vip(1));
		await client.each("close a", `socket a ${domain} udp`, `connect a ${vip(1)}`, "disconnect a");
		expect((await exchange(client, vip(1))).source).toBe(vip(1));
	});

	test("to a backend's own address shows it, though the frontend was asked before", async () => {
		bpf.program({ at: at(1), to: to(1) }, { at: at(2), to: to(1) });
		await using client = place.client();
		await client.ask(`socket a ${domain} udp`);
		await exchange(client, vip(1));
		await client.ask(`connect a ${direct(1)}`);
		expect(await client.ask("peer a")).toBe(direct(1));
		expect((await converse(client)).source).toBe(direct(1));
		await client.ask(`connect a ${vip(2)}`);
		expect((await converse(client)).source).toBe(vip(2));
	});

	test("whose backend is gone chooses one other for sendto(), and stays with it", async () => {
		bpf.program({ at: at(1), to: to(1) });
		await using client = place.client();
		await client.each(`socket a ${domain} udp`, `connect a ${vip(1)}`);
		bpf.program({ at: at(1), to: to(...many.slice(1)) });
		for (let n = 0; n < 5; n++) await client.ask(`sendto a ${vip(1)} x`);
		expect(bpf.frontend(at(1)).resolved).toBe(2);
	});
});

test("sendto() and connect() of an IPv4 address on an IPv6 socket go through the frontend", async () => {
	const at = V4.l4(V4.vip(1), 53, "UDP");
	bpf.program({ at, to: [V4.l4(V4.backend(1), 5353, "UDP")] });
	await using client = place.client();
	await client.ask("socket a inet6 udp");
	expect(await exchange(client, `${V4.vip(1)} 53`)).toEqual({
		source: `::ffff:${V4.vip(1)} 53`,
		server: `${V4.backend(1)} 5353`,
		text: "x",
	});
	await client.ask(`connect a ${V4.vip(1)} 53`);
	expect(await client.ask("peer a")).toBe(`::ffff:${V4.vip(1)} 53`);
});

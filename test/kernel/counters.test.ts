// Counters are exact: every choice once, every socket's end once.

import { beforeEach, describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { encodeBackend, encodeId } from "../../src/datapath/codec.ts";
import { sizeOf } from "../../src/datapath/layout.ts";
import { outcomes } from "../support/client.ts";
import { l4 } from "../support/datapath.ts";
import { FAMILIES, V4 } from "../support/family.ts";
import { programLab } from "../support/program_lab.ts";

const { place, bpf } = await programLab();

beforeEach(() => {
	bpf.program();
	// A backend that comes back goes on counting; each test begins at zero.
	for (const map of ["backend_stats", "frontend_stats"] as const) bpf.maps.delete(map, bpf.maps.dump(map).keys());
});

const LETTERS = [..."abcdefghijklmnopqrstuvwxyz"];

describe.each(FAMILIES)("over $name", (family) => {
	const { domain, dial } = family;
	const tcp = family.l4(family.vip(1), 80, "TCP");
	const udp = family.l4(family.vip(1), 53, "UDP");
	const served = family.l4(family.backend(1), 8080, "TCP");
	const answered = family.l4(family.backend(1), 5353, "UDP");
	const vip = dial(family.vip(1));

	test("every connect() is one connection, open until its socket is closed", async () => {
		bpf.program({ at: tcp, to: [served] });
		await using client = place.client();
		for (const letter of LETTERS) await client.each(`socket ${letter} ${domain} tcp`, `connect ${letter} ${vip} 80`);
		expect(bpf.frontend(tcp)).toMatchObject({ resolved: 26, refused: 0 });
		expect(bpf.backend(served)).toMatchObject({ connections: 26, open: 26 });
		for (const letter of LETTERS.slice(0, 20)) await client.ask(`close ${letter}`);
		expect(bpf.backend(served)).toMatchObject({ connections: 26, open: 6 });
		// A shutdown is no end.
		await client.ask("shutdown u");
		expect(bpf.backend(served).open).toBe(6);
		for (const letter of LETTERS.slice(20)) await client.ask(`close ${letter}`);
		expect(bpf.backend(served)).toMatchObject({ connections: 26, open: 0 });
	});

	test("a connection without state is counted, but not as open", async () => {
		bpf.program({ at: tcp, to: [served], keepsPeer: false });
		await using client = place.client();
		await client.each(`socket a ${domain} tcp`, `connect a ${vip} 80`);
		expect(bpf.backend(served)).toMatchObject({ connections: 1, open: 0 });
		await client.ask("close a");
		expect(bpf.backend(served)).toMatchObject({ connections: 1, open: 0 });
	});

	test("a socket that is connected again leaves the backend that it had", async () => {
		const other = family.l4(family.backend(2), 8080, "TCP");
		const at = family.l4(family.vip(2), 80, "TCP");
		bpf.program({ at: tcp, to: [served] }, { at, to: [other] });
		await using client = place.client();
		await client.each(`socket a ${domain} tcp`, `connect a ${vip} 80`, "disconnect a");
		await client.ask(`connect a ${dial(family.vip(2))} 80`);
		expect([bpf.backend(served).open, bpf.backend(other).open]).toEqual([0, 1]);
		await client.each("disconnect a", `connect a ${dial(family.backend(1))} 8080`);
		expect([bpf.backend(served).open, bpf.backend(other).open]).toEqual([0, 0]);
		await client.ask("close a");
		expect([bpf.backend(served).open, bpf.backend(other).open]).toEqual([0, 0]);
	});

	test("a connection that failed is closed with its socket, too", async () => {
		const deaf = family.l4(family.backend(1), 9, "TCP");
		bpf.program({ at: tcp, to: [deaf] });
		await using client = place.client();
		await client.ask(`socket a ${domain} tcp`);
		expect(await client.run(`connect a ${vip} 80`)).toBe("ECONNREFUSED");
		expect(await client.run(`connect a ${vip} 80`)).toBe("ECONNREFUSED");
		await client.ask("close a");
		expect(bpf.backend(deaf)).toMatchObject({ connections: 2, open: 0 });
	});

	test("a UDP flow is one connection, however many datagrams it has", async () => {
		bpf.program({ at: udp, to: [answered] });
		await using client = place.client();
		for (const letter of LETTERS) {
			await client.ask(`socket ${letter} ${domain} udp`);
			for (let n = 0; n < 5; n++) await client.each(`sendto ${letter} ${vip} 53 x`, `recvfrom ${letter}`);
		}
		expect(bpf.frontend(udp).resolved).toBe(26);
		expect(bpf.backend(answered)).toMatchObject({ connections: 26, open: 26 });
		for (const letter of LETTERS) await client.ask(`close ${letter}`);
		expect(bpf.backend(answered)).toMatchObject({ connections: 26, open: 0 });
	});

	test("a UDP socket's flows and its connection end with it, each once", async () => {
		const all = Array.from({ length: 11 }, (_, index) => index + 1);
		bpf.program(...all.map((n) => ({ at: family.l4(family.vip(n), 53, "UDP"), to: [answered] })));
		await using client = place.client();
		await client.ask(`socket a ${domain} udp`);
		for (const n of all) await client.ask(`sendto a ${dial(family.vip(n))} 53 x`);
		// The oldest three of eleven have given way.
		expect(bpf.backend(answered)).toMatchObject({ connections: 11, open: 8 });
		await client.ask(`connect a ${dial(family.vip(11))} 53`);
		expect(bpf.backend(answered)).toMatchObject({ connections: 12, open: 9 });
		await client.ask(`connect a ${dial(family.vip(1))} 53`);
		expect(bpf.backend(answered)).toMatchObject({ connections: 13, open: 9 });
		await client.ask("close a");
		expect(bpf.backend(answered)).toMatchObject({ connections: 13, open: 0 });
	});

	test("a process that is killed closes its sockets", async () => {
		bpf.program({ at: tcp, to: [served] }, { at: udp, to: [answered] });
		await using client = place.client();
		await client.each(`socket a ${domain} tcp`, `connect a ${vip} 80`);
		await client.each(`socket b ${domain} udp`, `connect b ${vip} 53`);
		await client.each(`socket c ${domain} udp`, `sendto c ${vip} 53 x`);
		expect([bpf.backend(served).open, bpf.backend(answered).open]).toEqual([1, 2]);
		await client.kill();
		expect([bpf.backend(served).open, bpf.backend(answered).open]).toEqual([0, 0]);
	});

	test("a socket that two processes share ends with the last of them", async () => {
		bpf.program({ at: tcp, to: [served] });
		await using client = place.client();
		await client.each(`socket a ${domain} tcp`, `connect a ${vip} 80`);
		const child = Number(await client.ask("fork"));
		await client.ask("close a");
		expect(bpf.backend(served).open).toBe(1);
		await client.ask(`end ${child}`);
		expect(bpf.backend(served)).toMatchObject({ connections: 1, open: 0 });
	});
});

test("clients at the same time lose no count", async () => {
	const at = V4.l4(V4.vip(1), 80, "TCP");
	const backends = [1, 2, 3].map((n) => V4.l4(V4.backend(n), 8080, "TCP"));
	bpf.program({ at, to: backends });
	await using stack = new AsyncDisposableStack();
	const clients = [1, 2, 3, 4].map(() => stack.use(place.client()));
	const storms = await Promise.all(clients.map((client) => client.ask(`storm tcp 500 ${V4.vip(1)} 80`)));
	expect(bpf.frontend(at).resolved).toBe(2000);
	for (const [index, backend] of backends.entries()) {
		const outcome = `0>${V4.backend(index + 1)}|8080`;
		const seen = storms.reduce((sum, storm) => sum + (outcomes(storm).get(outcome) ?? 0), 0);
		expect(bpf.backend(backend)).toMatchObject({ connections: seen, open: 0 });
	}
});

test("100,000 connections of clients at the same time to one backend lose no count", async () => {
	const at = V4.l4(V4.vip(1), 53, "UDP");
	const backend = V4.l4(V4.backend(1), 5353, "UDP");
	bpf.program({ at, to: [backend] });
	await using stack = new AsyncDisposableStack();
	const clients = [1, 2, 3, 4].map(() => stack.use(place.client()));
	await Promise.all(clients.map((client) => client.ask(`storm quiet 25000 ${V4.vip(1)} 53`)));
	expect(bpf.frontend(at).resolved).toBe(100_000);
	expect(bpf.backend(backend)).toMatchObject({ connections: 100_000, open: 0 });
});

test("a socket's end does not count for another backend that has got the id", async () => {
	const at = V4.l4(V4.vip(1), 80, "TCP");
	const [old, other] = [1, 2].map((n) => V4.l4(V4.backend(n), 8080, "TCP")) as [string, string];
	bpf.program({ at, to: [old] });
	await using client = place.client();
	await client.each("socket a inet tcp", `connect a ${V4.vip(1)} 80`);
	const key = encodeId(bpf.backend(old).id);
	// The id's next owner: other bytes, new counters.
	bpf.maps.put("backends", new Map([[key, encodeBackend(l4(other))]]));
	bpf.maps.put("backend_stats", new Map([[key, "\0".repeat(sizeOf("backend_stats"))]]));
	await client.ask("close a");
	expect(bpf.backend(other)).toMatchObject({ connections: 0, open: 0 });
	bpf.map("backends").update(Buffer.from(key, "latin1"), Buffer.from(encodeBackend(l4(old)), "latin1"));
});

test("a backend that goes and comes back goes on counting, the sockets that ended meanwhile included", async () => {
	const at = V4.l4(V4.vip(1), 80, "TCP");
	const [one, other] = [1, 2].map((n) => V4.l4(V4.backend(n), 8080, "TCP")) as [string, string];
	bpf.program({ at, to: [one] });
	await using client = place.client();
	for (const letter of "abc") await client.each(`socket ${letter} inet tcp`, `connect ${letter} ${V4.vip(1)} 80`);
	const before = bpf.backend(one);
	bpf.program({ at, to: [other] });
	await client.ask("close a");
	bpf.program({ at, to: [one, other] });
	expect(bpf.backend(one)).toMatchObject({ id: before.id, connections: before.connections, open: before.open - 1 });
	await client.ask("close b");
	await client.ask("close c");
	expect(bpf.backend(one)).toMatchObject({ connections: before.connections, open: before.open - 3 });
	expect(bpf.backend(other)).toMatchObject({ connections: 0, open: 0 });
});

// What becomes of UDP flows when the set of a frontend's backends changes.

import { beforeEach, describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { encodeBackend, encodeId } from "../../src/datapath/codec.ts";
import { offsetOf } from "../../src/datapath/layout.ts";
import type { Client } from "../support/client.ts";
import { l4, type Spec } from "../support/datapath.ts";
import { FAMILIES, V4 } from "../support/family.ts";
import { programLab } from "../support/program_lab.ts";
import { parseAnswer } from "../support/server.ts";

const GENERATION = offsetOf("frontend", "generation");

const { place, bpf } = await programLab();

beforeEach(() => bpf.program());

function upTo(n: number): readonly number[] {
	return Array.from({ length: n }, (_, index) => index + 1);
}

describe.each(FAMILIES)("a UDP flow over $name", (family) => {
	const { domain, dial } = family;
	const at = family.l4(family.vip(1), 53, "UDP");
	const vip = `${dial(family.vip(1))} 53`;
	const to = (numbers: readonly number[]) => numbers.map((n) => family.l4(family.backend(n), 5353, "UDP"));
	const server = (n: number) => `${family.backend(n)} 5353`;
	/** Another frontend, so that backends keep their ids while this one has others. */
	const keeper = (numbers: readonly number[]): Spec => ({ at: family.l4(family.vip(9), 53, "UDP"), to: to(numbers) });

	/** Who answers the socket. */
	async function ask(client: Client, socket: string): Promise<string> {
		await client.ask(`sendto ${socket} ${vip} x`);
		const answer = await client.ask(`recvfrom ${socket}`);
		expect(answer).toStartWith(`${vip} `);
		return parseAnswer(answer.slice(vip.length + 1)).server;
	}

	/** Sockets whose flows go to these backends, one after another: the first is a, then b ... */
	async function open(client: Client, backends: readonly number[], all: readonly number[]): Promise<void> {
		for (const [index, n] of backends.entries()) {
			bpf.program(keeper(all), { at, to: to([n]) });
			await client.ask(`socket ${letter(index)} ${domain} udp`);
			expect(await ask(client, letter(index))).toBe(server(n));
		}
	}

	function letter(index: number): string {
		return String.fromCharCode(97 + index);
	}

	test.each([1, 2, 3, 50, 1000])("keeps its backend through every change of a set of %d", async (size) => {
		await using client = place.client();
		const all = upTo(size);
		// Ids are given in this order: the ends of the search, their neighbours, the middle.
		const chosen = [...new Set([1, 2, Math.ceil(size / 2), size - 1, size])].filter((n) => n >= 1 && n <= size);
		await open(client, chosen, all);
		const resolved = bpf.frontend(at).resolved;
		const without = (...gone: readonly number[]) => all.filter((n) => chosen.includes(n) || !gone.includes(n));
		const half = all.filter((n) => n % 2 === 1);
		const sets = [all, without(...half), [...all, size + 1, size + 2], chosen, without(...all.slice(0, 7))];
		for (const set of sets) {
			bpf.program(keeper(all), { at, to: to(set) });
			for (const [index, n] of chosen.entries()) expect(await ask(client, letter(index))).toBe(server(n));
		}
		expect(bpf.frontend(at).resolved).toBe(resolved);
	});

	test.each([2, 3, 50, 1000])("is given another backend, once, when its own left a set of %d", async (size) => {
		await using client = place.client();
		const all = upTo(size);
		for (const gone of new Set([1, Math.ceil(size / 2), size])) {
			bpf.program();
			await open(client, [gone], all);
			bpf.program(keeper(all), { at, to: to(all.filter((n) => n !== gone)) });
			const next = await ask(client, "a");
			expect(next).not.toBe(server(gone));
			for (let n = 0; n < 3; n++) expect(await ask(client, "a")).toBe(next);
			expect(bpf.frontend(at).resolved).toBe(2);
			await client.ask("close a");
		}
	});

	test.each([1, 2, 50])("keeps a terminating backend, one of %d; new flows go elsewhere", async (size) => {
		await using client = place.client();
		const leaving = upTo(size);
		const staying = upTo(size + 3).slice(size);
		const chosen = [...new Set([1, Math.ceil(size / 2), size])];
		await open(client, chosen, [...leaving, ...staying]);
		bpf.program({ at, to: to(staying), terminating: to(leaving) });
		for (let n = 0; n < 30; n++) {
			await client.ask(`socket z ${domain} udp`);
			expect(staying.map(server)).toContain(await ask(client, "z"));
			await client.ask("close z");
		}
		for (const [index, n] of chosen.entries()) expect(await ask(client, letter(index))).toBe(server(n));
		// It comes back, goes again, and is gone.
		bpf.program({ at, to: to([...staying, ...leaving]) });
		bpf.program({ at, to: to(staying), terminating: to(leaving) });
		for (const [index, n] of chosen.entries()) expect(await ask(client, letter(index))).toBe(server(n));
		bpf.program({ at, to: to(staying) });
		for (const [index] of chosen.entries()) expect(staying.map(server)).toContain(await ask(client, letter(index)));
	});

	test("keeps a terminating backend when nobody else is left; new flows are refused", async () => {
		await using client = place.client();
		await open(client, [1], [1]);
		bpf.program({ at, to: [], terminating: to([1]) });
		expect(await ask(client, "a")).toBe(server(1));
		await client.ask(`socket b ${domain} udp`);
		expect(await client.run(`sendto b ${vip} x`)).toBe("ECONNREFUSED");
		bpf.program({ at, to: [] });
		expect(await client.run(`sendto a ${vip} x`)).toBe("ECONNREFUSED");
		bpf.program({ at, to: to([2]) });
		expect(await ask(client, "a")).toBe(server(2));
		expect(await ask(client, "b")).toBe(server(2));
	});

	test("ends with its frontend, and goes on when that comes back", async () => {
		await using client = place.client();
		await open(client, [1], [1]);
		bpf.program(keeper([1]));
		expect(await client.run(`sendto a ${vip} x`)).toBe("EHOSTUNREACH");
		bpf.program(keeper([1]), { at, to: to([2]) });
		expect(await ask(client, "a")).toBe(server(2));
	});

	test("of a connected socket keeps its backend through changes, also for sendto()", async () => {
		await using client = place.client();
		bpf.program(keeper(upTo(50)), { at, to: to([25]) });
		await client.each(`socket a ${domain} udp`, `connect a ${vip}`);
		for (const set of [upTo(50), upTo(30), upTo(60).slice(20)]) {
			bpf.program(keeper(upTo(50)), { at, to: to(set) });
			expect(await ask(client, "a")).toBe(server(25));
			await client.ask("send a x");
			expect(parseAnswer(await client.ask("recv a")).server).toBe(server(25));
			expect(await client.ask("peer a")).toBe(vip);
		}
		expect(bpf.frontend(at).resolved).toBe(1);
	});
});

test("a UDP flow does not go on to another backend that has got its backend's id", async () => {
	const at = V4.l4(V4.vip(1), 53, "UDP");
	const [old, other] = [1, 2].map((n) => V4.l4(V4.backend(n), 5353, "UDP")) as [string, string];
	await using client = place.client();
	bpf.program({ at, to: [old] });
	await client.each("socket a inet udp", `sendto a ${V4.vip(1)} 53 x`, "recvfrom a");
	// As if the id had been given anew: the very bytes change under it, and the set gets a new generation.
	const { id } = bpf.backend(old);
	bpf.map("backends").update(Buffer.from(encodeId(id), "latin1"), Buffer.from(encodeBackend(l4(other)), "latin1"));
	await client.ask(`sendto a ${V4.vip(1)} 53 x`);
	// The generation says that nothing has changed, so nothing was looked at.
	expect(await client.ask("recvfrom a")).toContain(` ${V4.backend(1)} 5353 `);
	const frontends = bpf.maps.dump("frontends");
	for (const [key, value] of frontends) {
		const view = Buffer.from(value, "latin1");
		view.writeUInt32LE(view.readUInt32LE(GENERATION) + 1000, GENERATION);
		bpf.maps.put("frontends", new Map([[key, view.toString("latin1")]]));
	}
	await client.ask(`sendto a ${V4.vip(1)} 53 x`);
	expect(await client.ask("recvfrom a")).toContain(` ${V4.backend(2)} 5353 `);
	bpf.maps.put("backends", new Map([[encodeId(id), encodeBackend(l4(old))]]));
});

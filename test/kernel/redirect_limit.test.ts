// Redirects with a limit: exactly so many in a second, on all processors together, and the rest as if there were no redirect.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { cpus } from "node:os";
import { ringBuffer } from "bun-ffi-libbpf";
import { encodeId } from "../../src/datapath/codec.ts";
import { decodeEvent, type ResolutionEvent } from "../../src/datapath/events.ts";
import { cgroup } from "../support/cgroup.ts";
import { type Client, client, outcomes } from "../support/client.ts";
import { datapath, type Spec, type SpecRedirect } from "../support/datapath.ts";
import { FAMILIES, V4 } from "../support/family.ts";
import { programLab } from "../support/program_lab.ts";
import { parseAnswer } from "../support/server.ts";
import { until } from "../support/wait.ts";

const { place, bpf } = await programLab({ events: "all" });

/** The backend of the redirect, that of who is next, and one that is its own address. */
const [LOCAL, NEXT, OWN] = [1, 2, 9];
/** A redirect whose limit is never reached: it shows the programs' clock. */
const CLOCK = "10.96.0.250:1/UDP";
const clock: Spec = { at: CLOCK, to: ["10.202.0.1:5353/UDP"], redirect: { limit: 1_000_000 } };

let watch: Client;
const heard: ResolutionEvent[] = [];
const reader = ringBuffer(bpf.events, (record) => {
	const event = decodeEvent(record);
	if (event !== undefined) heard.push(event);
});

beforeAll(() => {
	watch = place.client();
});

beforeEach(() => bpf.program());

afterAll(async () => {
	reader[Symbol.dispose]();
	await watch[Symbol.asyncDispose]();
});

/** The second that the programs are in. */
async function second(): Promise<bigint> {
	await watch.each("socket z inet udp", "connect z 10.96.0.250 1", "close z");
	const { id } = bpf.frontend(CLOCK);
	const window = bpf.map("redirect_windows").lookup(Buffer.from(encodeId(id), "latin1"));
	return Buffer.from(window ?? expect.unreachable()).readBigUInt64LE(8);
}

/** What this comes to when it begins and ends in one second, in which nothing was before; it is done again until it does. */
async function inOneSecond<T>(act: () => Promise<T>): Promise<T> {
	let result: T | undefined;
	let isDone = false;
	await until("all of it in one second", async () => {
		const before = await second();
		let start = before;
		await until("another second", async () => {
			start = await second();
			return start !== before;
		});
		heard.length = 0;
		result = await act();
		isDone = (await second()) === start;
		return isDone;
	});
	if (result === undefined || !isDone) throw new Error("Cannot say what came of it: it was not done");
	return result;
}

describe.each(FAMILIES)("a limit over $name", (family) => {
	const { domain, dial } = family;
	const udp = (n: number) => family.l4(family.backend(n), 5353, "UDP");
	const tcp = (n: number) => family.l4(family.backend(n), 8080, "TCP");
	const at = (n: number) => family.l4(family.vip(n), 53, "UDP");
	const vip = (n: number) => `${dial(family.vip(n))} 53`;
	const name = (n: number, port: number) => `${family.backend(n)}|${port}`;
	const next = { to: [udp(NEXT)] };
	const limited = (n: number, limit: number, more: SpecRedirect = { next }): Spec => ({
		at: at(n),
		to: [udp(LOCAL)],
		mode: "localRedirectService",
		redirect: { ...more, limit },
	});

	/** What storms of all these clients at once come to, added up. */
	async function storm(clients: readonly Client[], command: string): Promise<Readonly<Record<string, number>>> {
		const sums: Record<string, number> = {};
		for (const answer of await Promise.all(clients.map((each) => each.ask(command))))
			for (const [outcome, count] of outcomes(answer)) sums[outcome] = (sums[outcome] ?? 0) + count;
		return sums;
	}

	/** Two for each processor. */
	function crowd(stack: AsyncDisposableStack): readonly Client[] {
		return Array.from({ length: 2 * cpus().length }, () => stack.use(place.client()));
	}

	test.each([
		{ kind: "connected", limit: 37, protocol: "UDP" },
		{ kind: "udp", limit: 23, protocol: "UDP" },
		{ kind: "peer", limit: 41, protocol: "TCP" },
	] as const)("is kept exactly by $kind on all processors, second by second", async ({ kind, limit, protocol }) => {
		const web = family.l4(family.vip(1), 80, "TCP");
		const beyond = { next: { to: [tcp(NEXT)] }, limit };
		const isTcp = protocol === "TCP";
		bpf.program(clock, isTcp ? { at: web, to: [tcp(LOCAL)], redirect: beyond } : limited(1, limit));
		await using stack = new AsyncDisposableStack();
		const clients = crowd(stack);
		const each = 30;
		const to = isTcp ? `${dial(family.vip(1))} 80` : vip(1);
		const port = isTcp ? 8080 : 5353;
		for (let n = 0; n < 2; n++) {
			const found = await inOneSecond(() => storm(clients, `storm ${kind} ${each} ${to}`));
			const rest = each * clients.length - limit;
			expect(found).toEqual({ [`0>${name(LOCAL, port)}`]: limit, [`0>${name(NEXT, port)}`]: rest });
		}
	});

	test("is each address's own", async () => {
		bpf.program(clock, limited(1, 5), limited(2, 8));
		await using stack = new AsyncDisposableStack();
		const found = await inOneSecond(() => storm(crowd(stack), `storm connected 20 ${vip(1)} ${vip(2)}`));
		expect([found[`0>${name(LOCAL, 5353)}`], found[`1>${name(LOCAL, 5353)}`]]).toEqual([5, 8]);
	});

	test("lets what is over it go out as it is where nobody is next", async () => {
		const own = udp(OWN);
		bpf.program(clock, { at: own, to: [udp(LOCAL)], mode: "localRedirectAddress", redirect: { limit: 3 } });
		await using stack = new AsyncDisposableStack();
		const user = stack.use(place.client());
		const direct = `${dial(family.backend(OWN))} 5353`;
		const found = await inOneSecond(async () => storm([user], `storm connected 10 ${direct}`));
		expect(found).toEqual({ [`0>${name(LOCAL, 5353)}`]: 3, [`0>${name(OWN, 5353)}`]: 7 });
		reader.drain();
		const passed = heard.filter(({ redirectHitLimit }) => redirectHitLimit);
		expect(passed).toHaveLength(7);
		expect(passed[0]).toMatchObject({ result: "success", reason: "", mode: "localRedirectAddress", backendId: 0 });
		expect(passed[0]?.backend).toEqual(passed[0]?.original);
	});

	test("shows in the events of those who go on to who is next, and of nobody else", async () => {
		bpf.program(clock, limited(1, 2));
		await using user = place.client();
		await inOneSecond(() => storm([user], `storm connected 5 ${vip(1)}`));
		reader.drain();
		const seen = heard
			.filter(({ original }) => original.port === 53)
			.map(({ mode, redirectHitLimit, backend }) => [mode, redirectHitLimit, String(backend?.ip)]);
		const [local, over] = [
			["localRedirectService", false, family.backend(LOCAL)],
			["ServiceClusterIP", true, family.backend(NEXT)],
		];
		expect(seen).toEqual([local, local, over, over, over]);
	});

	test.each(["connect", "sendto"] as const)(
		"is not asked for again by a UDP socket that has a backend: %s()",
		async (call) => {
			bpf.program(clock, limited(1, 2));
			await using user = place.client();
			const talk = async (socket: string): Promise<string> => {
				if (call === "connect") {
					await user.each(`connect ${socket} ${vip(1)}`, `send ${socket} x`);
					return parseAnswer(await user.ask(`recv ${socket}`)).server;
				}
				await user.ask(`sendto ${socket} ${vip(1)} x`);
				const answer = await user.ask(`recvfrom ${socket}`);
				expect(answer).toStartWith(`${vip(1)} `);
				return parseAnswer(answer.slice(vip(1).length + 1)).server;
			};
			const talkAll = async () => [await talk("a"), await talk("b"), await talk("c")];
			const wanted = [LOCAL, LOCAL, NEXT].map((n) => `${family.backend(n)} 5353`);
			const open = ["a", "b", "c"].map((socket) => `socket ${socket} ${domain} udp`);
			await user.each(...open);
			const seen = await inOneSecond(async () => {
				await user.each("close a", "close b", "close c", ...open);
				return [await talkAll(), await talkAll(), await talkAll()];
			});
			expect(seen).toEqual([wanted, wanted, wanted]);
			const { resolved } = bpf.frontend(at(1), 1);
			// Nor in the next second, in which nobody has had a redirect: the third one keeps what it has.
			expect(await inOneSecond(talkAll)).toEqual(wanted);
			if (call === "sendto") expect(bpf.frontend(at(1), 1).resolved).toBe(resolved);
		},
	);

	// All families share what it is about.
	if (family !== V4) return;
	test("changes with the policy, and begins anew with another frontend of its id", async () => {
		bpf.program(clock, limited(1, 1));
		await using user = place.client();
		const count = async () =>
			(await inOneSecond(() => storm([user], `storm connected 10 ${vip(1)}`)))[`0>${name(LOCAL, 5353)}`];
		expect(await count()).toBe(1);
		bpf.program(clock, limited(1, 4));
		expect(await count()).toBe(4);
		bpf.program(clock, limited(1, 0));
		expect(await count()).toBe(10);
		const { id } = bpf.frontend(at(1));
		const key = Buffer.from(encodeId(id), "latin1");
		expect(bpf.map("redirect_windows").lookup(key)).toBeUndefined();
	});
});

test("nothing went wrong on the way", () => {
	expect(bpf.faults()).toEqual({ slot: 0, storage: 0, eventFull: 0, eventRate: 0 });
});

test("where nothing more can be remembered a redirect goes on without its limit, counted", async () => {
	using group = cgroup();
	using full = datapath(group.path);
	const windows = full.map("redirect_windows");
	const { maxEntries, keySize, valueSize } = windows.info;
	const keys = Buffer.from(new Uint32Array(Array.from({ length: maxEntries }, (_, n) => 1_000_000 + n)).buffer);
	expect(keys.length).toBe(maxEntries * keySize);
	const at = "10.96.0.1:53/UDP";
	full.program({ at, to: ["10.202.0.1:5353/UDP"], redirect: { limit: 1 } });
	await using user = client({ netns: place.clients.name, cgroup: group.path });
	expect(windows.updateBatch(keys, Buffer.alloc(maxEntries * valueSize)).errno).toBe(0);
	const seen = outcomes(await user.ask("storm connected 5 10.96.0.1 53"));
	expect(Object.fromEntries(seen)).toEqual({ "0>10.202.0.1|5353": 5 });
	expect(full.faults().storage).toBe(5);
});

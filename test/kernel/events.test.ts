// Resolution events: what they say, which ones there are, and that none goes missing uncounted.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { ringBuffer } from "bun-ffi-libbpf";
import { decodeEvent, type ResolutionEvent } from "../../src/datapath/events.ts";
import { type Ip, parseIp } from "../../src/model/address.ts";
import { outcomes } from "../support/client.ts";
import { datapath, type TestDatapath, type TestSettings } from "../support/datapath.ts";
import { FAMILIES, V4 } from "../support/family.ts";
import { type Lab, lab } from "../support/lab.ts";

// No test is about time; a busy machine may take long.
setDefaultTimeout(60_000);

let place: Lab;

beforeAll(async () => {
	place = await lab();
});

afterAll(() => place[Symbol.dispose]());

interface Heard extends Disposable {
	readonly bpf: TestDatapath;
	/** What came in up to now. */
	events(): readonly ResolutionEvent[];
}

/** Programs that report, and whoever hears them. */
function listen(settings: TestSettings): Heard {
	using stack = new DisposableStack();
	const bpf = stack.use(datapath(place.cgroup.path, settings));
	const heard: ResolutionEvent[] = [];
	const reader = stack.use(
		ringBuffer(bpf.events, (record) => {
			const event = decodeEvent(record);
			if (event === undefined) throw new Error(`Cannot understand an event of ${record.length} bytes`);
			heard.push(event);
		}),
	);
	const held = stack.move();
	return {
		bpf,
		events() {
			reader.drain();
			return heard;
		},
		[Symbol.dispose]: () => held.dispose(),
	};
}

function ip(text: string): Ip {
	const parsed = parseIp(text);
	if (parsed === undefined) throw new Error(`Cannot read address ${text}`);
	return parsed;
}

/** In nanoseconds: /proc/uptime shows hundredths of a second. */
const CLOCK_STEP = 10_000_001;

/** CLOCK_BOOTTIME in nanoseconds. */
function now(): number {
	return Number.parseFloat(readFileSync("/proc/uptime", "utf8")) * 1_000_000_000;
}

describe.each(FAMILIES)("an event over $name", (family) => {
	const { domain, dial } = family;
	const tcp = family.l4(family.vip(1), 80, "TCP");
	const udp = family.l4(family.vip(1), 53, "UDP");
	const served = family.l4(family.backend(1), 8080, "TCP");
	const answered = family.l4(family.backend(2), 5353, "UDP");
	const vip = dial(family.vip(1));

	test.each([
		{ protocol: "TCP", call: `connect a ${vip} 80`, at: tcp, to: served, port: 80, backend: [1, 8080] },
		{ protocol: "UDP", call: `connect a ${vip} 53`, at: udp, to: answered, port: 53, backend: [2, 5353] },
		{ protocol: "UDP", call: `sendto a ${vip} 53 x`, at: udp, to: answered, port: 53, backend: [2, 5353] },
	] as const)("of $protocol says who asked for what, and what came of it: $call", async (row) => {
		using heard = listen({ events: "all" });
		heard.bpf.program({ at: row.at, to: [row.to] });
		await using client = place.client();
		const before = now();
		await client.each(`socket a ${domain} ${row.protocol.toLowerCase()}`, row.call);
		const after = now();
		const { id } = heard.bpf.frontend(row.at);
		const [event] = heard.events();
		expect(event).toEqual({
			time: expect.any(BigInt),
			result: "success",
			reason: "",
			mode: "ServiceClusterIP",
			protocol: row.protocol,
			frontendId: id,
			backendId: heard.bpf.backend(row.to).id,
			original: { ip: ip(family.vip(1)), port: row.port },
			backend: { ip: ip(family.backend(row.backend[0])), port: row.backend[1] },
			redirectHitLimit: false,
			pid: client.pid,
			tid: client.pid,
			uid: 0,
			comm: readFileSync(`/proc/${client.pid}/comm`, "utf8").trim(),
			cgroupId: place.cgroup.id,
			netnsCookie: BigInt(await client.ask("cookie a")),
		} as ResolutionEvent);
		expect(Number(event?.time)).toBeWithin(before - CLOCK_STEP, after + CLOCK_STEP);
		expect(heard.events()).toHaveLength(1);
	});

	test("says which thread it was", async () => {
		using heard = listen({ events: "all" });
		heard.bpf.program({ at: tcp, to: [served] });
		await using client = place.client();
		await client.each(`socket a ${domain} tcp`, `thread connect a ${vip} 80`);
		const [event] = heard.events();
		expect(event?.pid).toBe(client.pid);
		expect(event?.tid).toBeGreaterThan(0);
		expect(event?.tid).not.toBe(client.pid);
	});

	test("says that a connection was refused", async () => {
		using heard = listen({ events: "all" });
		heard.bpf.program({ at: tcp, to: [] }, { at: udp, to: [] });
		await using client = place.client();
		await client.each(`socket a ${domain} tcp`, `socket b ${domain} udp`);
		await client.run(`connect a ${vip} 80`);
		await client.run(`sendto b ${vip} 53 x`);
		const events = heard.events();
		expect(events.map(({ result, protocol }) => `${result} ${protocol}`)).toEqual(["failure TCP", "failure UDP"]);
		for (const { backend, backendId, original } of events) {
			expect(backend).toBeUndefined();
			expect(backendId).toBe(0);
			expect(original.ip).toBe(ip(family.vip(1)));
		}
	});
});

const GOOD = V4.l4(V4.vip(1), 80, "TCP");
const BAD = V4.l4(V4.vip(2), 80, "TCP");
const SPECS = [
	{ at: GOOD, to: [V4.l4(V4.backend(1), 8080, "TCP")] },
	{ at: BAD, to: [] },
];

test.each([
	{ events: "all", expected: ["success", "failure"] },
	{ events: "failures", expected: ["failure"] },
	{ events: "off", expected: [] },
] as const)("--events $events gives $expected", async ({ events, expected }) => {
	using heard = listen({ events });
	heard.bpf.program(...SPECS);
	await using client = place.client();
	await client.ask(`storm tcp 1 ${V4.vip(1)} 80 ${V4.vip(2)} 80 ${V4.backend(1)} 8080`);
	expect(heard.events().map(({ result }) => result)).toEqual([...expected]);
	expect(heard.bpf.frontend(GOOD).resolved + heard.bpf.frontend(BAD).refused).toBe(2);
	expect(heard.bpf.faults()).toEqual({ slot: 0, storage: 0, eventFull: 0, eventRate: 0 });
});

test("datagrams of a flow that has its backend give no event", async () => {
	const at = V4.l4(V4.vip(1), 53, "UDP");
	using heard = listen({ events: "all" });
	heard.bpf.program({ at, to: [V4.l4(V4.backend(1), 5353, "UDP")] });
	await using client = place.client();
	await client.ask("socket a inet udp");
	for (let n = 0; n < 5; n++) await client.each(`sendto a ${V4.vip(1)} 53 x`, "recvfrom a");
	expect(heard.events()).toHaveLength(1);
});

test("over the rate, each event is delivered or counted", async () => {
	const started = performance.now();
	using heard = listen({ events: "all", eventsRate: 100 });
	heard.bpf.program(...SPECS);
	await using stack = new AsyncDisposableStack();
	const clients = [1, 2, 3].map(() => stack.use(place.client()));
	const storms = clients.map((client) => client.ask(`storm tcp 5000 ${V4.vip(2)} 80`));
	for (const storm of storms) expect(outcomes(await storm)).toEqual(new Map([["0!ECONNREFUSED", 5000]]));
	const delivered = heard.events().length;
	const { eventRate, eventFull } = heard.bpf.faults();
	expect(delivered + eventRate).toBe(15_000);
	expect(eventFull).toBe(0);
	// A second's worth is saved up at the start.
	expect(delivered).toBeGreaterThanOrEqual(100);
	// Processors that count at the same moment let one more through: at the most as many as there are.
	const allowed = 100 + Math.ceil((performance.now() - started) / 10);
	expect(delivered).toBeLessThanOrEqual(allowed * cpus().length);
	expect(heard.bpf.frontend(BAD).refused).toBe(15_000);
});

test("when nobody reads, each event is kept or counted", async () => {
	using bpf = datapath(place.cgroup.path, { events: "failures" });
	bpf.program(...SPECS);
	await using stack = new AsyncDisposableStack();
	const clients = [1, 2, 3].map(() => stack.use(place.client()));
	const storms = clients.map((client) => client.ask(`storm tcp 5000 ${V4.vip(2)} 80`));
	for (const storm of storms) expect(outcomes(await storm)).toEqual(new Map([["0!ECONNREFUSED", 5000]]));
	let kept = 0;
	using reader = ringBuffer(bpf.events, () => {
		kept += 1;
	});
	reader.drain();
	const { eventRate, eventFull } = bpf.faults();
	expect(eventRate).toBe(0);
	expect(eventFull).toBeGreaterThan(0);
	expect(kept).toBeGreaterThan(1000);
	expect(kept + eventFull).toBe(15_000);
});

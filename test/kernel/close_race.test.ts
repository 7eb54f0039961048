// Sockets are closed while others come and go as fast as they can: what has its backend, or went there directly, never notices.

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { openSocketCloser, type SocketCloser } from "../../src/datapath/sockets.ts";
import { outcomes } from "../support/client.ts";
import { datapath, type TestDatapath } from "../support/datapath.ts";
import { FAMILIES } from "../support/family.ts";
import { type Lab, lab } from "../support/lab.ts";

// No test is about time; a busy machine may take long.
setDefaultTimeout(120_000);

const ROUNDS = 60;
const CROWD = 40;

let place: Lab;
let bpf: TestDatapath;
let closer: SocketCloser;

beforeAll(async () => {
	place = await lab();
	bpf = datapath(place.cgroup.path);
	closer = openSocketCloser({ pinPath: bpf.pinPath, epoch: 1 });
});

afterAll(() => {
	closer[Symbol.dispose]();
	bpf[Symbol.dispose]();
	place[Symbol.dispose]();
});

test.each(FAMILIES)("a Service over $name whose only backend is replaced again and again", async (family) => {
	const { dial } = family;
	const [one, two] = [family.backend(1), family.backend(2)];
	const udp = (ip: string) => family.l4(ip, 5353, "UDP");
	const steady = { at: family.l4(family.vip(2), 53, "UDP"), to: [udp(one), udp(two)] };
	const changing = (ip: string) => ({ at: family.l4(family.vip(1), 53, "UDP"), to: [udp(ip)] });
	const signal = new AbortController().signal;
	bpf.program(steady, changing(one));
	await using crowd = place.client();
	await using storm = place.client();
	const targets = [`${family.vip(1)} 53`, `${family.vip(2)} 53`, `${one} 5353`, `${two} 5353`].map(dial);
	const blown = storm.ask(`storm connected 1000000 ${targets.join(" ")}`);
	let others = 0;
	for (let round = 0; round < ROUNDS; round++) {
		await crowd.ask(`gather udp ${CROWD} ${dial(family.vip(1))} 53`);
		bpf.program(steady, changing(round % 2 === 0 ? two : one));
		const { closed, failure } = await closer.closeStale(signal);
		expect([failure, closed.TCP, closed.UDP.failed]).toEqual([undefined, { closed: 0, failed: 0 }, 0]);
		expect(await crowd.ask("aborted")).toBe(String(CROWD));
		await crowd.ask("scatter");
		others += closed.UDP.closed - CROWD;
	}
	const [found] = await Promise.all([blown.then(outcomes), storm.ask("stop")]);
	const kinds = (target: number) => [...found.keys()].filter((key) => key.startsWith(String(target))).sort();
	const answers = (target: number) => [one, two].map((ip) => `${target}>${ip}|5353`);
	expect(kinds(1)).toEqual(answers(1));
	expect(kinds(2)).toEqual([`2>${one}|5353`]);
	expect(kinds(3)).toEqual([`3>${two}|5353`]);
	// One that was between its connect() and its answer then.
	expect(kinds(0).filter((key) => key !== "0!ECONNABORTED" && key !== "0!EDESTADDRREQ")).toEqual(answers(0));
	expect((found.get("0!ECONNABORTED") ?? 0) + (found.get("0!EDESTADDRREQ") ?? 0)).toBeLessThanOrEqual(others);
	expect(bpf.faults()).toEqual({ slot: 0, storage: 0, eventFull: 0, eventRate: 0 });
});

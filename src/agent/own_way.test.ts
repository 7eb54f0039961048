// When the agent goes past its frontends, and when it comes back. That the kernel lets it, test/kernel says.

import { describe, expect, test } from "bun:test";
import { recordingLog } from "../../test/support/log.ts";
import { encodeFrontend, encodeFrontendKey, encodeId, encodeName } from "../datapath/codec.ts";
import { l4Address, parseIp, parsePort } from "../model/address.ts";
import { createOwnWay } from "./own_way.ts";

function keyOf(text: string, number: number, protocol: "TCP" | "UDP"): string {
	const [ip, port] = [parseIp(text), parsePort(number)];
	if (ip === undefined || port === undefined) throw new Error(`Cannot read ${text}:${number}`);
	return encodeFrontendKey(l4Address(ip, port, protocol));
}

const HUB = "https://10.96.0.1";
const HUB_KEY = keyOf("10.96.0.1", 443, "TCP");
const DNS_KEY = keyOf("10.96.0.10", 53, "UDP");

const PLAIN = { affinity: "", affinitySeconds: 0, guard: "", limit: 0 } as const;

/** A kernel with frontends, and what a process does there. */
function host(...keys: readonly string[]) {
	const names = new Map<string, string>();
	const frontends = new Map<string, string>();
	const addresses = new Map<string, string>();
	const put = (key: string, id: number, generation: number) => {
		names.set(encodeId(id), encodeName(`demo/${id}:port`));
		const numbers = { id, slotBase: 0, active: 0, members: 0, generation };
		frontends.set(key, encodeFrontend(key, { ...numbers, flags: 1, ...PLAIN }));
	};
	for (const [index, key] of keys.entries()) put(key, index + 1, 1);
	const state = { met: 0, last: "", seen: true };
	const times: number[] = [];
	const open = new Set<object>();
	const log = recordingLog();
	const way = createOwnWay({
		bypass: {
			begin(milliseconds) {
				if (!state.seen) return undefined;
				times.push(milliseconds);
				const before = state.met;
				const stretch = {
					met: () => state.met !== before,
					[Symbol.dispose]: () => void open.delete(stretch),
				};
				open.add(stretch);
				return stretch;
			},
			connect: () => 0,
			last: () => state.last,
		},
		actual: () => ({ frontends, names, addresses }),
		log,
	});
	function meet(key: string): void {
		state.met += 1;
		state.last = key;
	}
	/** One try that comes to these frontends; what `failed` gave, or "worked". */
	function attempt(
		works: boolean,
		met: readonly string[],
		{ target = HUB, by }: { target?: string; by?: "translated" | "untranslated" | undefined } = {},
	) {
		using one = way.begin(target, by);
		for (const key of met) meet(key);
		if (!works) return one.failed();
		one.worked();
		return "worked";
	}
	return { way, log, put, frontends, addresses, state, times, open, attempt };
}

describe("createOwnWay()", () => {
	test("goes as any client where that works", () => {
		const { attempt, times, way, log } = host(HUB_KEY);
		expect([attempt(true, [HUB_KEY]), attempt(true, [])]).toEqual(["worked", "worked"]);
		expect(times).toEqual([0, 0]);
		expect([way.trouble(), log.said]).toEqual([null, []]);
	});

	test("has no other way to a hub that no frontend leads to", () => {
		const { attempt, times } = host(HUB_KEY);
		expect([attempt(false, []), attempt(false, [])]).toEqual([undefined, undefined]);
		expect(times).toEqual([0, 0]);
	});

	test("goes past the frontend that it failed by, and stays there as long as that works", () => {
		const { attempt, times, way, log, open } = host(HUB_KEY);
		const by = attempt(false, [HUB_KEY]);
		expect(by).toBe("untranslated");
		expect(attempt(true, [HUB_KEY], { by: "untranslated" })).toBe("worked");
		expect(attempt(true, [HUB_KEY])).toBe("worked");
		// Over a connection that was there: no frontend is met.
		expect(attempt(true, [])).toBe("worked");
		expect(times).toEqual([0, 10_000, 30_000, 30_000]);
		expect(way.trouble()).toBe(
			"It is reached without translation: 10.96.0.1:443/TCP (demo/1:port) does not lead to it",
		);
		expect(log.said).toEqual([
			{
				level: "warn",
				message: "The hub is reached without translation: this frontend does not lead to it",
				fields: { hub: "10.96.0.1", frontend: "10.96.0.1:443/TCP (demo/1:port)" },
			},
		]);
		expect(open.size).toBe(0);
	});

	test("gives a way past that nobody knows less time than one that has worked", () => {
		const { way, attempt } = host(HUB_KEY);
		expect(way.begin(HUB).patience).toBeUndefined();
		expect(way.begin(HUB, "untranslated").patience).toBe(10_000);
		attempt(true, [HUB_KEY], { by: "untranslated" });
		expect(way.begin(HUB).patience).toBeUndefined();
	});

	test("goes as any client at once where the way past has failed, and no third way after that", () => {
		const { attempt, times, way } = host(HUB_KEY);
		attempt(true, [HUB_KEY], { by: "untranslated" });
		expect(attempt(false, [HUB_KEY])).toBe("translated");
		expect(way.trouble()).toBeNull();
		expect(attempt(false, [HUB_KEY], { by: "translated" })).toBeUndefined();
		expect(attempt(false, [HUB_KEY])).toBe("untranslated");
		expect(attempt(false, [HUB_KEY], { by: "untranslated" })).toBeUndefined();
		expect(times).toEqual([10_000, 30_000, 0, 0, 10_000]);
	});

	test("goes past an address that refuses the hub's port, until it is not known any more", () => {
		const { attempt, way, addresses } = host();
		// The address in the key, which begins with it.
		const address = HUB_KEY.slice(0, 16);
		addresses.set(address, "a cluster IP");
		expect(attempt(false, [HUB_KEY])).toBe("untranslated");
		attempt(true, [HUB_KEY], { by: "untranslated" });
		expect(way.trouble()).toBe("It is reached without translation: 10.96.0.1:443/TCP does not lead to it");
		addresses.delete(address);
		expect(way.trouble()).toBeNull();
	});

	test("does not call an obstacle what was not met: the connection was there already", () => {
		const { attempt, way, times } = host(HUB_KEY);
		attempt(true, [], { by: "untranslated" });
		expect(way.trouble()).toBeNull();
		attempt(true, []);
		expect(times).toEqual([10_000, 0]);
	});

	test.each([
		["is another one", (place: ReturnType<typeof host>) => place.put(HUB_KEY, 1, 2)],
		["is gone", (place: ReturnType<typeof host>) => void place.frontends.delete(HUB_KEY)],
	])("goes as any client when the frontend that was in the way %s", (_, change) => {
		const place = host(HUB_KEY, DNS_KEY);
		place.attempt(true, [HUB_KEY], { by: "untranslated" });
		place.put(DNS_KEY, 2, 2);
		expect(place.way.trouble()).not.toBeNull();
		change(place);
		expect(place.way.trouble()).toBeNull();
		place.attempt(true, [HUB_KEY]);
		expect(place.times).toEqual([10_000, 0]);
	});

	test.each([
		[
			"the name server's, where only that was met",
			"https://hub.test:6443",
			[DNS_KEY],
			"10.96.0.10:53/UDP (demo/2:port)",
		],
		["the hub's own, whatever another hub meets meanwhile", HUB, [HUB_KEY, DNS_KEY], "10.96.0.1:443/TCP (demo/1:port)"],
		[
			"the last one, where the hub is a name",
			"https://hub.test",
			[DNS_KEY, HUB_KEY],
			"10.96.0.1:443/TCP (demo/1:port)",
		],
	])("names the frontend: %s", (_, target, met, title) => {
		const { attempt, way } = host(HUB_KEY, DNS_KEY);
		attempt(true, met, { target, by: "untranslated" });
		expect(way.trouble()).toBe(`It is reached without translation: ${title} does not lead to it`);
	});

	test("knows the hub's own frontend by an IPv6 address, and by a port that is not said", () => {
		const key = keyOf("fd00::1", 80, "TCP");
		const { attempt, way } = host(key);
		attempt(true, [DNS_KEY], { target: "http://[fd00::1]", by: "untranslated" });
		expect(way.trouble()).toContain(" [fd00::1]:80/TCP (demo/1:port) ");
	});

	test("goes as any client where the programs do not see this process", () => {
		const { attempt, state, way } = host(HUB_KEY);
		state.seen = false;
		expect(attempt(false, [])).toBeUndefined();
		expect(way.begin(HUB, "untranslated").patience).toBeUndefined();
		expect(attempt(false, [], { by: "untranslated" })).toBeUndefined();
	});
});

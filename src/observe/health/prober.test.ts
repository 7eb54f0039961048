// The prober's order of the day: when it asks, what it keeps, and what it says. Backends here are tables; probe.test.ts has real ones.

import { expect, test } from "bun:test";
import { recordingLog } from "../../../test/support/log.ts";
import { manualTimers } from "../../../test/support/manual_timers.ts";
import { type L4Address, type Port, parseL4Address, parsePort } from "../../model/address.ts";
import type { HealthCheck } from "../../model/health_check.ts";
import type { Probe, ProbeKey } from "../../plan/plan_types.ts";
import { failed, type Outcome, PASSED } from "./outcome.ts";
import { createProber } from "./prober.ts";

const SAD = failed("sad");

function address(text: string): L4Address {
	const parsed = parseL4Address(text);
	if (parsed === undefined) throw new Error(`Cannot read ${text}`);
	return parsed;
}

function port(number: number): Port {
	const parsed = parsePort(number);
	if (parsed === undefined) throw new Error(`Cannot read ${number}`);
	return parsed;
}

const [ONE, TWO] = [address("192.0.2.1:5432"), address("192.0.2.2:5432")];
const CHECK: HealthCheck = { probe: { kind: "tcp" }, interval: 1000, timeout: 100, fails: 2, passes: 2, panic: 0 };

/** The key says all of the check, as the planner's does. */
function keyOf(backend: L4Address, check: HealthCheck): ProbeKey {
	return `${backend} ${JSON.stringify(check)}` as ProbeKey;
}

function probes(backends: readonly L4Address[], check: Partial<HealthCheck> = {}): ReadonlyMap<ProbeKey, Probe> {
	const whole = { ...CHECK, ...check };
	return new Map(backends.map((one) => [keyOf(one, whole), { address: one, check: whole }]));
}

function place({ limit, random = () => 0.5 }: { limit?: number; random?: () => number } = {}) {
	const timers = manualTimers();
	const log = recordingLog();
	/** What probes find; who is not here does not answer until it is aborted. */
	const found = new Map<L4Address, Outcome>();
	const asked: { readonly backend: L4Address; readonly at: number; readonly signal: AbortSignal }[] = [];
	let changes = 0;
	let busy = 0;
	let mostBusy = 0;
	const prober = createProber({
		async probe({ address: backend }, signal) {
			asked.push({ backend, at: timers.now(), signal });
			busy += 1;
			mostBusy = Math.max(mostBusy, busy);
			const outcome = found.get(backend);
			if (outcome === undefined)
				await new Promise<void>((resolve) => {
					const end = () => resolve();
					signal.addEventListener("abort", end);
					timers.after(100, end);
				});
			busy -= 1;
			return outcome ?? failed("no answer");
		},
		onChange: () => void changes++,
		log,
		timers,
		random,
		...(limit === undefined ? {} : { limit }),
	});
	const nobody = () => false;
	return {
		timers,
		log,
		found,
		asked,
		prober,
		follow: (wanted: ReadonlyMap<ProbeKey, Probe>, isSuspect: (probe: Probe) => boolean = nobody) =>
			prober.follow(wanted, isSuspect),
		changes: () => changes,
		mostBusy: () => mostBusy,
		times: (backend: L4Address) => asked.filter((one) => one.backend === backend).map(({ at }) => at),
		states: () => prober.backends().map(({ backend, state }) => `${backend} ${state}`),
		quarantined: () => [...prober.quarantine()].map((key) => key.split(" ")[0] ?? ""),
	};
}

test("a prober without probes sets no timer", () => {
	const { timers, follow, prober } = place();
	follow(new Map());
	expect(timers.count()).toBe(0);
	follow(probes([ONE]));
	expect(timers.count()).toBe(1);
	follow(new Map());
	expect(timers.count()).toBe(0);
	follow(probes([ONE, TWO]));
	prober[Symbol.dispose]();
	expect(timers.count()).toBe(0);
});

test("a backend is asked at once, then at its interval", async () => {
	const { timers, follow, found, times } = place();
	found.set(ONE, PASSED);
	follow(probes([ONE]));
	await timers.pass(3500);
	expect(times(ONE)).toEqual([0, 1000, 2000, 3000]);
});

test("intervals are a tenth longer or shorter, and counted from one beginning to the next", async () => {
	for (const [random, expected] of [
		[0, [0, 900, 1800, 2700]],
		[1, [0, 1100, 2200]],
	] as const) {
		const { timers, follow, times } = place({ random: () => random });
		follow(probes([ONE]));
		await timers.pass(3000);
		expect(times(ONE)).toEqual([...expected]);
	}
});

test("many new backends are spread, a millisecond for each, within the interval", async () => {
	let step = 0;
	const { timers, follow, found, asked } = place({ random: () => (step++ % 100) / 100 });
	const many = Array.from({ length: 5000 }, (_, index) => address(`10.0.${index >> 8}.${index & 255}:80`));
	for (const one of many) found.set(one, PASSED);
	follow(probes(many, { interval: 2000 }));
	await timers.pass(1999);
	const first = new Map(asked.map(({ backend, at }) => [backend, at]));
	expect(first.size).toBe(5000);
	expect(asked.filter(({ at }) => at < 500).length).toBeWithin(1000, 1500);
});

test("suspects are asked at once, however many are new", async () => {
	const { timers, follow, found, times } = place({ random: () => 1 });
	const many = Array.from({ length: 100 }, (_, index) => address(`10.0.0.${index}:80`));
	for (const one of many) found.set(one, PASSED);
	follow(probes(many), (probe) => probe.address === many[7]);
	await timers.pass(500);
	expect(many.slice(6, 9).map((one) => times(one))).toEqual([[99], [0], [99]]);
});

test("no more than the limit are asked at a time, and the others as soon as one has answered", async () => {
	const { timers, follow, mostBusy, asked } = place({ limit: 3, random: () => 0 });
	follow(probes(Array.from({ length: 10 }, (_, index) => address(`10.0.0.${index}:80`))));
	await timers.pass(0);
	expect(asked.length).toBe(3);
	await timers.pass(100);
	expect(asked.length).toBe(6);
	await timers.pass(200);
	expect(asked.length).toBe(10);
	expect(mostBusy()).toBe(3);
});

test("a backend that fails is used until it has failed often enough, and again after enough passes", async () => {
	const { timers, follow, found, quarantined, changes, states, log } = place();
	found.set(ONE, PASSED).set(TWO, SAD);
	follow(probes([ONE, TWO]));
	expect(states()).toEqual([`${ONE} untried`, `${TWO} untried`]);
	await timers.pass(500);
	expect(states()).toEqual([`${ONE} ok`, `${TWO} failing`]);
	expect([quarantined(), changes()]).toEqual([[], 0]);
	await timers.pass(1000);
	expect(states()).toEqual([`${ONE} ok`, `${TWO} quarantined`]);
	expect([quarantined(), changes()]).toEqual([[TWO], 1]);
	await timers.pass(5000);
	expect([quarantined(), changes()]).toEqual([[TWO], 1]);
	found.set(TWO, PASSED);
	await timers.pass(1000);
	expect(quarantined()).toEqual([TWO]);
	await timers.pass(1000);
	expect([quarantined(), changes()]).toEqual([[], 2]);
	expect(log.said).toEqual([
		{ level: "debug", message: "Backend passes its health check", fields: { backend: ONE, check: "tcp" } },
		{ level: "info", message: "Backend fails its health check", fields: { backend: TWO, check: "tcp", reason: "sad" } },
		{ level: "warn", message: "Backend is in quarantine", fields: { backend: TWO, check: "tcp", reason: "sad" } },
		{ level: "info", message: "Backend is out of quarantine", fields: { backend: TWO, check: "tcp" } },
	]);
});

test("quarantine() is the identical set as long as nobody goes in or out", async () => {
	const { timers, follow, found, prober } = place();
	const empty = prober.quarantine();
	found.set(ONE, SAD).set(TWO, SAD);
	follow(probes([ONE]));
	expect(prober.quarantine()).toBe(empty);
	await timers.pass(1500);
	const one = prober.quarantine();
	expect(one.size).toBe(1);
	await timers.pass(5000);
	expect(prober.quarantine()).toBe(one);
	follow(probes([ONE, TWO]));
	expect(prober.quarantine()).toBe(one);
	await timers.pass(1500);
	expect(prober.quarantine().size).toBe(2);
	expect(one.size).toBe(1);
	follow(new Map());
	expect(prober.quarantine()).toBe(empty);
});

test("follow() keeps what it knows of probes that stay, and asks them no sooner", async () => {
	const { timers, follow, found, quarantined, times } = place();
	found.set(ONE, SAD).set(TWO, PASSED);
	follow(probes([ONE]));
	await timers.pass(1500);
	follow(probes([ONE, TWO]));
	expect(quarantined()).toEqual([ONE]);
	await timers.pass(1000);
	expect(times(ONE)).toEqual([0, 1000, 2000]);
});

test.each([
	["thresholds", { fails: 5, passes: 1 }, [ONE]],
	["the interval", { interval: 2000 }, [ONE]],
	["the panic threshold", { panic: 50 }, [ONE]],
	["the port", { port: port(1) }, []],
	["the kind", { probe: { kind: "http", path: "/" } as const }, []],
] as const)(
	"a check with another value of %s keeps the state if the question is the same",
	async (_, change, expected) => {
		const { timers, follow, found, quarantined, times, asked } = place();
		found.set(ONE, SAD);
		follow(probes([ONE]));
		await timers.pass(1500);
		expect(quarantined()).toEqual([ONE]);
		const changed = probes([ONE], change);
		follow(changed);
		expect(quarantined()).toEqual([...expected]);
		await timers.pass(0);
		// The new check begins at once, and the former one has ended.
		expect(times(ONE)).toEqual([0, 1000, 1500]);
		await timers.pass(500);
		expect(asked.filter(({ at }) => at === 2000)).toEqual([]);
	},
);

test("the same question of another frontend begins with what is known", async () => {
	const { timers, follow, found, prober } = place();
	found.set(ONE, SAD);
	follow(probes([ONE]));
	await timers.pass(1500);
	follow(new Map([...probes([ONE]), ...probes([ONE], { fails: 9 })]));
	expect(prober.quarantine().size).toBe(2);
});

test("what is not wanted any more is aborted, and says nothing", async () => {
	const { timers, follow, asked, prober, changes, log } = place();
	follow(probes([ONE], { fails: 1 }));
	await timers.pass(0);
	follow(new Map());
	expect(asked[0]?.signal.aborted).toBe(true);
	await timers.pass(5000);
	expect([asked.length, changes(), prober.counts().failed, log.said.length]).toEqual([1, 0, 0, 0]);
});

test("a suspect is in quarantine until its first probe, which decides", async () => {
	const { timers, follow, found, quarantined, states, changes, log } = place();
	found.set(ONE, PASSED).set(TWO, SAD);
	follow(probes([ONE, TWO], { fails: 3, passes: 3 }), () => true);
	expect(quarantined()).toEqual([ONE, TWO]);
	await timers.pass(500);
	expect(states()).toEqual([`${ONE} ok`, `${TWO} quarantined`]);
	expect([quarantined(), changes()]).toEqual([[TWO], 1]);
	expect(log.messages()).toEqual(["info Backend passes its health check", "warn Backend is in quarantine"]);
});

test("our own fault changes nothing, and is told once", async () => {
	const { timers, follow, found, states, prober, log } = place();
	found.set(ONE, PASSED);
	follow(probes([ONE], { fails: 1 }));
	await timers.pass(500);
	found.set(ONE, { kind: "broken", reason: "no more files" });
	await timers.pass(5000);
	expect(states()).toEqual([`${ONE} ok`]);
	expect(prober.counts()).toEqual({ passed: 1, failed: 0, broken: 5 });
	expect(log.messages()).toEqual(["debug Backend passes its health check", "error Cannot probe backends"]);
});

test("backends() says since when, and the last error in words", async () => {
	const { timers, follow, found, prober } = place();
	found.set(ONE, SAD).set(TWO, PASSED);
	follow(probes([TWO, ONE], { probe: { kind: "http", path: "/healthz" }, port: port(8081) }));
	await timers.pass(1500);
	const check = "http:/healthz port=8081";
	expect(prober.backends()).toEqual([
		{ backend: ONE, check, state: "quarantined", since: "2026-01-01T00:00:01.000Z", lastError: "sad" },
		{ backend: TWO, check, state: "ok", since: "2026-01-01T00:00:00.000Z", lastError: null },
	]);
});

// When snapshots are shown: never while one kind is read anew and the others are about to be.

import { expect, test } from "bun:test";
import type { Log } from "../../lib/log.ts";
import { type Cluster, EMPTY_CLUSTER } from "../../model/cluster.ts";
import { createAlarm } from "../alarm.ts";
import { createKindHub } from "./kind_hub.ts";
import { createKindState } from "./kind_state.ts";
import { needsOf } from "./needs.ts";
import { type Scope, scopesOf } from "./scopes.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** The two kinds that the others wait for, and a view that has something new each time. */
function start() {
	const stop = new AbortController();
	const wakes: (() => void)[] = [];
	const clock = {
		now: () => 0,
		sleep: (milliseconds: number, signal: AbortSignal) =>
			new Promise<void>((wake) => {
				signal.addEventListener("abort", () => wake());
				if (milliseconds <= 1000) wakes.push(wake);
			}),
	};
	const say = (): void => {};
	const log: Log = { debug: say, info: say, warn: say, error: say };
	const alarm = createAlarm(clock, stop.signal);
	const view = {
		change() {},
		complain() {},
		snapshot: (): Cluster => ({ ...EMPTY_CLUSTER }),
	};
	const narrowing = { namespaces: [], selector: "" };
	const scopes = scopesOf(needsOf({ kind: "node", nodeName: "n1" }).slice(0, 2), narrowing);
	const open = (scope: Scope) => createKindState({ scope, view, log, onChange: alarm.ring });
	const states = scopes.map(open);
	const [services, slices] = states;
	if (services === undefined || slices === undefined) throw new Error("Cannot test: two kinds are needed");
	const run = () => Promise.resolve();
	const hub = createKindHub({
		name: "hub",
		kinds: () => states,
		review() {},
		view,
		alarm,
		clock,
		signal: stop.signal,
		run,
	});
	const seen: Cluster[] = [];
	async function read(): Promise<void> {
		for await (const cluster of hub) seen.push(cluster);
	}
	void read();
	return {
		services,
		slices,
		seen,
		stop,
		/** Another kind is followed from now on. */
		follow() {
			const added = scopes.slice(0, 1).map(open);
			states.push(...added);
			return added;
		},
		/** Short sleeps end. */
		async pass() {
			for (const wake of wakes.splice(0)) wake();
			await turn();
		},
	};
}

/** Both kinds read for the first time, and shown. */
async function synced() {
	const hub = start();
	for (const state of [hub.services, hub.slices]) {
		state.reading.begin();
		state.listed();
	}
	await turn();
	expect(hub.seen).toHaveLength(1);
	await hub.pass();
	return hub;
}

test("the first snapshot waits for every kind, and for nothing else", async () => {
	const { services, slices, seen, stop } = start();
	services.listed();
	await turn();
	expect(seen).toEqual([]);
	slices.listed();
	await turn();
	expect(seen).toHaveLength(1);
	stop.abort();
});

test("a change is shown at once, but not while a kind is read anew", async () => {
	const { services, slices, seen, stop, pass } = await synced();
	services.changed();
	await turn();
	expect(seen).toHaveLength(2);
	await pass();
	slices.reading.begin();
	services.changed();
	await turn();
	expect(seen).toHaveLength(2);
	slices.listed();
	await turn();
	await pass();
	expect(seen).toHaveLength(3);
	stop.abort();
});

test("a kind that was read anew waits a moment for the others to find out that they have to be", async () => {
	const { services, slices, seen, stop, pass } = await synced();
	services.reading.begin();
	services.listed();
	await turn();
	expect(seen).toHaveLength(1);
	slices.reading.begin();
	await pass();
	expect(seen).toHaveLength(1);
	slices.listed();
	await turn();
	await pass();
	expect(seen).toHaveLength(2);
	stop.abort();
});

test.each(["failed", "doubted"] as const)(
	"a kind that %s while it is read anew keeps no other waiting",
	async (how) => {
		const { services, slices, seen, stop } = await synced();
		slices.reading.begin();
		services.changed();
		await turn();
		expect(seen).toHaveLength(1);
		slices[how]("x");
		await turn();
		expect(seen).toHaveLength(2);
		stop.abort();
	},
);

test("what is read for the first time after the others keeps none of them waiting, and again it does", async () => {
	const { services, seen, stop, pass, follow } = await synced();
	const [added] = follow();
	added?.reading.begin();
	services.changed();
	await turn();
	expect(seen).toHaveLength(2);
	await pass();
	added?.listed();
	await turn();
	await pass();
	await pass();
	const before = seen.length;
	added?.reading.begin();
	services.changed();
	await turn();
	await pass();
	expect(seen).toHaveLength(before);
	stop.abort();
});

// When the loop runs, on a clock of the test's own: nothing here takes time.

import { describe, expect, test } from "bun:test";
import { setImmediate as turn } from "node:timers/promises";
import type { Clock } from "./clock.ts";
import { createRunner } from "./runner.ts";

interface Sleeper {
	readonly until: number;
	readonly wake: () => void;
}

/** Time that passes only when it is told to. */
function createTime() {
	let now = 0;
	let sleepers: Sleeper[] = [];
	const clock: Clock = {
		now: () => now,
		sleep(milliseconds, signal) {
			const { promise, resolve } = Promise.withResolvers<void>();
			if (signal.aborted) resolve();
			sleepers.push({ until: now + milliseconds, wake: resolve });
			signal.addEventListener("abort", () => resolve());
			return promise;
		},
	};
	/** Lets everything that can run now do so. */
	async function settle(): Promise<void> {
		for (let n = 0; n < 5; n++) await turn();
	}
	/** In steps of a millisecond, so that what sleeps anew within the time wakes up in it. */
	async function pass(milliseconds: number, step = 1): Promise<void> {
		await settle();
		for (const end = now + milliseconds; now < end; ) {
			now += step;
			const due = sleepers.filter(({ until }) => until <= now);
			sleepers = sleepers.filter(({ until }) => until > now);
			for (const { wake } of due) wake();
			await settle();
		}
	}
	return { clock, pass, settle, now: () => now };
}

function start(answers: readonly ("done" | "again")[] = []) {
	const time = createTime();
	const stop = new AbortController();
	const runs: { readonly at: number; readonly resync: boolean }[] = [];
	const runner = createRunner({
		run: async (resync) => {
			runs.push({ at: time.now(), resync });
			return answers[runs.length - 1] ?? "done";
		},
		shortest: 50,
		retry: 200,
		longest: 1000,
		signal: stop.signal,
		clock: time.clock,
	});
	return { ...time, runner, runs, stop };
}

describe("createRunner()", () => {
	test("does nothing before the first call, however long it takes", async () => {
		const { pass, runs } = start();
		await pass(3000, 10);
		expect(runs).toEqual([]);
	});

	test("runs at once at the first call", async () => {
		const { runner, pass, settle, runs } = start();
		await pass(7);
		runner.call();
		await settle();
		expect(runs).toEqual([{ at: 7, resync: false }]);
	});

	test("runs at once at a call that came before it could sleep", async () => {
		const { runner, settle, runs } = start();
		runner.call();
		await settle();
		expect(runs).toEqual([{ at: 0, resync: false }]);
	});

	test("makes one run of a burst, after the shortest interval", async () => {
		const { runner, pass, settle, runs } = start();
		runner.call();
		await settle();
		for (let n = 0; n < 20; n++) {
			runner.call();
			await pass(1);
		}
		await pass(200);
		expect(runs.map(({ at }) => at)).toEqual([0, 50]);
	});

	test("runs at once at a call that comes after a quiet time", async () => {
		const { runner, pass, settle, runs } = start();
		runner.call();
		await pass(300);
		runner.call();
		await settle();
		expect(runs.map(({ at }) => at)).toEqual([0, 300]);
	});

	test("keeps the shortest interval while calls never end", async () => {
		const { runner, pass, runs } = start();
		for (let n = 0; n < 200; n++) {
			runner.call();
			await pass(1);
		}
		expect(runs.map(({ at }) => at)).toEqual([0, 50, 100, 150, 200]);
	});

	test("repeats what answered `again`, until it does not", async () => {
		const { runner, pass, runs } = start(["again", "again", "done"]);
		runner.call();
		await pass(900);
		expect(runs.map(({ at }) => at)).toEqual([0, 250, 500]);
	});

	test("does not wait for the retry where something new is to be done", async () => {
		const { runner, pass, runs } = start(["again"]);
		runner.call();
		await pass(100);
		runner.call();
		await pass(800);
		expect(runs.map(({ at }) => at)).toEqual([0, 100]);
	});

	test("resyncs when the longest interval has passed, calls or not", async () => {
		const { runner, pass, runs } = start();
		runner.call();
		await pass(600);
		runner.call();
		await pass(2700);
		expect(runs).toEqual([
			{ at: 0, resync: false },
			{ at: 600, resync: false },
			{ at: 1000, resync: true },
			{ at: 2000, resync: true },
			{ at: 3000, resync: true },
		]);
	});

	test("resyncs though calls never end", async () => {
		const { runner, pass, runs } = start();
		for (let n = 0; n < 1100; n++) {
			runner.call();
			await pass(1);
		}
		expect(runs.filter(({ resync }) => resync).map(({ at }) => at)).toEqual([1000]);
	});

	test.each([
		["before the first call", 0, false],
		["in the pause after a run", 20, true],
		["while it waits", 500, true],
	] as const)("stops when the signal is aborted %s", async (_, at, called) => {
		const { runner, pass, runs, stop } = start();
		if (called) runner.call();
		await pass(at);
		stop.abort();
		await runner.stopped;
		runner.call();
		await pass(3000, 10);
		expect(runs).toHaveLength(called ? 1 : 0);
	});

	test("lets the last run end before it says that it has stopped", async () => {
		const stop = new AbortController();
		const inside = Promise.withResolvers<void>();
		const { promise, resolve } = Promise.withResolvers<"done">();
		const runner = createRunner({
			run: () => {
				inside.resolve();
				return promise;
			},
			shortest: 0,
			retry: 0,
			longest: 1000,
			signal: stop.signal,
		});
		let stopped = false;
		void runner.stopped.then(() => {
			stopped = true;
		});
		runner.call();
		await inside.promise;
		stop.abort();
		await turn();
		expect(stopped).toBe(false);
		resolve("done");
		await runner.stopped;
	});

	test("leaves nothing on the signal that lives on", async () => {
		const listeners = new Set<unknown>();
		const stop = new AbortController();
		const { signal } = stop;
		const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
		signal.addEventListener = (type: string, listener: EventListener) => {
			listeners.add(listener);
			add(type, listener);
		};
		signal.removeEventListener = (type: string, listener: EventListener) => {
			listeners.delete(listener);
			remove(type, listener);
		};
		let runs = 0;
		const runner = createRunner({
			run: async () => {
				runs++;
				return "again";
			},
			shortest: 0,
			retry: 0,
			longest: 1000,
			signal,
		});
		runner.call();
		while (runs < 100) await turn();
		stop.abort();
		await runner.stopped;
		expect(listeners.size).toBeLessThan(3);
	});
});

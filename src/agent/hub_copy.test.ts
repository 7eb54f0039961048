// When the newest snapshot goes to disk.

import { expect, test } from "bun:test";
import type { OfflineStore } from "../hub/offline_store.ts";
import type { Clock } from "../lib/clock.ts";
import { type Cluster, EMPTY_CLUSTER } from "../model/cluster.ts";
import { createHubCopy } from "./hub_copy.ts";

const cluster = (): Cluster => ({ ...EMPTY_CLUSTER });

function rig() {
	const stop = new AbortController();
	const written: Cluster[] = [];
	const sleeps: number[] = [];
	let wake = () => {};
	const clock: Clock = {
		now: () => 0,
		sleep(milliseconds, signal) {
			sleeps.push(milliseconds);
			return new Promise((resolve) => {
				wake = resolve;
				signal.addEventListener("abort", () => resolve());
			});
		},
	};
	const origins: string[] = [];
	const size = { bytes: 1000 };
	/** How many were written before each. */
	const outdated: number[] = [];
	const store: OfflineStore = {
		read: () => undefined,
		outdate: () => void outdated.push(written.length),
		async write(one, of) {
			written.push(one);
			origins.push(of.origin);
			return size.bytes;
		},
	};
	const kept: number[] = [];
	let origin = "one";
	const copy = createHubCopy({
		store,
		origin: () => origin,
		clock,
		signal: stop.signal,
		onKept: () => void kept.push(written.length),
	});
	const move = (to: string) => {
		origin = to;
	};
	/** Lets everything run that needs no time. */
	const run = () => new Promise((resolve) => setImmediate(resolve));
	return { copy, kept, written, origins, outdated, move, size, sleeps, stop, run, pass: () => wake() };
}

test("a burst of snapshots is one write, of the newest, ten seconds after the first", async () => {
	const { copy, written, kept, sleeps, pass, run } = rig();
	const [first, second, third] = [cluster(), cluster(), cluster()];
	copy.offer(first);
	copy.offer(second);
	await run();
	expect([sleeps, written]).toEqual([[10_000], []]);
	copy.offer(third);
	pass();
	await run();
	expect(written.map((one) => one === third)).toEqual([true]);
	expect(kept).toEqual([1]);
	expect(sleeps).toEqual([10_000]);
});

test("a large copy is written less often: a MiB in ten seconds", async () => {
	const { copy, size, sleeps, pass, run } = rig();
	size.bytes = 2.5 * 2 ** 20;
	for (let count = 0; count < 2; count++) {
		copy.offer(cluster());
		await run();
		pass();
		await run();
	}
	expect(sleeps).toEqual([10_000, 25_000]);
});

test("without a snapshot nothing is written, and nothing wakes up", async () => {
	const { written, sleeps, stop, copy, run } = rig();
	await run();
	expect(sleeps).toEqual([]);
	stop.abort();
	await copy.stopped;
	expect(written).toEqual([]);
});

test("what is not written yet is written at the end", async () => {
	const { copy, written, stop, run } = rig();
	const newest = cluster();
	copy.offer(newest);
	await run();
	stop.abort();
	await copy.stopped;
	expect(written.map((one) => one === newest)).toEqual([true]);
});

test("a snapshot is kept as one of the cluster that it came from, whatever is followed when it is written", async () => {
	const { copy, origins, stop, move } = rig();
	copy.offer(cluster());
	move("two");
	stop.abort();
	await copy.stopped;
	expect(origins).toEqual(["one"]);
});

test("a copy is outdated at once, and only once until the next one is written", async () => {
	const { copy, outdated, stop, run, pass } = rig();
	copy.offer(cluster());
	copy.offer(cluster());
	expect(outdated).toEqual([0]);
	await run();
	pass();
	await run();
	copy.offer(cluster());
	expect(outdated).toEqual([0, 1]);
	stop.abort();
	await copy.stopped;
});

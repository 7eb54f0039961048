// Several hubs at once: what each of them counts for, and how long its copy stands in for it.

import { describe, expect, test } from "bun:test";
import type { Clock } from "../lib/clock.ts";
import { type Cluster, EMPTY_CLUSTER } from "../model/cluster.ts";
import type { HubSource } from "./hub_sources.ts";
import { followHubs } from "./hubs.ts";

const clusterOf = (object: string): Cluster => ({
	...EMPTY_CLUSTER,
	problems: [{ object, reason: "Unreadable", message: "x" }],
});
const SAVED = new Date("2026-01-02T03:04:05.000Z");
const LATER = new Date("2026-01-03T03:04:05.000Z");

/** Lets everything run that needs no time. */
const run = () => new Promise((resolve) => setImmediate(resolve));

/** A hub that says what it is told to. */
function rig(name: string, meant: () => Promise<string> = async () => "here", isNewest = false) {
	const queue: Cluster[] = [];
	let wake = () => {};
	const stop = new AbortController();
	stop.signal.addEventListener("abort", () => wake());
	const written: string[] = [];
	async function* snapshots(): AsyncGenerator<Cluster, void> {
		while (!stop.signal.aborted) {
			const next = queue.shift();
			if (next !== undefined) yield next;
			else
				await new Promise<void>((resolve) => {
					wake = resolve;
				});
		}
	}
	const source: HubSource = {
		name,
		snapshots: snapshots(),
		health: () => ({ staleSince: LATER, troubles: [] }),
		api: undefined,
		kept: {
			store: {
				read: (origin) =>
					origin === "here" ? { cluster: clusterOf(`copy of ${name}`), savedAt: SAVED, isNewest } : undefined,
				outdate: () => {},
				write: async (_, { origin }) => written.push(origin),
			},
			origin: () => "here",
			identify: meant,
		},
	};
	return {
		source,
		written,
		stop: () => stop.abort(),
		say(object: string) {
			queue.push(clusterOf(object));
			wake();
		},
	};
}

/** Time passes when the test says so. */
function manualClock() {
	const waits: { readonly milliseconds: number; readonly end: () => void }[] = [];
	const clock: Clock = {
		now: () => 0,
		sleep: (milliseconds, signal) =>
			new Promise((resolve) => {
				waits.push({ milliseconds, end: resolve });
				signal.addEventListener("abort", () => resolve());
			}),
	};
	return {
		clock,
		waits: () => waits.map(({ milliseconds }) => milliseconds),
		/** All that are so long end. */
		pass: (milliseconds: number) => {
			for (const wait of waits.splice(0)) if (wait.milliseconds === milliseconds) wait.end();
		},
	};
}

function start(hubs: readonly ReturnType<typeof rig>[], isKernelEmpty: boolean) {
	const stop = new AbortController();
	let changes = 0;
	const sources = hubs.map(({ source }) => source);
	const { clock, waits, pass } = manualClock();
	const followed = followHubs({
		sources,
		isKernelEmpty,
		clock,
		signal: stop.signal,
		onChange: () => changes++,
		onKept: () => {},
	});
	return {
		known: () => followed.snapshots().map(({ name, cluster }) => [name, cluster.problems[0]?.object]),
		status: () => followed.status().map(({ synced, copyOf, staleSince }) => [synced, copyOf, staleSince]),
		synced: followed.synced,
		changes: () => changes,
		waits,
		pass,
		async end() {
			stop.abort();
			for (const hub of hubs) hub.stop();
			await followed.stopped;
		},
	};
}

test("all hubs are needed to be synced, and their newest snapshots are kept", async () => {
	const [a, b] = [rig("a"), rig("b")];
	const hubs = start([a, b], true);
	await run();
	b.say("second");
	await run();
	expect([hubs.known()[1], hubs.synced()]).toEqual([["b", "second"], false]);
	a.say("first");
	await run();
	expect([hubs.known()[0], hubs.synced()]).toEqual([["a", "first"], true]);
	await hubs.end();
	expect([a.written, b.written]).toEqual([["here"], ["here"]]);
});

describe("where the kernel serves meanwhile", () => {
	const nobody = [
		["a", undefined],
		["b", undefined],
	];

	test("no hub counts before something is known of all", async () => {
		const [a, b] = [rig("a"), rig("b")];
		const hubs = start([a, b], false);
		await run();
		b.say("second");
		await run();
		expect([hubs.known(), hubs.changes()]).toEqual([nobody, 1]);
		a.say("first");
		await run();
		expect([hubs.known(), hubs.changes()]).toEqual([
			[
				["a", "first"],
				["b", "second"],
			],
			2,
		]);
		await hubs.end();
	});

	test("they count after five seconds in any case", async () => {
		const [a, b] = [rig("a"), rig("b")];
		const hubs = start([a, b], false);
		await run();
		b.say("second");
		await run();
		expect(hubs.known()).toEqual(nobody);
		hubs.pass(5000);
		await run();
		expect([hubs.known()[1], hubs.changes()]).toEqual([["b", "second"], 2]);
		await hubs.end();
	});

	test("a hub alone counts at once, and needs no copy", async () => {
		const a = rig("a", () => expect.unreachable(), true);
		const hubs = start([a], false);
		await run();
		expect(hubs.known()).toEqual([["a", undefined]]);
		a.say("first");
		await run();
		expect(hubs.known()).toEqual([["a", "first"]]);
		await hubs.end();
	});

	test("a copy stands in if it is as new", async () => {
		const here = async () => "here";
		const hubs = start([rig("a", here), rig("b", here, true)], false);
		await run();
		expect(hubs.known()).toEqual(nobody);
		hubs.pass(5000);
		await run();
		expect(hubs.known()).toEqual([
			["a", undefined],
			["b", "copy of b"],
		]);
		await hubs.end();
	});

	test("copies of all are enough", async () => {
		const here = async () => "here";
		const hubs = start([rig("a", here, true), rig("b", here, true)], false);
		await run();
		expect(hubs.known()).toEqual([
			["a", "copy of a"],
			["b", "copy of b"],
		]);
		await hubs.end();
	});
});

test("a copy stands in for its hub until that is read, and what it says is as old as the copy", async () => {
	const [a, b] = [rig("a"), rig("b")];
	const hubs = start([a, b], true);
	await run();
	expect(hubs.known()).toEqual([
		["a", "copy of a"],
		["b", "copy of b"],
	]);
	expect([hubs.synced(), hubs.changes()]).toEqual([false, 1]);
	b.say("read");
	await run();
	expect(hubs.known()[1]).toEqual(["b", "read"]);
	expect(hubs.status()).toEqual([
		[false, SAVED.toISOString(), SAVED.toISOString()],
		[true, null, LATER.toISOString()],
	]);
	await hubs.end();
});

test("a copy of another cluster stands in for nobody", async () => {
	const hubs = start([rig("other", async () => "there")], true);
	await run();
	expect(hubs.known()).toEqual([["other", undefined]]);
	await hubs.end();
});

test("neither a hub nor a copy counts before all copies are there", async () => {
	let tell = (_origin: string) => {};
	const slow = rig("slow", () => new Promise((resolve) => (tell = resolve)));
	const quick = rig("quick");
	quick.say("read");
	const hubs = start([slow, quick], true);
	await run();
	expect(hubs.known()).toEqual([
		["slow", undefined],
		["quick", undefined],
	]);
	tell("here");
	await run();
	expect(hubs.known()).toEqual([
		["slow", "copy of slow"],
		["quick", "read"],
	]);
	await hubs.end();
});

test("as long as it cannot be told which cluster is meant it is asked again", async () => {
	const answers = [Promise.reject(new Error("no kubeconfig")), Promise.resolve("here")];
	let asked = 0;
	const hubs = start([rig("a", () => answers[asked++] ?? expect.unreachable())], true);
	await run();
	expect([asked, hubs.waits(), hubs.known()]).toEqual([1, [5000], [["a", undefined]]]);
	hubs.pass(5000);
	await run();
	expect([asked, hubs.waits(), hubs.known()]).toEqual([2, [], [["a", "copy of a"]]]);
	await hubs.end();
});

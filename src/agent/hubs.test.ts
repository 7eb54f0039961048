// Several hubs at once: what each of them counts for, and how long its copy stands in for it.

import { expect, test } from "bun:test";
import { type Clock, systemClock } from "../lib/clock.ts";
import type { Cluster } from "../model/cluster.ts";
import type { HubSource } from "./hub_sources.ts";
import { followHubs } from "./hubs.ts";

const clusterOf = (object: string): Cluster => ({
	services: new Map(),
	slices: new Map(),
	problems: [{ object, reason: "Unreadable", message: "x" }],
});
const SAVED = new Date("2026-01-02T03:04:05.000Z");
const LATER = new Date("2026-01-03T03:04:05.000Z");

/** Lets everything run that needs no time. */
const run = () => new Promise((resolve) => setImmediate(resolve));

/** A hub that says what it is told to. */
function rig(name: string, meant: () => Promise<string> = async () => "here") {
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
		kept: {
			store: {
				read: (origin) => (origin === "here" ? { cluster: clusterOf(`copy of ${name}`), savedAt: SAVED } : undefined),
				write: (_, { origin }) => void written.push(origin),
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

function start(hubs: readonly ReturnType<typeof rig>[], fromCopies: boolean, clock: Clock = systemClock) {
	const stop = new AbortController();
	let changes = 0;
	const sources = hubs.map(({ source }) => source);
	const followed = followHubs({ sources, fromCopies, clock, signal: stop.signal, onChange: () => changes++ });
	return {
		known: () => followed.snapshots().map(({ name, cluster }) => [name, cluster.problems[0]?.object]),
		status: () => followed.status().map(({ synced, copyOf, staleSince }) => [synced, copyOf, staleSince]),
		synced: followed.synced,
		changes: () => changes,
		async end() {
			stop.abort();
			for (const hub of hubs) hub.stop();
			await followed.stopped;
		},
	};
}

test("each hub counts for what is known of it, and all are needed to be synced", async () => {
	const [a, b] = [rig("a"), rig("b")];
	const hubs = start([a, b], false);
	await run();
	expect(hubs.known()).toEqual([
		["a", undefined],
		["b", undefined],
	]);
	b.say("second");
	await run();
	expect([hubs.known()[1], hubs.synced(), hubs.changes()]).toEqual([["b", "second"], false, 1]);
	a.say("first");
	await run();
	expect([hubs.known()[0], hubs.synced(), hubs.changes()]).toEqual([["a", "first"], true, 2]);
	await hubs.end();
	expect([a.written, b.written]).toEqual([["here"], ["here"]]);
});

test("a copy stands in for its hub until that is read, and what it says is as old as the copy", async () => {
	const [a, b] = [rig("a"), rig("b")];
	const hubs = start([a, b], true);
	await run();
	expect(hubs.known()).toEqual([
		["a", "copy of a"],
		["b", "copy of b"],
	]);
	expect([hubs.synced(), hubs.changes()]).toEqual([false, 2]);
	b.say("read");
	await run();
	expect(hubs.known()[1]).toEqual(["b", "read"]);
	expect(hubs.status()).toEqual([
		[false, SAVED.toISOString(), SAVED.toISOString()],
		[true, null, LATER.toISOString()],
	]);
	await hubs.end();
});

test("a copy of another cluster stands in for nobody, and a hub that is read first needs none", async () => {
	const [other, quick] = [
		rig("other", async () => "there"),
		rig("quick", () => new Promise((resolve) => setImmediate(() => resolve("here")))),
	];
	quick.say("read");
	const hubs = start([other, quick], true);
	await run();
	await run();
	expect(hubs.known()).toEqual([
		["other", undefined],
		["quick", "read"],
	]);
	expect(hubs.status()[1]?.[1]).toBeNull();
	await hubs.end();
});

test("as long as it cannot be told which cluster is meant it is asked again", async () => {
	const answers = [Promise.reject(new Error("no kubeconfig")), Promise.resolve("here")];
	let asked = 0;
	const hub = rig("a", () => answers[asked++] ?? expect.unreachable());
	const waits: number[] = [];
	const clock: Clock = {
		now: () => 0,
		sleep: async (milliseconds, signal) => {
			waits.push(milliseconds);
			// The keeper of copies sleeps as well, once there is something to keep.
			await systemClock.sleep(0, signal);
		},
	};
	const hubs = start([hub], true, clock);
	while (hubs.known()[0]?.[1] === undefined) await run();
	expect([asked, waits]).toEqual([2, [5000]]);
	await hubs.end();
});

// Who asks while a hub is away, and when the others may.

import { expect, test } from "bun:test";
import { createOutage, type Turns } from "./outage.ts";

/** A clock on which time passes when the test says so, and what happened, in order. */
function start() {
	const sleepers: { readonly until: number; readonly wake: () => void }[] = [];
	const done: string[] = [];
	let time = 0;
	const clock = {
		now: () => time,
		sleep: (milliseconds: number) =>
			new Promise<void>((wake) => {
				if (milliseconds === 0) wake();
				else sleepers.push({ until: time + milliseconds, wake });
			}),
	};
	const stop = new AbortController();
	return {
		outage: createOutage({ clock, random: () => 0.5 }),
		done,
		stop,
		async pass(milliseconds: number) {
			time += milliseconds;
			for (const { until, wake } of sleepers) if (until <= time) wake();
			await new Promise((resolve) => setImmediate(resolve));
		},
		async fail(turns: Turns, name: string, asked = 0) {
			void turns.wait(asked, stop.signal).then(() => done.push(name));
			await new Promise((resolve) => setImmediate(resolve));
		},
	};
}

test("the first that fails asks for all, and the others follow once it is answered", async () => {
	const { outage, fail, pass, done } = start();
	const [one, two, three] = [outage.join(), outage.join(), outage.join()];
	await fail(one, "one");
	await fail(two, "two");
	await fail(three, "three");
	await pass(100_000);
	expect(done).toEqual(["one"]);
	one.answered();
	await pass(0);
	expect(done).toEqual(["one", "two", "three"]);
});

test("whoever fails again lets the next one try, after a longer wait: a refusal of one kind keeps no other waiting", async () => {
	const { outage, fail, pass, done } = start();
	const [one, two] = [outage.join(), outage.join()];
	await fail(one, "one");
	await fail(two, "two");
	await pass(2500);
	await fail(one, "one");
	await pass(3749);
	expect(done).toEqual(["one"]);
	await pass(1);
	expect(done).toEqual(["one", "two"]);
	await fail(two, "two");
	await pass(5625);
	expect(done).toEqual(["one", "two", "one"]);
});

test("what the server asks for holds for the one who asks next", async () => {
	const { outage, fail, pass, done } = start();
	const [one, two] = [outage.join(), outage.join()];
	await fail(one, "one");
	await fail(two, "two");
	await pass(2500);
	await fail(one, "one", 60_000);
	await pass(60_000 + 15_000 + 3749);
	expect(done).toEqual(["one"]);
	await pass(1);
	expect(done).toEqual(["one", "two"]);
});

test("what the server asked one for holds though another was let in", async () => {
	const { outage, fail, pass, done } = start();
	const [one, two] = [outage.join(), outage.join()];
	await fail(one, "one");
	await fail(two, "two", 20_000);
	await pass(2500);
	one.answered();
	await pass(0);
	expect(done).toEqual(["one"]);
	await pass(22_499);
	expect(done).toEqual(["one"]);
	await pass(1);
	expect(done).toEqual(["one", "two"]);
});

test("a kind that fails after the hub was back waits for itself", async () => {
	const { outage, fail, pass, done } = start();
	const [one, two] = [outage.join(), outage.join()];
	await fail(one, "one");
	await pass(2500);
	one.answered();
	one.reset();
	await fail(two, "two");
	await pass(2500);
	expect(done).toEqual(["one", "two"]);
});

test("an aborted signal ends every wait that stands behind another", async () => {
	const { outage, fail, pass, stop, done } = start();
	const [one, two] = [outage.join(), outage.join()];
	await fail(one, "one");
	await fail(two, "two");
	stop.abort();
	await pass(0);
	expect(done).toEqual(["two"]);
	await fail(outage.join(), "three");
	expect(done).toEqual(["two", "three"]);
});

test("one that asks no more passes its turn on, and is given none", async () => {
	const { outage, fail, pass, done } = start();
	const [one, two, three] = [outage.join(), outage.join(), outage.join()];
	await fail(one, "one");
	await fail(two, "two");
	await fail(three, "three");
	// Still in the queue.
	two.leave();
	// Its turn.
	one.leave();
	await pass(0);
	await pass(100_000);
	expect(done).toContain("three");
	expect(done).not.toContain("two");
});

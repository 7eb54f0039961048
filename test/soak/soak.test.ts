// The short soak: every kind of fault that a client gets over within seconds, at least once.

import { expect, test } from "bun:test";
import { type Round, soak } from "./soak.ts";

/** BALANCING_SEED repeats a run, as far as the kernel's and the network's timing lets it. */
const SEED = Number(process.env["BALANCING_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const ROUNDS = Array.from({ length: 3 }, () => 150);
/** Connections to the hub may be few or many at a moment; each one that a fault leaves behind would be one more. */
const SPARE_DESCRIPTORS = 12;

function tell({ changes, faults, followed, memory, descriptors, arrived, ...counts }: Round): void {
	const { frontends, redirects, guards, backends } = counts;
	console.log(
		`${changes} changes, ${faults} faults: followed after ${Math.round(followed)} ms, ${(memory / 2 ** 20).toFixed(0)} MiB, ${descriptors} descriptors, ${frontends} frontends (${redirects} redirects, ${guards} guards), ${backends} backends, ${arrived} connections`,
	);
}

test("an agent is right after changes and faults at random, and its steady clients never notice", async () => {
	console.log(`BALANCING_SEED=${SEED}`);
	const { rounds, faults, strange } = await soak({
		seed: SEED,
		rounds: ROUNDS,
		slowEvery: 0,
		restarts: 4,
		rest: 100,
		onRound: tell,
	});
	expect(strange).toEqual([]);
	expect([...faults.values()].reduce((a, b) => a + b, 0)).toBeGreaterThan(20);
	const [first, last] = [rounds[0], rounds.at(-1)];
	expect(last?.descriptors).toBeLessThan((first?.descriptors ?? 0) + SPARE_DESCRIPTORS);
	expect(last?.arrived).toBeGreaterThan(100);
}, 300_000);

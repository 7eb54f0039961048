// An agent killed again and again while its manifests change: what stands in the kernel is a plan, and in the end the plan.

import { expect, test } from "bun:test";
import { setTimeout as sleep } from "node:timers/promises";
import { seededRandom } from "../../src/datapath/faulty_maps.ts";
import {
	type AgentPlace,
	type AgentProcess,
	agentPlace,
	planned,
	programmed,
	serviceYaml,
} from "../support/agent_place.ts";
import { until } from "../support/wait.ts";

const KILLS = 20;
const SERVICES = 40;
/** Milliseconds of life at the most: from before the start is done to well after the first writes. */
const LIFE = 1500;

/** Adds, changes or removes one Service. */
function change(place: AgentPlace, present: Set<string>, random: () => number): void {
	const n = Math.floor(random() * SERVICES);
	const name = `web-${n}`;
	if (present.has(name) && random() < 0.3) {
		present.delete(name);
		place.remove(name);
		return;
	}
	const endpoints = Array.from(
		{ length: Math.floor(random() * 6) },
		() => `10.244.200.${1 + Math.floor(random() * 20)}`,
	);
	present.add(name);
	place.write(name, serviceYaml(name, `10.96.201.${n + 1}`, [...new Set(endpoints)]));
}

async function live(place: AgentPlace, present: Set<string>, random: () => number): Promise<AgentProcess> {
	const agent = place.start();
	const end = performance.now() + random() * LIFE;
	while (performance.now() < end) {
		change(place, present, random);
		await sleep(random() * 30);
	}
	return agent;
}

test(`an agent that is killed ${KILLS} times leaves the kernel whole each time, and reaches the plan in the end`, async () => {
	const seed = Number(process.env["SEED"] ?? Date.now() % 1_000_000);
	console.log(`SEED=${seed}`);
	const random = seededRandom(seed);
	using place = agentPlace();
	const present = new Set<string>();
	for (let n = 0; n < SERVICES; n++) change(place, present, random);
	for (let n = 0; n < KILLS; n++) {
		const agent = await live(place, present, random);
		await agent.stop("SIGKILL");
		expect(agent.err()).toBe("");
		const { code, out, err } = await place.run("frontends", "-o", "json");
		// Killed before there was anything: that is the only reason to fail.
		if (code !== 0) {
			expect(err).toMatch(/nothing is pinned there/);
			continue;
		}
		for (const [address, backends] of Object.entries(programmed(out))) {
			expect(address).toStartWith("10.96.201.");
			expect(new Set(backends).size).toBe(backends.length);
			for (const backend of backends) expect(backend).toStartWith("10.244.200.");
		}
	}
	await using last = place.start();
	await last.ready();
	const plan = planned((await place.run("plan", "-o", "json")).out);
	await until("the plan in the kernel", async () => {
		const kernel = programmed((await place.run("frontends", "-o", "json")).out);
		return Bun.deepEquals(kernel, plan);
	});
	expect(Object.keys(plan)).toHaveLength(present.size);
	// Nothing of all the lives before is left: every backend in the map is one of the plan's.
	const backends: readonly { address: string; state: string }[] = JSON.parse(
		(await place.run("backends", "-o", "json")).out,
	);
	const wanted = new Set(Object.values(plan).flat());
	expect(backends.map(({ address }) => address)).toEqual([...wanted].sort());
	expect(new Set(backends.map(({ state }) => state))).toEqual(new Set(["active"]));
	expect((await place.run("status")).code).toBe(0);
}, 300_000);

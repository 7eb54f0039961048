// What the agent's start makes of backends that the kernel holds, and when probes go past our own frontends.

import { afterEach, expect, test } from "bun:test";
import { createServer } from "node:net";
import { recordingLog } from "../../test/support/log.ts";
import { planOf } from "../../test/support/plans.ts";
import { until } from "../../test/support/wait.ts";
import { CAPACITY } from "../datapath/capacity.ts";
import { createMemoryMaps } from "../datapath/memory_maps.ts";
import { createWriter } from "../datapath/writer.ts";
import { parseL4Address } from "../model/address.ts";
import type { HealthCheck } from "../model/health_check.ts";
import { EMPTY_PLAN, type Plan } from "../plan/plan_types.ts";
import { probeKey } from "../plan/probes.ts";
import { createHealth } from "./health.ts";

let held = new AsyncDisposableStack();
afterEach(async () => {
	await held.disposeAsync();
	held = new AsyncDisposableStack();
});

const CHECK: HealthCheck = {
	probe: { kind: "tcp" },
	interval: 60_000,
	timeout: 30_000,
	fails: 3,
	passes: 2,
	panic: 0,
};
/** Nobody listens there; what is refused once is no reason for a quarantine yet. */
const [ONE, TWO] = ["127.0.0.1:1/TCP", "127.0.0.1:2/TCP"];

function probing(...backends: readonly string[]): Plan {
	const probes = backends.map((text) => {
		const address = parseL4Address(text);
		if (address === undefined) throw new Error(`Cannot read ${text}`);
		return [probeKey(address, CHECK), { address, check: CHECK }] as const;
	});
	return { ...EMPTY_PLAN, probes: new Map(probes) };
}

/** A kernel that leads one frontend to these backends, and an agent that has just started. */
function start(backends: readonly string[], frontend = "192.0.2.1:80/TCP") {
	const writer = createWriter({ maps: createMemoryMaps(), capacity: CAPACITY, firstGeneration: 1 });
	if (backends.length > 0)
		writer.write(planOf({ "demo/db": { [frontend]: `${backends.join(" ")} | ` } }), { synced: true });
	const state = { synced: false, changes: 0 };
	const passes: ("begun" | "ended")[] = [];
	const health = held.use(
		createHealth({
			actual: writer.actual,
			synced: () => state.synced,
			bypass: {
				begin() {
					passes.push("begun");
					return { met: () => false, [Symbol.dispose]: () => void passes.push("ended") };
				},
			},
			onChange: () => void state.changes++,
			log: recordingLog(),
		}),
	);
	const quarantined = () => [...health.quarantine()].map((key) => key.split(" ")[0]);
	return { health, state, passes, quarantined };
}

test("a start distrusts backends that the kernel does not hold, and asks for another plan", () => {
	const { health, quarantined } = start([ONE]);
	expect(health.follow(probing(ONE, TWO))).toBe(true);
	expect(quarantined()).toEqual([TWO]);
	expect(health.follow(probing(ONE, TWO))).toBe(false);
});

test.each([
	["a kernel that holds all of them", [ONE, TWO]],
	["a kernel that holds none of them", []],
	["a kernel that holds others", ["127.0.0.1:3/TCP"]],
])("a start distrusts nobody with %s", (_, backends) => {
	const { health, quarantined } = start(backends);
	expect(health.follow(probing(ONE, TWO))).toBe(false);
	expect(quarantined()).toEqual([]);
});

test("who comes once all hubs have been read is trusted; the round in which the last was read is still the start", () => {
	const { health, state, quarantined } = start([ONE]);
	health.follow(EMPTY_PLAN);
	state.synced = true;
	expect(health.follow(probing(ONE, TWO))).toBe(true);
	expect(quarantined()).toEqual([TWO]);
	expect(health.follow(probing(ONE))).toBe(true);
	expect(health.follow(probing(ONE, TWO))).toBe(false);
	expect(quarantined()).toEqual([]);
});

test("a suspect that passes its first probe is used, and a round is asked for", async () => {
	const server = createServer((socket) => socket.end());
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	held.defer(() => void server.close());
	const address = server.address();
	const well = `127.0.0.1:${typeof address === "object" ? address?.port : 0}/TCP`;
	const { health, state, quarantined } = start([ONE]);
	health.follow(probing(ONE, TWO, well));
	expect(quarantined()).toEqual([TWO, well]);
	await until("out of quarantine", () => state.changes === 1);
	expect(quarantined()).toEqual([TWO]);
	await until("all probed", () => health.status().probes.failed === 2);
	expect(health.status().backends.map(({ backend, state: found }) => `${backend} ${found}`)).toEqual([
		`${ONE} failing`,
		`${TWO} quarantined`,
		`${well} ok`,
	]);
});

test("a probe passes where our own programs would translate it, as long as it connects, and nowhere else", async () => {
	const own = start([TWO], ONE);
	own.health.follow(probing(ONE));
	await until("probed", () => own.health.status().probes.failed === 1);
	await until("over", () => own.passes.length === 2);
	expect(own.passes).toEqual(["begun", "ended"]);
	const other = start([ONE]);
	other.health.follow(probing(ONE));
	await until("probed", () => other.health.status().probes.failed === 1);
	expect(other.passes).toEqual([]);
});

test("what has begun to pass ends with the agent", async () => {
	const { health, passes } = start([TWO], ONE);
	health.follow(probing(ONE));
	await until("begun", () => passes.length > 0);
	health[Symbol.dispose]();
	expect(passes).toEqual(["begun", "ended"]);
	await until("probes end", () => health.status().backends.length === 0);
	expect(passes).toEqual(["begun", "ended"]);
});

// Ways in which very many agents lose a hub at the same moment and find it again, and what each of them costs.

import { createRandom } from "../support/random.ts";
import { type Policy, runAgent } from "./reconnect_agents.ts";
import { createVirtualClock, type VirtualClock } from "./reconnect_clock.ts";
import { type Capacity, createModelHub, type ModelHub } from "./reconnect_hub.ts";
import { createMeter, type Figures } from "./reconnect_meter.ts";
import { createObjects, type Objects } from "./reconnect_objects.ts";

/** One machine with eight processors and 10 Gbit/s; seats and queues as API Priority and Fairness gives them by default. */
export const FULL: Capacity = {
	handshakes: 4000,
	backlog: 4096,
	// workload-low: 100 of 245 shares of 600 seats.
	seats: 245,
	// All agents are one user and so one flow: six queues of 50.
	queue: 300,
	encode: 800e6,
	compress: 1200e6,
	network: 1250e6,
	request: 0.1,
};

function tenthOf(capacity: Capacity): Capacity {
	const { handshakes, encode, compress, seats, queue, request } = capacity;
	return {
		...capacity,
		handshakes: handshakes / 10,
		encode: encode / 10,
		compress: compress / 10,
		seats: Math.round(seats / 10),
		queue: Math.round(queue / 10),
		request: request * 10,
	};
}

export interface World {
	readonly clock: VirtualClock;
	readonly hub: ModelHub;
	readonly objects: Objects;
	/** Time passes. Milliseconds. */
	readonly pass: (milliseconds: number) => Promise<void>;
}

export interface Scenario {
	readonly name: string;
	/** From the moment of the fault until the hub serves again. */
	readonly happen: (world: World) => Promise<void>;
	/** Not for client-go's policy: its model does not get through this one with more than some 5,000 agents. */
	readonly isOurs?: boolean;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** Nobody listens for ten seconds. */
async function restart({ hub, objects, pass }: World, history: "kept" | "lost"): Promise<void> {
	hub.setCondition("refusing");
	hub.drop("reset");
	if (history === "lost") objects.compact();
	await pass(10 * SECOND);
	hub.setCondition("up");
}

/** Nothing comes through. */
async function cut({ hub, pass }: World, milliseconds: number): Promise<void> {
	hub.setCondition("dark");
	hub.drop("lost");
	await pass(milliseconds);
}

export const SCENARIOS: readonly Scenario[] = [
	{ name: "restart of 10 s, watches resume", happen: (world) => restart(world, "kept") },
	{ name: "restart of 10 s, 410 for all", happen: (world) => restart(world, "lost") },
	{
		name: "link away for 10 min, watches resume",
		async happen(world) {
			await cut(world, 10 * MINUTE);
			world.hub.setCondition("up");
		},
	},
	{
		name: "link away for 3 days, all changed, 410 for all",
		async happen(world) {
			// After ten minutes every day is like the one before: all waits are the longest.
			await cut(world, 20 * MINUTE);
			world.objects.change();
			world.objects.compact();
			world.hub.setCondition("up");
		},
	},
	{ name: "all connections reset, the server is up", happen: async ({ hub }) => hub.drop("reset") },
	{ name: "all watches ended cleanly (a server is drained)", happen: async ({ hub }) => hub.drop("end"), isOurs: true },
	{
		name: "restart of 10 s, 410 for all, a tenth of the capacity",
		async happen(world) {
			world.hub.setCapacity(tenthOf(FULL));
			await restart(world, "lost");
		},
	},
	{
		name: "accepts and is silent for 5 min, watches resume",
		async happen({ hub, pass }) {
			hub.setCondition("silent");
			hub.drop("lost");
			await pass(5 * MINUTE);
			hub.setCondition("up");
		},
	},
];

/** Agents start within so long, so that their watches do not end in step. Milliseconds. */
const ARRIVAL = 5 * MINUTE;
const SETTLED = 12 * MINUTE;
/** How long recovery is waited for. */
const PATIENCE = 30 * MINUTE;

export interface Trial {
	readonly agents: number;
	readonly policy: Policy;
	readonly scenario: Scenario;
}

export async function simulate({ agents, policy, scenario }: Trial): Promise<Figures> {
	const clock = createVirtualClock();
	const random = createRandom(1);
	const meter = createMeter(clock, agents);
	const objects = createObjects();
	const multiplex = policy === "client-go";
	const hub = createModelHub({ clock, meter, objects, capacity: FULL, multiplex, random });
	const stops = Array.from({ length: agents }, () => new AbortController());
	const running = stops.map(async ({ signal }, agent) => {
		await clock.sleep(ARRIVAL * random(), signal);
		await runAgent(policy, agent, { clock, hub, meter, random, signal });
	});
	await clock.runUntil(SETTLED);
	meter.restart();
	await scenario.happen({ clock, hub, objects, pass: (milliseconds) => clock.runUntil(clock.now() + milliseconds) });
	meter.back();
	const end = clock.now() + PATIENCE;
	do await clock.runUntil(clock.now() + 10 * SECOND);
	while (clock.now() < end && meter.figures().followed(100) === Number.POSITIVE_INFINITY);
	const figures = meter.figures();
	for (const stop of stops) stop.abort();
	await clock.runUntil(clock.now() + MINUTE);
	await Promise.all(running);
	return figures;
}

// Whatever happens on the way, the maps come to hold the plan, and no program is ever led to another's backend.

import { test } from "bun:test";
import * as fc from "fast-check";
import { createHistory, demandExactly, type History } from "../../test/support/history.ts";
import { backendIds, readMemory } from "../../test/support/program_view.ts";
import { checkProperty } from "../../test/support/property.ts";
import { applyEdits, type Edit, edit, emptyCluster, NODE } from "../../test/support/random_cluster.ts";
import { createPlanner, planFresh } from "../plan/plan.ts";
import type { Plan } from "../plan/plan_types.ts";
import { planToJson } from "../plan/render.ts";
import { seededRandom } from "./faulty_maps.ts";
import type { Written } from "./writer.ts";

interface Step {
	readonly edits: readonly Edit[];
	/** Before the write. */
	readonly first: "go on" | "restart" | "resync";
	readonly synced: boolean;
	/** Killed at this element. */
	readonly crashAt: number | undefined;
	readonly faulty: boolean;
}

const step: fc.Arbitrary<Step> = fc.record({
	edits: fc.array(edit, { maxLength: 3 }),
	first: fc.constantFrom("go on", "go on", "go on", "restart", "resync"),
	synced: fc.constantFrom(true, true, true, false),
	crashAt: fc.option(fc.integer({ min: 1, max: 40 }), { freq: 4, nil: undefined }),
	faulty: fc.boolean(),
});
const steps = fc.array(step, { minLength: 1, maxLength: 14 });
const seed = fc.integer({ min: 1, max: 0x7fff_ffff });
const SELF = { nodeName: NODE };
const AMPLE = { frontends: 200, backends: 200, slots: 1000 };
const SCARCE = { frontends: 6, backends: 7, slots: 14 };

test("write() converges to the last plan, and no intermediate state misleads anyone", () => {
	const property = fc.property(steps, seed, (history, number) => {
		const world = createHistory({ capacity: AMPLE, random: seededRandom(number), allowed: "since-complete" });
		const last = live(world, history);
		world.settle(last);
		demandExactly(world.maps, last);
	});
	checkProperty("histories", property, 400);
}, 120_000);

test("write() keeps ids over a restart", () => {
	const property = fc.property(steps, fc.array(edit, { maxLength: 3 }), seed, (history, more, number) => {
		const world = createHistory({ capacity: AMPLE, random: seededRandom(number), allowed: "since-complete" });
		const plan = live(world, history);
		world.settle(plan);
		world.restart();
		demandNoChange(world.settle(plan));
		const before = idsOf(world);
		world.restart();
		const cluster = applyEdits(clusterOf(history), more);
		world.settle(planFresh(cluster, SELF));
		for (const [address, id] of idsOf(world))
			if ((before.get(address) ?? id) !== id) throw new Error(`${address} had id ${before.get(address)}, now ${id}`);
	});
	checkProperty("ids over a restart", property, 150);
}, 120_000);

test("write() misleads nobody where room is short, and uses room as soon as there is some", () => {
	const property = fc.property(steps, seed, (history, number) => {
		const world = createHistory({ capacity: SCARCE, random: seededRandom(number), allowed: "any" });
		live(world, history);
		const small = planFresh(emptyCluster, SELF);
		world.settle(small);
		demandExactly(world.maps, small);
		// All room is free again after its rest: the next plan fits if it fits into empty maps.
		for (let round = 0; round < 3; round++) world.write(small, { synced: true, probability: 0 });
		const plan = planFresh(clusterOf(history), SELF);
		const other = createHistory({ capacity: SCARCE, random: seededRandom(number), allowed: "any" });
		const [here, there] = [world, other].map((place) => place.write(plan, { synced: true, probability: 0 }));
		if (JSON.stringify(here?.problems) !== JSON.stringify(there?.problems))
			throw new Error(`Room was lost: ${JSON.stringify([here?.problems, there?.problems])}`);
		if (here?.problems.length === 0) demandExactly(world.maps, plan);
	});
	checkProperty("scarce room", property, 300);
}, 120_000);

/** The plan of the last step. */
function live(world: History, history: readonly Step[]): Plan {
	const planner = createPlanner();
	let cluster = emptyCluster;
	let plan = planner(cluster, SELF);
	for (const { edits, first, synced, crashAt, faulty } of history) {
		if (first === "restart") world.restart();
		if (first === "resync") world.resync();
		cluster = applyEdits(cluster, edits);
		const next = planner(cluster, SELF);
		demandSamePlan(next, planFresh(cluster, SELF));
		if (edits.length === 0 && next !== plan) throw new Error("Nothing changed, and the plan is not the identical one");
		plan = next;
		world.write(plan, { synced, probability: faulty ? 0.1 : 0, crashAt });
	}
	return plan;
}

function clusterOf(history: readonly Step[]) {
	return history.reduce((cluster, { edits }) => applyEdits(cluster, edits), emptyCluster);
}

function demandSamePlan(remembered: Plan, fresh: Plan): void {
	const [a, b] = [remembered, fresh].map((plan) => JSON.stringify([planToJson(plan), [...plan.chunks.keys()].sort()]));
	if (a !== b) throw new Error(`The planner remembers\n${a}\nbut a fresh plan is\n${b}`);
}

function demandNoChange({ changes, failures }: Written): void {
	const sum = Object.values(changes).reduce((total, { puts, deletes }) => total + puts + deletes, 0);
	if (sum + failures.length > 0) throw new Error(`The same plan after a restart changed ${JSON.stringify(changes)}`);
}

/** By address, of frontends and of backends. */
function idsOf(world: History): ReadonlyMap<string, number> {
	const memory = readMemory(world.maps);
	return new Map([
		...memory.frontends.map(({ address, id }) => [`frontend ${address}`, id] as const),
		...backendIds(memory),
	]);
}

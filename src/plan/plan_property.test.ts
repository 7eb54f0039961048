// Random histories of hubs whose snapshots tell what changed: the plan is what it would be without any memory.

import { expect, test } from "bun:test";
import fc from "fast-check";
import { checkProperty } from "../../test/support/property.ts";
import { applyEdit, type Edit, edit, anySelf as self } from "../../test/support/random_cluster.ts";
import { isEqual } from "../lib/equal.ts";
import { createLayeredMap } from "../lib/layered_map.ts";
import type { Cluster, EndpointSlice, Service } from "../model/cluster.ts";
import { EMPTY_CLUSTER } from "../model/cluster.ts";
import type { Pod } from "../model/pod.ts";
import type { Policy, PolicyKey } from "../model/policy.ts";
import { createPlanner, planFresh } from "./plan.ts";
import type { HubSnapshot, Plan, Probe, ProbeKey, Quarantine, Self } from "./plan_types.ts";
import { planToJson, renderPlan } from "./render.ts";

/** So small that clusters of four Services have layers, and new bottoms now and then. */
const LAYERS = { many: 2, deepest: 3 };

interface Hub {
	edit(edit: Edit): void;
	snapshot(): Cluster;
}

function createHub(): Hub {
	const services = createLayeredMap<Service>(LAYERS);
	const slices = createLayeredMap<readonly EndpointSlice[]>(LAYERS);
	const pods = createLayeredMap<Pod>(LAYERS);
	const policies = createLayeredMap<Policy, PolicyKey>(LAYERS);
	let known = EMPTY_CLUSTER;
	return {
		edit(each) {
			const nodes = new Map(known.nodes);
			applyEdit({ services, slices, nodes, pods, policies }, each);
			// A hub gives the identical map if nothing of it has changed.
			if (each.kind === "node") known = { ...known, nodes };
			if (each.kind === "pod") known = { ...known, pods: pods.snapshot() };
			if (each.kind === "policy") known = { ...known, policies: policies.snapshot() };
		},
		snapshot: () => ({ ...known, services: services.snapshot(), slices: slices.snapshot() }),
	};
}

/** Some edits, after which the hubs are looked at, and by whom; of all probes that there ever were those that have failed. */
const round = fc.record({
	edits: fc.array(edit, { maxLength: 4, size: "max" }),
	self,
	failed: fc.array(fc.nat(15), { maxLength: 6, size: "max" }),
});
/** Another reach or name begins anew; the host's addresses may change at any time. */
const story = fc.record({ self, rounds: fc.array(round, { maxLength: 25, size: "max" }) });

/** All that a plan says; the text is for people who look at a difference. */
function said(plan: Plan): string {
	return `${renderPlan(plan)}${JSON.stringify([planToJson(plan), [...plan.chunks.keys()].sort(), [...plan.policies.keys()]])}`;
}

/** What says the same is the identical value. */
function demandIdentity(before: Plan, after: Plan): void {
	for (const [key, chunk] of after.chunks) {
		const old = before.chunks.get(key);
		if (isEqual(old, chunk)) expect(chunk).toBe(old as typeof chunk);
	}
	for (const kind of ["guards", "probes", "policies"] as const)
		if (isEqual(before[kind], after[kind])) expect([kind, before[kind] === after[kind]]).toEqual([kind, true]);
}

function reversed<V, K>(map: ReadonlyMap<K, V>): ReadonlyMap<K, V> {
	return new Map([...map].reverse());
}

/** The same objects, which have come in another order. */
function turned(hubs: readonly HubSnapshot[]): readonly HubSnapshot[] {
	return hubs.map(({ name, cluster: { services, slices, nodes, pods, policies, problems } }) => {
		const maps = { services: reversed(services), slices: reversed(slices), nodes: reversed(nodes) };
		return { name, cluster: { ...maps, pods: reversed(pods), policies: reversed(policies), problems } };
	});
}

test.each([1, 3])("createPlanner() says of %d hubs what planFresh() says, after each round", (count) => {
	const property = fc.property(story, (each) => {
		const hubs = Array.from({ length: count }, createHub);
		const planner = createPlanner();
		const seen = new Map<ProbeKey, Probe>();
		let before: Plan | undefined;
		for (const { edits, self: current, failed } of each.rounds) {
			for (const one of edits) hubs[one.hub % count]?.edit(one);
			const snapshots = hubs.map((hub, index) => ({ name: `hub-${index}`, cluster: hub.snapshot() }));
			const who: Self = { ...each.self, addresses: current.addresses };
			const keys = [...seen.keys()].sort();
			const quarantine: Quarantine = new Set(failed.flatMap((index) => keys[index] ?? []));
			const plan = planner(snapshots, who, quarantine);
			expect(said(plan)).toBe(said(planFresh(snapshots, who, quarantine)));
			expect(said(plan)).toBe(said(planFresh(turned(snapshots), who, quarantine)));
			expect(planner(snapshots, { ...who, addresses: [...who.addresses] }, new Set(quarantine))).toBe(plan);
			if (before !== undefined) demandIdentity(before, plan);
			for (const [key, probe] of plan.probes) seen.set(key, probe);
			before = plan;
		}
	});
	checkProperty(`plans of ${count} hubs`, property, 300);
});

test("createPlanner() comes to the same in whatever order objects arrive, vanish and come back", () => {
	const objects = fc.array(edit, { minLength: 4, maxLength: 25, size: "max" });
	const disorder = objects.chain((edits) => {
		const order = fc.shuffledSubarray([...edits.keys()], { minLength: edits.length, maxLength: edits.length });
		return fc.record({ self, edits: fc.constant(edits), orders: fc.array(order, { minLength: 2, maxLength: 3 }) });
	});
	const property = fc.property(disorder, ({ self: who, edits, orders }) => {
		// Each object once: what comes last is what there is.
		const last = new Map(edits.map((each) => [`${each.hub % 2} ${each.kind} ${each.key}`, each]));
		const results = orders.map((order) => {
			const hubs = [createHub(), createHub()];
			const planner = createPlanner();
			const look = () =>
				planner(
					hubs.map((hub, index) => ({ name: `hub-${index}`, cluster: hub.snapshot() })),
					who,
				);
			// First as things were before, then all that there is, each in an order of its own.
			for (const index of order) applyTo(hubs, edits[index], look);
			const final = [...last.values()].sort(
				(a, b) => order.indexOf(edits.indexOf(a)) - order.indexOf(edits.indexOf(b)),
			);
			for (const each of final) applyTo(hubs, each, look);
			return said(look());
		});
		for (const result of results) expect(result).toBe(results[0] ?? "");
	});
	checkProperty("orders of arrival", property, 300);
});

function applyTo(hubs: readonly Hub[], each: Edit | undefined, look: () => Plan): void {
	if (each === undefined) return;
	hubs[each.hub % 2]?.edit(each);
	look();
}

test("planFresh() keeps what it promises of frontends, guards and probes", () => {
	const property = fc.property(fc.record({ self, edits: fc.array(edit, { maxLength: 40, size: "max" }) }), (each) => {
		const hubs = [createHub(), createHub()];
		for (const one of each.edits) hubs[one.hub % 2]?.edit(one);
		const plan = planFresh(
			hubs.map((hub, index) => ({ name: `hub-${index}`, cluster: hub.snapshot() })),
			each.self,
		);
		const frontends = [...plan.chunks.values()].flatMap((chunk) => chunk.frontends);
		const addresses = frontends.map(({ address }) => address);
		expect(new Set(addresses).size).toBe(addresses.length);
		for (const { active, terminating, redirect, address } of [
			...frontends,
			...frontends.flatMap((frontend) => frontend.redirect?.next ?? []),
		]) {
			expect([...active].sort()).toEqual([...active]);
			expect([...new Set(terminating)].sort()).toEqual([...terminating]);
			expect(terminating.filter((backend) => active.includes(backend))).toEqual([]);
			if (redirect === undefined) continue;
			if (!each.self.isWholeCluster) expect([...active, ...terminating]).not.toEqual([]);
			expect(plan.guards.has(redirect.guard)).toBe(true);
			expect(redirect.next?.redirect).toBeUndefined();
			expect(redirect.next?.address ?? address).toBe(address);
		}
		const used = new Set(frontends.flatMap(({ redirect }) => redirect?.guard ?? []));
		expect([...plan.guards.keys()]).toEqual([...used].sort());
	});
	checkProperty("promises", property, 1000);
});

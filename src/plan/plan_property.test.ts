// Random histories of hubs whose snapshots tell what changed: the plan is what it would be without any memory.

import { expect, test } from "bun:test";
import fc from "fast-check";
import { checkProperty } from "../../test/support/property.ts";
import { applyEdit, type Edit, edit, self } from "../../test/support/random_cluster.ts";
import { createLayeredMap } from "../lib/layered_map.ts";
import type { Cluster, EndpointSlice, Service } from "../model/cluster.ts";
import { EMPTY_CLUSTER } from "../model/cluster.ts";
import { createPlanner, planFresh } from "./plan.ts";
import type { Plan, Self } from "./plan_types.ts";
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
	let { nodes, pods, policies } = EMPTY_CLUSTER;
	return {
		edit(each) {
			const next = { nodes: new Map(nodes), pods: new Map(pods), policies: new Map(policies) };
			applyEdit({ services, slices, ...next }, each);
			// A hub gives the identical map if nothing of it has changed.
			if (each.kind === "node") nodes = next.nodes;
			if (each.kind === "pod") pods = next.pods;
			if (each.kind === "policy") policies = next.policies;
		},
		snapshot: () => ({
			...EMPTY_CLUSTER,
			services: services.snapshot(),
			slices: slices.snapshot(),
			nodes,
			pods,
			policies,
		}),
	};
}

/** Some edits, after which the hubs are looked at, and by whom. */
const round = fc.record({ edits: fc.array(edit, { minLength: 1, maxLength: 4 }), self });
/** Another reach or name begins anew; the host's addresses may change at any time. */
const story = fc.record({ self, rounds: fc.array(round, { maxLength: 25, size: "max" }) });

/** All that a plan says; the text is for people who look at a difference. */
function said(plan: Plan): string {
	return `${renderPlan(plan)}${JSON.stringify([planToJson(plan), [...plan.chunks.keys()].sort()])}`;
}

test.each([1, 3])("createPlanner() says of %d hubs what planFresh() says, after each round", (count) => {
	const property = fc.property(story, (each) => {
		const hubs = Array.from({ length: count }, createHub);
		const planner = createPlanner();
		for (const { edits, self: current } of each.rounds) {
			for (const one of edits) hubs[one.hub % count]?.edit(one);
			const snapshots = hubs.map((hub, index) => ({ name: `hub-${index}`, cluster: hub.snapshot() }));
			const who: Self = { ...each.self, addresses: current.addresses };
			const plan = planner(snapshots, who);
			expect(said(plan)).toBe(said(planFresh(snapshots, who)));
			expect(planner(snapshots, { ...who, addresses: [...who.addresses] })).toBe(plan);
		}
	});
	checkProperty(`plans of ${count} hubs`, property, 300);
});

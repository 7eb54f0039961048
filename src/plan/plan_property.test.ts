// Random histories of hubs whose snapshots tell what changed: the plan is what it would be without any memory.

import { expect, test } from "bun:test";
import fc from "fast-check";
import { selfOf } from "../../test/support/plans.ts";
import { type Edit, edit, NODE } from "../../test/support/random_cluster.ts";
import { createLayeredMap } from "../lib/layered_map.ts";
import type { EndpointSlice, Node, Service } from "../model/cluster.ts";
import { EMPTY_CLUSTER } from "../model/cluster.ts";
import { createPlanner, planFresh } from "./plan.ts";
import { renderPlan } from "./render.ts";

const SELF = selfOf(NODE);
/** So small that clusters of four Services have layers, and new bottoms now and then. */
const LAYERS = { many: 2, deepest: 3 };

interface Hub {
	edit(edit: Edit): void;
	snapshot(): ReturnType<typeof snapshotOf>;
}

function snapshotOf(
	services: ReadonlyMap<string, Service>,
	slices: ReadonlyMap<string, readonly EndpointSlice[]>,
	nodes: ReadonlyMap<string, Node>,
) {
	return { ...EMPTY_CLUSTER, services, slices, nodes };
}

function createHub(): Hub {
	const services = createLayeredMap<Service>(LAYERS);
	const slices = createLayeredMap<readonly EndpointSlice[]>(LAYERS);
	const nodes = createLayeredMap<Node>(LAYERS);
	return {
		edit(each) {
			if (each.kind === "slices") slices.set(each.key, each.slices);
			else if (each.kind === "node") {
				if (each.node === undefined) nodes.delete(each.key);
				else nodes.set(each.key, each.node);
			} else if (each.service === undefined) services.delete(each.key);
			else services.set(each.key, each.service);
		},
		snapshot: () => snapshotOf(services.snapshot(), slices.snapshot(), nodes.snapshot()),
	};
}

/** Some edits, after which the hubs are looked at. */
const rounds = fc.array(fc.array(edit, { minLength: 1, maxLength: 4 }), { maxLength: 25 });

test.each([1, 3])("createPlanner() says of %d hubs what planFresh() says, after each round", (count) => {
	fc.assert(
		fc.property(rounds, (all) => {
			const hubs = Array.from({ length: count }, createHub);
			const planner = createPlanner();
			for (const edits of all) {
				for (const each of edits) hubs[each.hub % count]?.edit(each);
				const snapshots = hubs.map((hub, index) => ({ name: `hub-${index}`, cluster: hub.snapshot() }));
				expect(renderPlan(planner(snapshots, SELF))).toBe(renderPlan(planFresh(snapshots, SELF)));
			}
		}),
		{ numRuns: 300 },
	);
});

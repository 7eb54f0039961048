// On which hosts a policy holds, and what a plan says of it.

import { describe, expect, test } from "bun:test";
import { selfOf } from "../../../test/support/plans.ts";
import { balancing, cluster, hubsOf, linesOf, redirect } from "../../../test/support/snapshots.ts";
import { createPlanner, planFresh } from "../plan.ts";

const SELF = selfOf("here");
const OWN = "here 192.168.0.1 labels=dns-cache:on,tier:edge";
const OTHER = "there 192.168.0.2 labels=tier:core";

function holds(hosts: { nodes?: string; outCluster?: boolean }, nodes: readonly string[], self = SELF): boolean {
	const policy = balancing("p", { ip: "169.254.1.1", addresses: ["192.0.2.1"], ...hosts });
	const plan = planFresh(hubsOf(cluster({ policies: [policy], nodes })), self);
	const state = plan.policies.get("BalancingPolicy p");
	expect(linesOf(plan, "FRONTEND").length).toBe(state?.holdsHere ? 1 : 0);
	return state?.holdsHere ?? false;
}

describe("a node of the cluster", () => {
	test.each([
		["no selector", "", true],
		["a label", "dns-cache=on", true],
		["another value", "dns-cache=off", false],
		["all of several", "dns-cache=on,tier=edge", true],
		["not all of several", "dns-cache=on,tier=core", false],
		["the label of another node", "tier=core", false],
		["an absent label", "!gpu", true],
	])("with %s", (_, nodes, expected) => {
		for (const outCluster of [true, false]) expect(holds({ nodes, outCluster }, [OWN, OTHER])).toBe(expected);
	});

	test("without labels", () => {
		expect(holds({ nodes: "tier=edge" }, ["here 192.168.0.1"])).toBe(false);
		expect(holds({ nodes: "!tier", outCluster: false }, ["here 192.168.0.1"])).toBe(true);
	});
});

describe("a host that is no node of the cluster", () => {
	test.each([
		["", true],
		["", false],
		["tier=core", true],
		["tier=core", false],
	])("with the selector %j and enableOutCluster %j", (nodes, outCluster) => {
		expect(holds({ nodes, outCluster }, [OTHER])).toBe(outCluster);
		expect(holds({ nodes, outCluster }, [])).toBe(outCluster);
	});
});

test("seen from no host every policy holds", () => {
	expect(holds({ nodes: "tier=none", outCluster: false }, [OWN], { ...SELF, nodeName: "", isWholeCluster: true })).toBe(
		true,
	);
});

test("each hub has nodes of its own", () => {
	const policy = (name: string) =>
		balancing(name, { ip: `169.254.1.${name}`, addresses: ["192.0.2.1"], outCluster: false });
	const plan = planFresh(
		hubsOf(cluster({ policies: [policy("1")], nodes: [OTHER] }), cluster({ policies: [policy("2")], nodes: [OWN] })),
		SELF,
	);
	expect(linesOf(plan, "POLICY")).toEqual([
		"BalancingPolicy 1: not for this host (east)",
		"BalancingPolicy 2: frontends 1, backends 1 (west)",
	]);
});

test("a policy that does not hold here has no Problem here", () => {
	const policy = redirect("p", { service: "demo/gone", outCluster: false });
	expect(planFresh(hubsOf(cluster({ policies: [policy] })), SELF).problems).toEqual([]);
});

test("labels of our own Node may change at any time", () => {
	const planner = createPlanner();
	const policy = balancing("p", { ip: "169.254.1.1", addresses: ["192.0.2.1"], nodes: "tier=edge" });
	const world = cluster({ policies: [policy], nodes: [OWN] });
	const frontends = (nodes: readonly string[]) =>
		linesOf(planner(hubsOf({ ...world, nodes: cluster({ nodes }).nodes }), SELF), "FRONTEND").length;
	expect(frontends([OWN])).toBe(1);
	expect(frontends([OWN.replace("edge", "core")])).toBe(0);
	expect(frontends([OWN])).toBe(1);
	expect(frontends([OTHER])).toBe(1);
});

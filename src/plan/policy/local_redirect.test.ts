// LocalRedirectPolicies: which pods serve, whose connections go past, and what happens without any pod.

import { describe, expect, test } from "bun:test";
import { selfOf } from "../../../test/support/plans.ts";
import { cluster, hubsOf, linesOf, pod, redirect, service, slice } from "../../../test/support/snapshots.ts";
import type { Pod } from "../../model/pod.ts";
import { createPlanner, planFresh } from "../plan.ts";
import type { Self } from "../plan_types.ts";
import { renderPlan } from "../render.ts";

const SELF = selfOf("here");
const WEB = service("demo/web", { ips: ["10.96.0.1", "fd00::1"] });
const SLICE = slice("demo/web", ["10.0.0.9"]);

function planOf(pods: readonly Pod[], self: Self = SELF) {
	return planFresh(hubsOf(cluster({ policies: [redirect("p")], services: [WEB], slices: [SLICE], pods })), self);
}

/** The lines of demo/web's two cluster IPs. */
function lines(pods: readonly Pod[], self = SELF): readonly string[] {
	return linesOf(planOf(pods, self), "FRONTEND");
}

const IPV4 = "10.96.0.1:80/TCP demo/web:http ServiceClusterIP -> 10.0.0.9:8080";
const IPV6 = "[fd00::1]:80/TCP demo/web:http ServiceClusterIP -> refused";

describe("pods that serve", () => {
	test.each([
		["ready here", "ready here 10.0.0.1", "10.0.0.1:8080"],
		["not ready", "unready here 10.0.0.1", undefined],
		["ended", "ended here 10.0.0.1", undefined],
		["of another node", "ready there 10.0.0.1", undefined],
		["of no node", "ready - 10.0.0.1", undefined],
		["without an address", "ready here", undefined],
		["of the other family", "ready here fd01::1", undefined],
	])("%s", (_, text, backend) => {
		const found = lines([pod(`demo/p ${text} app=web`)])[0];
		expect(found).toBe(backend === undefined ? IPV4 : `10.96.0.1:80/TCP p:http localRedirectService -> ${backend}`);
	});

	test("are those that the selector selects, in any namespace, sorted", () => {
		const pods = [
			pod("demo/a ready here 10.0.0.2 app=web"),
			pod("other/b ready here 10.0.0.1 app=web,tier=edge"),
			pod("demo/c ready here 10.0.0.3 app=db"),
			pod("demo/d ready here 10.0.0.4"),
		];
		expect(lines(pods)).toEqual(["10.96.0.1:80/TCP p:http localRedirectService -> 10.0.0.1:8080 10.0.0.2:8080", IPV6]);
	});

	test("in one family leave the other to the Service", () => {
		expect(lines([pod("demo/a ready here fd01::1 app=web")])).toEqual([
			IPV4,
			"[fd00::1]:80/TCP p:http localRedirectService -> [fd01::1]:8080",
		]);
	});

	test("weigh the same", () => {
		const pods = [pod("demo/a ready here 10.0.0.1 app=web", { weight: 5 }), pod("demo/b ready here 10.0.0.2 app=web")];
		expect(lines(pods)[0]).toEndWith("-> 10.0.0.1:8080 10.0.0.2:8080");
	});

	test("that terminate keep the flows that they have, beside one that serves", () => {
		const old = ["draining", "stopping"].map((state, index) =>
			pod(`demo/${state} ${state} here 10.0.0.${index + 5} app=web`),
		);
		expect(lines([pod("demo/new ready here 10.0.0.1 app=web"), ...old])[0]).toEndWith(
			"-> 10.0.0.1:8080 | terminating 10.0.0.5:8080 10.0.0.6:8080",
		);
	});

	test.each(["draining", "stopping"])("but are only %s keep their flows, and new connections go past them", (state) => {
		const plan = renderPlan(planOf([pod(`demo/old ${state} here 10.0.0.5 app=web`)]));
		expect(plan).toContain(
			`FRONTEND 10.96.0.1:80/TCP p:http localRedirectService -> past it | terminating 10.0.0.5:8080\n  NEXT ${IPV4.slice("10.96.0.1:80/TCP ".length)}\n`,
		);
		expect(plan).toContain(`FRONTEND ${IPV6}\n`);
		expect(plan).not.toContain("GUARD");
	});
});

test("an agent without a node's name has no local pods", () => {
	expect(lines([pod("demo/p ready - 10.0.0.1 app=web")], selfOf(""))).toEqual([IPV4, IPV6]);
});

test("without a pod there is no Problem: that is what the Service is for", () => {
	const plan = planOf([]);
	expect(linesOf(plan, "POLICY")).toEqual(["LocalRedirectPolicy p: frontends 0, backends 0"]);
	expect(plan.problems).toEqual([]);
	expect(plan.guards.size).toBe(0);
});

test("seen from no host all nodes' pods count, and to have none is a Problem", () => {
	const self: Self = { ...selfOf(""), isWholeCluster: true };
	const there = planOf([pod("demo/p ready there 10.0.0.1 app=web")], self);
	expect(linesOf(there, "POLICY")).toEqual(["LocalRedirectPolicy p: frontends 2, backends 1"]);
	expect(linesOf(planOf([], self), "PROBLEM")).toEqual([
		"LocalRedirectPolicy p spec.backend NoBackends: 10.96.0.1:80/TCP and 1 more have no backend for new connections: let a pod that the selector selects become ready",
	]);
});

describe("the guard", () => {
	test("has the pods that serve, and all that tells them from others", () => {
		const pods = [
			pod("demo/b ready here 10.0.0.1 fd01::1 app=web"),
			pod("demo/a ready here 192.168.0.1 app=web", { hostNetwork: true, uid: "" }),
			pod("demo/c unready here 10.0.0.2 app=web"),
			pod("demo/d ready there 10.0.0.3 app=web"),
		];
		const plan = planOf(pods);
		expect(JSON.stringify([...plan.guards])).toBe(
			JSON.stringify([
				[
					"LocalRedirectPolicy p",
					[
						{ pod: "demo/a", uid: "", ips: ["192.168.0.1"], hostNetwork: true },
						{ pod: "demo/b", uid: "uid-b", ips: ["10.0.0.1", "fd01::1"], hostNetwork: false },
					],
				],
			]),
		);
		expect(linesOf(plan, "GUARD")).toEqual(["LocalRedirectPolicy p: demo/a demo/b"]);
		const [frontend] = plan.chunks.get("LocalRedirectPolicy p")?.frontends ?? [];
		expect(frontend?.redirect?.guard).toBe("LocalRedirectPolicy p");
	});

	test("is another one in another hub", () => {
		const world = cluster({
			policies: [redirect("p", { ip: "169.254.1.1" })],
			pods: [pod("demo/a ready here 10.0.0.1 app=web")],
		});
		const other = cluster({
			policies: [redirect("p", { ip: "169.254.1.2" })],
			pods: [pod("demo/b ready here 10.0.0.1 app=web")],
		});
		expect(linesOf(planFresh(hubsOf(world, other), SELF), "GUARD")).toEqual([
			"LocalRedirectPolicy p: demo/a",
			"LocalRedirectPolicy p of west: demo/b",
		]);
	});

	test("stays the identical map while nothing of it changes, and goes with the last frontend", () => {
		const planner = createPlanner();
		const world = cluster({
			policies: [redirect("p")],
			services: [WEB],
			pods: [pod("demo/a ready here 10.0.0.1 app=web")],
		});
		const first = planner(hubsOf(world), SELF).guards;
		expect(
			planner(
				hubsOf({ ...world, services: new Map([["demo/web", { ...WEB, created: "2024-01-01T00:00:00Z" }]]) }),
				SELF,
			).guards,
		).toBe(first);
		expect(planner(hubsOf({ ...world, services: new Map() }), SELF).guards.size).toBe(0);
		expect(planner(hubsOf(world), SELF).guards).toEqual(first);
		expect(planner(hubsOf({ ...world, policies: new Map() }), SELF).guards.size).toBe(0);
	});
});

describe("the limit", () => {
	const pods = [pod("demo/p ready here 10.0.0.1 app=web")];
	test.each([
		[undefined, undefined, ""],
		[undefined, 10, " limit=10/s"],
		[3, 10, " limit=3/s"],
		[0, 10, ""],
		[3, undefined, " limit=3/s"],
	])("of the policy %j, of the agent %j", (qosLimit, redirectLimit, mark) => {
		const policy = redirect("p", { ip: "169.254.1.1", ...(qosLimit === undefined ? {} : { qosLimit }) });
		const self: Self = { ...SELF, ...(redirectLimit === undefined ? {} : { redirectLimit }) };
		expect(linesOf(planFresh(hubsOf(cluster({ policies: [policy], pods })), self), "FRONTEND")).toEqual([
			`169.254.1.1:80/TCP p:http localRedirectAddress${mark} -> 10.0.0.1:8080`,
		]);
	});

	test("of the agent may change", () => {
		const planner = createPlanner();
		const hubs = hubsOf(cluster({ policies: [redirect("p", { ip: "169.254.1.1" })], pods }));
		const limits = [1, 2, 0].map(
			(redirectLimit) => linesOf(planner(hubs, { ...SELF, redirectLimit }), "FRONTEND")[0]?.split(" ")[3],
		);
		expect(limits).toEqual(["limit=1/s", "limit=2/s", "->"]);
	});
});

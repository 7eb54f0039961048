// Several objects at one address: who has it, who has it next, and who is told.

import { describe, expect, test } from "bun:test";
import { selfOf } from "../../test/support/plans.ts";
import { balancing, cluster, hubsOf, linesOf, pod, redirect, service, slice } from "../../test/support/snapshots.ts";
import type { Service } from "../model/cluster.ts";
import type { Policy } from "../model/policy.ts";
import { createPlanner, planFresh } from "./plan.ts";
import type { Plan } from "./plan_types.ts";
import { renderPlan } from "./render.ts";

const SELF = selfOf("here");
const OLD = "2024-01-01T00:00:00Z";
const YOUNG = "2025-01-01T00:00:00Z";
const PODS = [pod("demo/local ready here 10.0.0.1 app=web"), pod("demo/far ready there 10.0.0.2 app=web")];
const SLICE = slice("demo/web", ["10.0.0.9"]);
const WEB = service("demo/web");

function clusterOf(policies: readonly Policy[], services: readonly Service[] = [WEB]) {
	return cluster({ policies, services, pods: PODS, slices: [SLICE] });
}

/** Who has 10.96.0.1:80, and who has it next, by their names. */
function owners(plan: Plan): readonly string[] {
	const lines = renderPlan(plan).split("\n");
	const at = lines.findIndex((line) => line.startsWith("FRONTEND 10.96.0.1:80/TCP "));
	const next = lines[at + 1]?.startsWith("  NEXT ") ? [lines[at + 1]?.split(" ")[3] ?? ""] : [];
	return at < 0 ? [] : [lines[at]?.split(" ")[2] ?? "", ...next];
}

const LR = redirect("lr");
const LR_VIP = redirect("lr-vip", { ip: "10.96.0.1" });
const BL = balancing("bl");
const BL_VIP = balancing("bl-vip", { ip: "10.96.0.1", addresses: ["192.0.2.1"] });

describe("within one hub", () => {
	test.each([
		["a Service alone", [], ["demo/web:http"]],
		["a balancing policy before the Service", [BL], ["bl:http"]],
		["an address equal to a cluster IP, too", [BL_VIP], ["bl-vip:http"]],
		["a redirect before the Service", [LR], ["lr:http", "demo/web:http"]],
		["an address equal to a cluster IP, too", [LR_VIP], ["lr-vip:http", "demo/web:http"]],
		["a redirect before a balancing policy", [BL, LR], ["lr:http", "bl:http"]],
		["whatever their frontends are", [BL_VIP, LR_VIP], ["lr-vip:http", "bl-vip:http"]],
		[
			"a redirect, though it is younger",
			[
				{ ...BL, created: OLD },
				{ ...LR, created: YOUNG },
			],
			["lr:http", "bl:http"],
		],
		[
			"the older redirect, and never another one next",
			[
				{ ...LR, created: YOUNG },
				{ ...LR_VIP, created: OLD },
			],
			["lr-vip:http", "demo/web:http"],
		],
		[
			"the older balancing policy",
			[
				{ ...BL, created: OLD },
				{ ...BL_VIP, created: YOUNG },
			],
			["bl:http"],
		],
		[
			"the other way round",
			[
				{ ...BL, created: YOUNG },
				{ ...BL_VIP, created: OLD },
			],
			["bl-vip:http"],
		],
		[
			"what has an age before what has none",
			[
				{ ...BL, created: "" },
				{ ...BL_VIP, created: YOUNG },
			],
			["bl-vip:http"],
		],
		["the first by name of the same age", [BL_VIP, BL], ["bl:http"]],
		[
			"an older policy that is for other hosts leaves it to the younger",
			[
				{ ...BL, created: YOUNG },
				{ ...balancing("z", { outCluster: false }), created: OLD },
			],
			["bl:http"],
		],
		[
			"an older redirect without pods here leaves it to the younger",
			[
				{ ...LR, created: YOUNG },
				{ ...redirect("z", { pods: "app=gone" }), created: OLD },
			],
			["lr:http", "demo/web:http"],
		],
	])("%s", (_, policies, expected) => {
		expect(owners(planFresh(hubsOf(clusterOf(policies)), SELF))).toEqual(expected);
		expect(owners(planFresh(hubsOf(clusterOf([...policies].reverse())), SELF))).toEqual(expected);
	});

	test("a Service's external IP is a policy's, too", () => {
		const outer = service("demo/web", { ips: ["10.96.0.7"], ingress: ["10.96.0.1"], type: "LoadBalancer" });
		expect(owners(planFresh(hubsOf(clusterOf([LR_VIP], [outer])), SELF))).toEqual(["lr-vip:http", "demo/web:http"]);
	});

	test("a balancing policy without backends has the address none the less", () => {
		const plan = planFresh(hubsOf(clusterOf([balancing("bl", { pods: "app=gone" })])), SELF);
		expect(linesOf(plan, "FRONTEND")).toEqual(["10.96.0.1:80/TCP bl:http balancingPod -> refused"]);
	});

	test("other ports of the Service stay its own", () => {
		const web = service("demo/web", { ports: ["http 80", "admin 8000"] });
		expect(linesOf(planFresh(hubsOf(clusterOf([BL], [web])), SELF), "FRONTEND")).toEqual([
			"10.96.0.1:80/TCP bl:http balancingPod -> 10.0.0.1:8080 10.0.0.2:8080",
			"10.96.0.1:8000/TCP demo/web:admin ServiceClusterIP -> refused",
		]);
	});

	test("what else the cluster IP is asked for is refused with a policy as without", () => {
		const addresses = (policies: readonly Policy[]) => linesOf(planFresh(hubsOf(clusterOf(policies)), SELF), "ADDRESS");
		expect(addresses([LR, BL])).toEqual(addresses([]));
	});
});

describe("of several hubs", () => {
	test.each([
		["the earlier hub's balancing policy before the later one's redirect", [BL_VIP], [LR_VIP], ["bl-vip:http"]],
		["the earlier hub's Service before the later one's policies", [], [LR_VIP, BL_VIP], ["demo/web:http"]],
		["the earlier hub's redirect, and its Service next", [LR], [BL_VIP], ["lr:http", "demo/web:http"]],
		[
			"the earlier hub's policy, whatever the age",
			[{ ...BL_VIP, created: YOUNG }],
			[{ ...BL_VIP, name: "a", created: OLD }],
			["bl-vip:http"],
		],
	])("%s", (_, east, west, expected) => {
		const plan = planFresh(hubsOf(clusterOf(east), clusterOf(west, [])), SELF);
		expect(owners(plan)).toEqual(expected);
	});

	test("a later hub's policy is next where the earlier one has but a redirect", () => {
		expect(owners(planFresh(hubsOf(clusterOf([LR_VIP], []), clusterOf([BL_VIP], [])), SELF))).toEqual([
			"lr-vip:http",
			"bl-vip:http",
		]);
	});

	test("a policy finds its Service and its pods in its own hub alone", () => {
		const plan = planFresh(
			hubsOf(clusterOf([]), cluster({ policies: [BL, balancing("vip", { ip: "169.254.1.1" })] })),
			SELF,
		);
		expect(linesOf(plan, "PROBLEM").map((line) => line.split(":")[0])).toEqual([
			"BalancingPolicy bl spec.frontend.serviceMatcher ServiceNotFound",
			"BalancingPolicy vip spec.backend NoBackends",
		]);
	});
});

describe("Problems", () => {
	function conflicts(...hubs: readonly (readonly Policy[])[]): readonly string[] {
		const plan = planFresh(
			hubsOf(...hubs.map((policies, index) => clusterOf(policies, index === 0 ? [WEB] : []))),
			SELF,
		);
		return linesOf(plan, "PROBLEM").filter((line) => line.includes("FrontendConflict"));
	}

	test("none for whoever a policy is made to go before", () => {
		expect(conflicts([LR, BL])).toEqual([]);
		expect(conflicts([LR_VIP, BL_VIP])).toEqual([]);
		const east = clusterOf([LR_VIP], []);
		const west = clusterOf([BL_VIP], [WEB]);
		expect(linesOf(planFresh(hubsOf(east, west), SELF), "PROBLEM")).toEqual([]);
	});

	test.each([
		["redirect", redirect, "LocalRedirectPolicy"],
		["balancing", balancing, "BalancingPolicy"],
	] as const)("one for the younger of two of a kind, for each address that it does not get: %s", (_, make, kind) => {
		const older = make("z", { ip: "169.254.1.1", ports: ["a 80", "b 81"], to: ["a 1", "b 2"], created: OLD });
		const younger = make("a", { ip: "169.254.1.1", ports: ["b 81", "c 82"], to: ["b 3", "c 4"], created: YOUNG });
		const plan = planFresh(hubsOf(clusterOf([older, younger])), SELF);
		expect(linesOf(plan, "FRONTEND").map((line) => line.split(" ", 2).join(" "))).toEqual([
			"10.96.0.1:80/TCP demo/web:http",
			"169.254.1.1:80/TCP z:a",
			"169.254.1.1:81/TCP z:b",
			"169.254.1.1:82/TCP a:c",
		]);
		const problem = `${kind} a spec.frontend FrontendConflict: 169.254.1.1:81/TCP belongs to ${kind} z (older, or first by name): give the policy another address or port`;
		expect(linesOf(plan, "PROBLEM")).toEqual([problem]);
		expect(plan.policies.get(`${kind} a`)?.problems.length).toBe(1);
		expect(plan.policies.get(`${kind} z`)?.problems).toEqual([]);
		expect(linesOf(plan, "POLICY")).toEqual([
			`${kind} a: frontends 1, backends ${kind === "BalancingPolicy" ? 2 : 1}`,
			`${kind} z: frontends 2, backends ${kind === "BalancingPolicy" ? 4 : 2}`,
		]);
	});

	test("one for the younger of two behind a redirect", () => {
		expect(conflicts([LR, { ...BL, created: OLD }, { ...BL_VIP, created: YOUNG }])).toEqual([
			"BalancingPolicy bl-vip spec.frontend FrontendConflict: 10.96.0.1:80/TCP belongs to BalancingPolicy bl (older, or first by name): give the policy another address or port",
		]);
	});

	test("one for the younger of two Services, whatever policy has the address", () => {
		const other = service("demo/zzz");
		const problems = (policies: readonly Policy[]) =>
			linesOf(planFresh(hubsOf(clusterOf(policies, [WEB, other])), SELF), "PROBLEM");
		expect(problems([]).length).toBe(1);
		expect(problems([BL_VIP])).toEqual(problems([]));
	});

	test("one for the younger of two redirects seen from no host, whether anybody serves or not", () => {
		const whole = { ...selfOf(""), isWholeCluster: true };
		const policies = [
			redirect("z", { ip: "169.254.1.1", pods: "app=gone", created: OLD, outCluster: false }),
			redirect("a", { ip: "169.254.1.1", created: YOUNG, nodes: "tier=edge" }),
		];
		const reasons = (self: typeof whole | typeof SELF) =>
			planFresh(hubsOf(clusterOf(policies)), self).problems.map(({ object, reason }) => `${object} ${reason}`);
		expect(reasons(whole)).toEqual(["LocalRedirectPolicy a FrontendConflict", "LocalRedirectPolicy z NoBackends"]);
		expect(reasons(SELF)).toEqual([]);
	});

	test.each([
		["of one zone each", ["zone=a", false], ["zone=b", false], []],
		["one of them outside as well", ["zone=a", true], ["zone=b", false], []],
		["both of them outside", ["zone=a", true], ["zone=b", true], ["b"]],
		["of the same nodes", ["zone=a", false], ["zone=a", false], ["b"]],
		["one of them on all nodes", ["", false], ["zone=a", false], ["b"]],
	] as const)("seen from no host, of two %s", (_, [nodes, outCluster], [others, isOutside], losers) => {
		const policies = [
			balancing("a", { ip: "169.254.1.1", addresses: ["192.0.2.1"], created: OLD, nodes, outCluster }),
			balancing("b", {
				ip: "169.254.1.1",
				addresses: ["192.0.2.2"],
				created: YOUNG,
				nodes: others,
				outCluster: isOutside,
			}),
		];
		const { problems } = planFresh(hubsOf(clusterOf(policies)), { ...selfOf(""), isWholeCluster: true });
		const found = problems.map(({ object, reason }) => `${object} ${reason}`);
		expect(found).toEqual(losers.map((name) => `BalancingPolicy ${name} FrontendConflict`));
	});

	test("one for a policy whose address an earlier hub's Service has", () => {
		expect(conflicts([], [LR_VIP])).toEqual([
			"LocalRedirectPolicy lr-vip spec.frontend FrontendConflict: 10.96.0.1:80/TCP belongs to Service demo/web of east, an earlier hub: put this hub before it, or give one of the two another address (west)",
		]);
	});
});

describe("as objects come and go", () => {
	test("a redirect appears and disappears with its pod, the Service stays what it is", () => {
		const planner = createPlanner();
		const look = (pods: readonly ReturnType<typeof pod>[]) =>
			planner(hubsOf({ ...clusterOf([LR]), pods: cluster({ pods }).pods }), SELF);
		expect(owners(look([]))).toEqual(["demo/web:http"]);
		expect(owners(look(PODS))).toEqual(["lr:http", "demo/web:http"]);
		expect(owners(look([]))).toEqual(["demo/web:http"]);
	});

	test("a redirect whose last pod is on its way out yields to one that serves, of a later hub too, without a Problem", () => {
		const older = redirect("older", { ip: "10.96.0.1", pods: "app=old", created: OLD });
		const younger = redirect("younger", { ip: "10.96.0.1", created: YOUNG });
		const old = (state: string) => pod(`demo/old ${state} here 10.0.0.7 app=old`);
		const look = (state: string, ...policies: readonly (readonly Policy[])[]) => {
			const clusters = policies.map((each, rank) => ({
				...clusterOf(each, rank === 0 ? [] : [WEB]),
				pods: cluster({ pods: [...PODS, old(state)] }).pods,
			}));
			const plan = planFresh(hubsOf(...clusters), SELF);
			return [...owners(plan), ...plan.problems.map(({ object, reason }) => `${object} ${reason}`)];
		};
		expect(look("ready", [older, younger])).toEqual(["older:http", "LocalRedirectPolicy younger FrontendConflict"]);
		expect(look("draining", [older, younger])).toEqual(["younger:http"]);
		expect(look("draining", [older])).toEqual(["older:http"]);
		expect(look("draining", [older], [younger])).toEqual(["younger:http", "demo/web:http"]);
		expect(look("draining", [older], [])).toEqual(["older:http", "demo/web:http"]);
	});

	test("the next one is always as it would be without the redirect", () => {
		const planner = createPlanner();
		const world = clusterOf([LR]);
		const look = (endpoints: readonly string[]) =>
			renderPlan(
				planner(hubsOf({ ...world, slices: cluster({ slices: [slice("demo/web", endpoints)] }).slices }), SELF),
			).split("\n")[1];
		expect(look(["10.0.0.9"])).toBe("  NEXT demo/web:http ServiceClusterIP -> 10.0.0.9:8080");
		expect(look(["10.0.0.8", "10.0.0.9 draining"])).toBe(
			"  NEXT demo/web:http ServiceClusterIP -> 10.0.0.8:8080 | terminating 10.0.0.9:8080",
		);
		expect(look([])).toBe("  NEXT demo/web:http ServiceClusterIP -> refused");
	});

	test("a deleted policy leaves nothing, and counts again when it is created again", () => {
		const planner = createPlanner();
		const look = (policies: readonly Policy[]) => renderPlan(planner(hubsOf(clusterOf(policies)), SELF));
		const [without, withBoth] = [look([]), look([LR, BL])];
		expect(withBoth).not.toBe(without);
		expect(look([])).toBe(without);
		expect(look([BL, LR])).toBe(withBoth);
	});

	test("a policy that is another object and says the same keeps its chunk, and its state is the new one's", () => {
		const planner = createPlanner();
		const before = planner(hubsOf(clusterOf([BL])), SELF);
		const after = planner(hubsOf(clusterOf([{ ...BL, generation: 2 }])), SELF);
		expect(after.chunks.get("BalancingPolicy bl")).toBe(before.chunks.get("BalancingPolicy bl"));
		expect(after.policies.get("BalancingPolicy bl")?.policy.generation).toBe(2);
	});

	test("what a policy does not look at does not touch it", () => {
		const planner = createPlanner();
		const world = clusterOf([LR, BL]);
		const before = planner(hubsOf(world), SELF);
		const strangers = new Map([...world.pods, ["demo/x", pod("demo/x ready here 10.0.0.7 app=db")]]);
		const after = planner(
			hubsOf({ ...world, pods: strangers, nodes: cluster({ nodes: ["there 192.168.0.2"] }).nodes }),
			SELF,
		);
		for (const key of ["LocalRedirectPolicy lr", "BalancingPolicy bl"])
			expect(after.chunks.get(key)).toBe(before.chunks.get(key));
		expect(after.policies).toBe(before.policies);
	});
});

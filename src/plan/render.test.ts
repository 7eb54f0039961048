// The text and the JSON of a plan are stable.

import { expect, test } from "bun:test";
import { planOf, selfOf } from "../../test/support/plans.ts";
import { balancing, cluster, hubsOf, pod, redirect, service, slice } from "../../test/support/snapshots.ts";
import { planFresh } from "./plan.ts";
import { planToJson, renderFrontend, renderPlan } from "./render.ts";

const PLAN = planOf({
	"demo/z": { "10.96.0.1:80/TCP": "10.0.0.2:80/TCP 10.0.0.1:80/TCP | [fd00::1]:80/TCP" },
	"demo/a": { "[fd00::1]:53/UDP": "", "10.96.0.1:53/UDP": " | 10.0.0.3:53/UDP" },
});

test("renderPlan() sorts by address, not by object", () => {
	expect(renderPlan(PLAN)).toBe(
		[
			"FRONTEND 10.96.0.1:53/UDP demo/a:http ServiceClusterIP -> refused | terminating 10.0.0.3:53\n",
			"FRONTEND 10.96.0.1:80/TCP demo/z:http ServiceClusterIP -> 10.0.0.1:80 10.0.0.2:80 | terminating [fd00::1]:80\n",
			"FRONTEND [fd00::1]:53/UDP demo/a:http ServiceClusterIP -> refused\n",
		].join(""),
	);
});

test("renderPlan() gives nothing for nothing", () => {
	expect(renderPlan(planOf({}))).toBe("");
});

test("planToJson() has the same frontends in the same order", () => {
	const { frontends, problems } = planToJson(PLAN);
	expect(frontends.map(renderFrontend)).toEqual(renderPlan(PLAN).trim().split("\n"));
	expect(frontends.map(({ active }) => active.length)).toEqual([0, 2, 0]);
	expect(problems).toEqual([]);
});

test("renderPlan() shows who is next, limits, weights, policies, guards and probes", () => {
	const healthCheck = {
		probe: { kind: "tcp" },
		interval: 10_000,
		timeout: 2000,
		fails: 3,
		passes: 2,
		panic: 0,
	} as const;
	const plan = planFresh(
		hubsOf(
			cluster({
				services: [service("demo/web")],
				slices: [slice("demo/web", ["10.0.0.9"])],
				pods: [pod("demo/b ready here 10.0.0.2 app=web"), pod("demo/a ready here 10.0.0.1 app=web")],
				policies: [
					redirect("near", { qosLimit: 5 }),
					balancing("db", { ip: "169.254.1.1", addresses: ["192.0.2.1=3", "192.0.2.9"], healthCheck }),
					balancing("edge", { ip: "169.254.1.2", outCluster: false }),
				],
			}),
		),
		selfOf("here"),
	);
	const lines = renderPlan(plan).split("\n");
	expect(lines.filter((line) => !/canary|^$/.test(line))).toEqual([
		"FRONTEND 10.96.0.1:80/TCP near:http localRedirectService limit=5/s -> 10.0.0.1:8080 10.0.0.2:8080",
		"  NEXT demo/web:http ServiceClusterIP -> 10.0.0.9:8080",
		"FRONTEND 169.254.1.1:80/TCP db:http balancingAddress -> 192.0.2.1:8080 x3 192.0.2.9:8080",
		"ADDRESS 10.96.0.1 cluster IP: other ports are refused",
		"POLICY BalancingPolicy db: frontends 1, backends 2",
		"POLICY BalancingPolicy edge: not for this host",
		"POLICY LocalRedirectPolicy near: frontends 1, backends 2",
		"GUARD LocalRedirectPolicy near: demo/a demo/b",
		"PROBE 192.0.2.1:8080/TCP tcp interval=10s timeout=2s fails=3 passes=2 panic=0%",
		"PROBE 192.0.2.9:8080/TCP tcp interval=10s timeout=2s fails=3 passes=2 panic=0%",
	]);
	const { policies, guards, probes } = planToJson(plan);
	expect(policies.map(({ policy, frontends }) => `${policy.name} ${frontends}`)).toEqual(["db 1", "edge 0", "near 1"]);
	expect(guards.map(({ group, pods }) => `${group} ${pods.length}`)).toEqual(["LocalRedirectPolicy near 2"]);
	expect(probes.map(({ address }) => address).join(" ")).toBe("192.0.2.1:8080/TCP 192.0.2.9:8080/TCP");
});

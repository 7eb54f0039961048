// Health checks in a plan: what is probed, and what becomes of backends that have failed.

import { describe, expect, test } from "bun:test";
import { l4, selfOf } from "../../test/support/plans.ts";
import {
	balancing,
	cluster,
	hubsOf,
	linesOf,
	pod,
	port,
	redirect,
	service,
	slice,
} from "../../test/support/snapshots.ts";
import type { HealthCheck } from "../model/health_check.ts";
import { createPlanner, planFresh } from "./plan.ts";
import type { Quarantine } from "./plan_types.ts";
import { checkText, probeKey } from "./probes.ts";

const SELF = selfOf("here");
const TCP: HealthCheck = { probe: { kind: "tcp" }, interval: 10_000, timeout: 2000, fails: 3, passes: 2, panic: 0 };
const TEXT = "tcp interval=10s timeout=2s fails=3 passes=2 panic=0%";

function failed(check: HealthCheck, ...addresses: readonly string[]): Quarantine {
	return new Set(addresses.map((address) => probeKey(l4(address), check)));
}

test.each([
	[TCP, TEXT],
	[
		{ ...TCP, probe: { kind: "http", path: "/healthz" }, interval: 1500, timeout: 500, port: port(8081), panic: 50 },
		"http:/healthz interval=1500ms timeout=500ms fails=3 passes=2 panic=50% port=8081",
	],
	[{ ...TCP, probe: { kind: "dns", name: "example.org" } }, TEXT.replace("tcp", "dns:example.org")],
] as const)("checkText() of %j", (check, text) => {
	expect(checkText(check)).toBe(text);
});

describe("a BalancingPolicy to four addresses", () => {
	const addresses = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"];
	const plan = (panic: number, ...down: readonly string[]) => {
		const healthCheck = { ...TCP, panic };
		const policy = balancing("db", { ip: "169.254.1.1", addresses, healthCheck });
		return planFresh(hubsOf(cluster({ policies: [policy] })), SELF, failed(healthCheck, ...down));
	};
	const [a, b, c, d] = addresses.map((ip) => `${ip}:8080`) as [string, string, string, string];

	test.each([
		["all are well", 0, [], `${a} ${b} ${c} ${d}`],
		["one has failed", 0, [b], `${a} ${c} ${d}`],
		["one is left", 0, [a, b, c], d],
		["none is left: all are used", 0, [a, b, c, d], `${a} ${b} ${c} ${d}`],
		["more than panic are left", 49, [a, b], `${c} ${d}`],
		["no more than panic are left", 50, [a, b], `${a} ${b} ${c} ${d}`],
		["panic 100: never believed", 100, [a], `${a} ${b} ${c} ${d}`],
		["another address has failed", 0, ["192.0.2.9:8080"], `${a} ${b} ${c} ${d}`],
	])("%s", (_, panic, down, backends) => {
		expect(linesOf(plan(panic, ...down), "FRONTEND")).toEqual([
			`169.254.1.1:80/TCP db:http balancingAddress -> ${backends}`,
		]);
	});

	test("all of them are probed, whatever was found", () => {
		const probes = addresses.map((ip) => `${ip}:8080/TCP ${TEXT}`);
		expect(linesOf(plan(0), "PROBE")).toEqual(probes);
		expect(linesOf(plan(0, a, b), "PROBE")).toEqual(probes);
	});

	test("weights are of those that are well", () => {
		const weighted = ["192.0.2.1=2", "192.0.2.2=4", "192.0.2.3=3"];
		const policy = balancing("db", { ip: "169.254.1.1", addresses: [...weighted, "192.0.2.4=0"], healthCheck: TCP });
		const line = (...down: readonly string[]) =>
			linesOf(planFresh(hubsOf(cluster({ policies: [policy] })), SELF, failed(TCP, ...down)), "FRONTEND").join();
		expect(line()).toEndWith(`-> ${a} x2 ${b} x4 ${c} x3 | terminating ${d}`);
		expect(line(c)).toEndWith(`-> ${a} ${b} x2 | terminating ${d}`);
		expect(line(a, b)).toEndWith(`-> ${c} | terminating ${d}`);
	});
});

describe("a Service", () => {
	const web = service("demo/web", { ports: ["http 80 30080"], type: "NodePort", healthCheck: TCP });
	const slices = [slice("demo/web", ["10.0.0.1", "10.0.0.2", "10.0.0.3 draining"])];

	test("leaves out of all its frontends what has failed", () => {
		const plan = planFresh(hubsOf(cluster({ services: [web], slices })), SELF, failed(TCP, "10.0.0.1:8080"));
		expect(linesOf(plan, "FRONTEND")).toEqual([
			"0.0.0.1:30080/TCP demo/web:http ServiceNodeport -> 10.0.0.2:8080 | terminating 10.0.0.3:8080",
			"10.96.0.1:80/TCP demo/web:http ServiceClusterIP -> 10.0.0.2:8080 | terminating 10.0.0.3:8080",
		]);
		expect(linesOf(plan, "PROBE")).toEqual([`10.0.0.1:8080/TCP ${TEXT}`, `10.0.0.2:8080/TCP ${TEXT}`]);
	});

	test("is probed behind a redirect, and not where a policy has taken its address", () => {
		const pods = [pod("demo/web-1 ready here 10.0.0.1 app=web")];
		const asked = (policy: Parameters<typeof cluster>[0]["policies"]) =>
			linesOf(
				planFresh(
					hubsOf(
						cluster({ services: [service("demo/web", { healthCheck: TCP })], slices, pods, policies: policy ?? [] }),
					),
					SELF,
				),
				"PROBE",
			).length;
		expect(asked([])).toBe(2);
		expect(asked([redirect("local")])).toBe(2);
		expect(asked([balancing("all")])).toBe(0);
	});
});

test("what several ask for in the same way is asked once, and as long as one asks", () => {
	const planner = createPlanner();
	const policy = (name: string, fails: number) =>
		balancing(name, { ip: `169.254.1.${name}`, addresses: ["192.0.2.1"], healthCheck: { ...TCP, fails } });
	const probes = (...policies: readonly ReturnType<typeof policy>[]) =>
		planner(hubsOf(cluster({ policies })), SELF).probes;
	const [one, two, other] = [policy("1", 3), policy("2", 3), policy("3", 5)];
	const first = probes(one);
	expect(first.size).toBe(1);
	expect(probes(one, two)).toBe(first);
	expect(probes(one, two, other).size).toBe(2);
	expect(probes(two, other).size).toBe(2);
	expect(probes(other).size).toBe(1);
	expect(probes().size).toBe(0);
});

test("another quarantine touches only those whose backends it names", () => {
	const planner = createPlanner();
	const policies = ["1", "2"].map((name) =>
		balancing(name, { ip: `169.254.1.${name}`, addresses: ["192.0.2.1", `192.0.2.${name}1`], healthCheck: TCP }),
	);
	const hubs = hubsOf(cluster({ policies }));
	const before = planner(hubs, SELF);
	const after = planner(hubs, SELF, failed(TCP, "192.0.2.11:8080"));
	expect(linesOf(after, "FRONTEND")[0]).toEndWith("-> 192.0.2.1:8080");
	expect(after.chunks.get("BalancingPolicy 1")).not.toBe(before.chunks.get("BalancingPolicy 1"));
	expect(after.chunks.get("BalancingPolicy 2")).toBe(before.chunks.get("BalancingPolicy 2"));
	// Of what nobody asks for any more nothing follows.
	expect(planner(hubs, SELF, failed(TCP, "192.0.2.11:8080", "198.51.100.1:80"))).toBe(after);
	expect(linesOf(planner(hubs, SELF), "FRONTEND")).toEqual(linesOf(before, "FRONTEND"));
});

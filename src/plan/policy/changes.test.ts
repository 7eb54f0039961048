// What a planner that remembers makes of objects that change under policies: no frontend keeps what is gone, none is forgotten.

import { describe, expect, test } from "bun:test";
import { selfOf } from "../../../test/support/plans.ts";
import { balancing, cluster, hubsOf, linesOf, pod, redirect, service, slice } from "../../../test/support/snapshots.ts";
import { createPlanner } from "../plan.ts";

const SELF = selfOf("here");
const HERE = "here 192.168.0.1 proxy=203.0.113.1";
const THERE = "there 192.168.0.2 proxy=203.0.113.2";
const PODS = ["demo/a ready here 10.0.0.1", "demo/b ready there 10.0.0.2"].map((text) =>
	pod(`${text} app=web`, { hostPorts: ["8080/TCP"] }),
);

type World = Parameters<typeof cluster>[0];

/** Each look is a round of one planner: the frontends, as `ADDRESS NAME BACKENDS`. */
function watch(base: World) {
	const planner = createPlanner();
	const kept = cluster(base);
	return (changed: World): readonly string[] => {
		const next = cluster({ ...base, ...changed });
		// What did not change is the identical value, as hubs have it.
		const same = (key: keyof World) => (key in changed ? {} : { [key]: kept[key] });
		const snapshot = { ...next, ...same("services"), ...same("slices"), ...same("nodes"), ...same("pods") };
		const plan = planner(hubsOf({ ...snapshot, ...same("policies") }), SELF);
		return linesOf(plan, "FRONTEND").map((line) => line.replace(/ (balancing|Service|localRedirect)\w+ ->/, ""));
	};
}

describe.each([
	["hostPort", "192.168.0.1:8080", "192.168.0.2:8080"],
	["nodeProxy", "203.0.113.1:8080", "203.0.113.2:8080"],
] as const)("%s", (mode, a, b) => {
	const name = "169.254.1.1:80/TCP p:http";

	test("loses the backends of nodes that go, also the last one, and has them again", () => {
		const look = watch({ policies: [balancing("p", { ip: "169.254.1.1", mode })], pods: PODS });
		expect(look({ nodes: [HERE, THERE] })).toEqual([`${name} ${a} ${b}`]);
		expect(look({ nodes: [THERE] })).toEqual([`${name} ${b}`]);
		expect(look({ nodes: [] })).toEqual([`${name} refused`]);
		expect(look({ nodes: [THERE, HERE] })).toEqual([`${name} ${a} ${b}`]);
	});

	test("without any pod nodes come and go all the same", () => {
		const look = watch({ policies: [balancing("p", { ip: "169.254.1.1", mode })] });
		for (const nodes of [[HERE], [HERE, THERE], []]) expect(look({ nodes })).toEqual([`${name} refused`]);
	});
});

test("a Service that goes takes its address from every policy that names it, and gives it back", () => {
	const policies = [
		redirect("lr", { ports: ["http 80"] }),
		balancing("bl", { ports: ["http 80"] }),
		balancing("other", { ports: ["admin 81"], to: ["admin 8081"] }),
		balancing("vip", { ip: "169.254.1.1", addresses: ["192.0.2.1"] }),
	];
	const look = watch({ policies, pods: PODS, slices: [slice("demo/web", ["10.0.0.9"])] });
	const vip = "169.254.1.1:80/TCP vip:http 192.0.2.1:8080";
	const services = [service("demo/web", { ports: ["http 80", "admin 81"] })];
	const all = [
		"10.96.0.1:80/TCP lr:http 10.0.0.1:8080",
		"10.96.0.1:81/TCP other:admin 10.0.0.1:8081 10.0.0.2:8081",
		vip,
	];
	expect(look({ services })).toEqual(all);
	expect(look({ services: [] })).toEqual([vip]);
	expect(look({ services })).toEqual(all);
});

test("a pod that had its address before it was ready serves as soon as it is, and not a moment longer", () => {
	const look = watch({ policies: [balancing("p", { ip: "169.254.1.1" })] });
	const as = (state: string) => look({ pods: [pod(`demo/a ${state} here 10.0.0.1 app=web`)] });
	const name = "169.254.1.1:80/TCP p:http";
	expect(as("unready")).toEqual([`${name} refused`]);
	expect(as("ready")).toEqual([`${name} 10.0.0.1:8080`]);
	expect(as("unready")).toEqual([`${name} refused`]);
});

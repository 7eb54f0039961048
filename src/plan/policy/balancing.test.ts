// BalancingPolicies: which pods and addresses serve, by which way, in which shares.

import { describe, expect, test } from "bun:test";
import { selfOf } from "../../../test/support/plans.ts";
import { balancing, cluster, hubsOf, linesOf, pod } from "../../../test/support/snapshots.ts";
import type { Pod } from "../../model/pod.ts";
import type { RedirectMode } from "../../model/policy.ts";
import { createPlanner, planFresh } from "../plan.ts";

const SELF = selfOf("here");
const NODES = [
	"here 192.168.0.1 192.168.1.1 fd10::1 proxy=203.0.113.1,203.0.113.11,2001:db8::1",
	"there 192.168.0.2 proxy=203.0.113.2",
	"bare",
];

interface World {
	readonly ip?: string;
	readonly mode?: RedirectMode;
	readonly pods?: readonly Pod[];
	readonly addresses?: readonly string[];
	readonly nodes?: readonly string[];
}

function planOf({ ip = "169.254.1.1", mode = "podEndpoint", pods = [], nodes = NODES, addresses }: World) {
	const policy = balancing("p", { ip, mode, ...(addresses === undefined ? {} : { addresses }) });
	return planFresh(hubsOf(cluster({ policies: [policy], pods, nodes })), SELF);
}

/** `10.0.0.1:8080`: what stands behind the arrow. */
function backends(world: World): string {
	const [line = ""] = linesOf(planOf(world), "FRONTEND");
	return line.slice(line.indexOf("-> ") + 3);
}

function problems(world: World): readonly string[] {
	return linesOf(planOf(world), "PROBLEM").map((line) => line.replace("BalancingPolicy p ", ""));
}

const NOBODY =
	"spec.backend NoBackends: 169.254.1.1:80/TCP has no backend for new connections: let a pod that the selector selects become ready and reachable, or delete the policy";

describe("pods, as they are", () => {
	test.each([
		[
			"anywhere, in any namespace",
			["demo/a ready here 10.0.0.2", "other/b ready there 10.0.0.1"],
			"10.0.0.1:8080 10.0.0.2:8080",
		],
		["of no known node", ["demo/a ready elsewhere 10.0.0.1", "demo/b ready - 10.0.0.2"], "10.0.0.1:8080 10.0.0.2:8080"],
		["not the unready", ["demo/a unready here 10.0.0.1", "demo/b ready here 10.0.0.2"], "10.0.0.2:8080"],
		[
			"ready before draining",
			["demo/a draining here 10.0.0.1", "demo/b ready here 10.0.0.2"],
			"10.0.0.2:8080 | terminating 10.0.0.1:8080",
		],
		["draining if none is ready", ["demo/a draining here 10.0.0.1", "demo/b unready here 10.0.0.2"], "10.0.0.1:8080"],
		[
			"draining before stopping",
			["demo/a draining here 10.0.0.1", "demo/b stopping here 10.0.0.2"],
			"10.0.0.1:8080 | terminating 10.0.0.2:8080",
		],
		["stopping keeps flows only", ["demo/a stopping here 10.0.0.1"], "refused | terminating 10.0.0.1:8080"],
		["ended are gone", ["demo/a ended here 10.0.0.1", "demo/b ready here 10.0.0.2"], "10.0.0.2:8080"],
		["of the frontend's family", ["demo/a ready here 10.0.0.1 fd01::1", "demo/b ready here fd01::2"], "10.0.0.1:8080"],
		["none", [], "refused"],
	])("%s", (_, texts, expected) => {
		expect(backends({ pods: texts.map((text) => pod(`${text} app=web`)) })).toBe(expected);
	});

	test("of IPv6", () => {
		expect(backends({ ip: "2001:db8::9", pods: [pod("demo/a ready here 10.0.0.1 fd01::1 app=web")] })).toBe(
			"[fd01::1]:8080",
		);
	});

	test("that the selector selects", () => {
		expect(backends({ pods: [pod("demo/a ready here 10.0.0.1 app=db"), pod("demo/b ready here 10.0.0.2")] })).toBe(
			"refused",
		);
	});

	test("without any: refused, and a Problem", () => {
		expect(problems({})).toEqual([NOBODY]);
		expect(problems({ pods: [pod("demo/a ready here 10.0.0.1 app=web")] })).toEqual([]);
	});
});

describe("hostPort", () => {
	const at = (text: string, ...hostPorts: readonly string[]) => pod(`${text} app=web`, { hostPorts });

	test.each([
		["the node's first address", [at("demo/a ready here 10.0.0.1", "8080/TCP")], "192.168.0.1:8080"],
		[
			"each node once",
			[at("demo/a ready here 10.0.0.1", "8080/TCP"), at("demo/b ready there 10.0.0.2", "8080/TCP")],
			"192.168.0.1:8080 192.168.0.2:8080",
		],
		["one of several", [at("demo/a ready here 10.0.0.1", "81/TCP", "8080/UDP", "8080/TCP")], "192.168.0.1:8080"],
		["its own hostIP", [at("demo/a ready here 10.0.0.1", "192.168.1.1 8080/TCP")], "192.168.1.1:8080"],
		[
			"any address before a hostIP",
			[at("demo/a ready here 10.0.0.1", "192.168.1.1 8080/TCP", "8080/TCP")],
			"192.168.0.1:8080",
		],
		["a hostIP needs no Node", [at("demo/a ready elsewhere 10.0.0.1", "192.0.2.7 8080/TCP")], "192.0.2.7:8080"],
		["a pod that needs no address of its own", [at("demo/a ready here", "8080/TCP")], "192.168.0.1:8080"],
		[
			"draining pods keep flows",
			[at("demo/a ready here 10.0.0.1", "8080/TCP"), at("demo/b draining there 10.0.0.2", "8080/TCP")],
			"192.168.0.1:8080 | terminating 192.168.0.2:8080",
		],
	])("%s", (_, pods, expected) => {
		expect(backends({ mode: "hostPort", pods })).toBe(expected);
	});

	test("of the frontend's family", () => {
		const nodes = ["here fd10::1 192.168.0.1"];
		const pods = [at("demo/a ready here 10.0.0.1", "8080/TCP")];
		expect(backends({ mode: "hostPort", pods, nodes })).toBe("192.168.0.1:8080");
		expect(backends({ ip: "2001:db8::9", mode: "hostPort", pods, nodes })).toBe("[fd10::1]:8080");
		const both = [at("demo/a ready here 10.0.0.1", "192.168.1.1 8080/TCP", "fd10::9 8080/TCP")];
		expect(backends({ mode: "hostPort", pods: both })).toBe("192.168.1.1:8080");
		expect(backends({ ip: "2001:db8::9", mode: "hostPort", pods: both })).toBe("[fd10::9]:8080");
	});

	const PORTS = "spec.backend.serviceEndpoint.toPorts HostPortMissing: One pod is left out:";
	const WAY = "spec.backend.serviceEndpoint Unreachable: One pod is left out:";
	test.each([
		[
			"none",
			at("demo/a ready here 10.0.0.1"),
			`${PORTS} Pod demo/a has no hostPort 8080/TCP: give one of its containers this hostPort`,
		],
		[
			"another number",
			at("demo/a ready here 10.0.0.1", "8081/TCP"),
			`${PORTS} Pod demo/a has no hostPort 8080/TCP: give one of its containers this hostPort`,
		],
		[
			"another protocol",
			at("demo/a ready here 10.0.0.1", "8080/UDP"),
			`${PORTS} Pod demo/a has no hostPort 8080/TCP: give one of its containers this hostPort`,
		],
		[
			"a hostIP of the other family",
			at("demo/a ready here 10.0.0.1", "fd10::1 8080/TCP"),
			`${PORTS} Pod demo/a opens hostPort 8080/TCP at no IPv4 address: give it a hostIP of this family, or none`,
		],
		[
			"no Node",
			at("demo/a ready elsewhere 10.0.0.1", "8080/TCP"),
			`${WAY} There is no Node elsewhere, which Pod demo/a is on: let the hub have Nodes`,
		],
		[
			"no node's name",
			at("demo/a ready - 10.0.0.1", "8080/TCP"),
			`${WAY} Pod demo/a is on no node: let it be scheduled`,
		],
		[
			"a Node without address",
			at("demo/a ready bare 10.0.0.1", "8080/TCP"),
			`${WAY} Node bare of Pod demo/a has no IPv4 address: give it one`,
		],
	])("left out: %s", (_, bad, problem) => {
		const good = at("demo/z ready there 10.0.0.9", "8080/TCP");
		expect(backends({ mode: "hostPort", pods: [bad, good] })).toBe("192.168.0.2:8080");
		expect(problems({ mode: "hostPort", pods: [bad, good] })).toEqual([problem]);
		expect(problems({ mode: "hostPort", pods: [bad] })).toEqual([NOBODY, problem].sort());
	});

	test("one Problem for all pods, with one of them", () => {
		const pods = [
			at("demo/b ready here 10.0.0.1"),
			at("demo/a ready here 10.0.0.2"),
			at("demo/c draining here 10.0.0.3"),
		];
		expect(problems({ mode: "hostPort", pods })[1]).toBe(
			"spec.backend.serviceEndpoint.toPorts HostPortMissing: 2 pods are left out: Pod demo/a has no hostPort 8080/TCP: give one of its containers this hostPort",
		);
	});
});

describe("nodeProxy", () => {
	test.each([
		["all of a node's proxies", ["demo/a ready here"], "203.0.113.11:8080 203.0.113.1:8080"],
		["each once", ["demo/a ready there", "demo/b ready there"], "203.0.113.2:8080"],
		["not of nodes without ready pods", ["demo/a ready there", "demo/b unready here"], "203.0.113.2:8080"],
		["what serves is not terminating", ["demo/a ready there", "demo/b draining there"], "203.0.113.2:8080"],
	])("%s", (_, texts, expected) => {
		expect(backends({ mode: "nodeProxy", pods: texts.map((text) => pod(`${text} app=web`)) })).toBe(expected);
	});

	test("of IPv6", () => {
		expect(backends({ ip: "2001:db8::9", mode: "nodeProxy", pods: [pod("demo/a ready here app=web")] })).toBe(
			"[2001:db8::1]:8080",
		);
	});

	test("without an annotation a Problem", () => {
		const pods = [pod("demo/a ready bare app=web"), pod("demo/b ready there app=web")];
		expect(problems({ mode: "nodeProxy", pods })).toEqual([
			"spec.backend.serviceEndpoint Unreachable: One pod is left out: Node bare of Pod demo/a has no annotation balancing.elf.io/nodeProxyIpv4: set it",
		]);
	});

	test("whatever its pods weigh", () => {
		const pods = [pod("demo/a ready here app=web", { weight: 3 }), pod("demo/b ready there app=web", { weight: 0 })];
		expect(backends({ mode: "nodeProxy", pods })).toBe("203.0.113.11:8080 203.0.113.1:8080 203.0.113.2:8080");
	});
});

describe("addresses", () => {
	test.each([
		["in the order of their texts", ["192.0.2.9", "192.0.2.10"], "192.0.2.10:8080 192.0.2.9:8080"],
		["of the frontend's family", ["192.0.2.1", "2001:db8::1"], "192.0.2.1:8080"],
		["by weight", ["192.0.2.1=3", "192.0.2.2", "192.0.2.3=2"], "192.0.2.1:8080 x3 192.0.2.2:8080 192.0.2.3:8080 x2"],
		["by reduced weight", ["192.0.2.1=100", "192.0.2.2=50"], "192.0.2.1:8080 x2 192.0.2.2:8080"],
		["weight 0 keeps flows", ["192.0.2.1=0", "192.0.2.2"], "192.0.2.2:8080 | terminating 192.0.2.1:8080"],
		["nothing but weight 0", ["192.0.2.1=0"], "refused | terminating 192.0.2.1:8080"],
		["none of the family", ["2001:db8::1"], "refused"],
	])("%s", (_, addresses, expected) => {
		expect(backends({ addresses })).toBe(expected);
	});

	test("none of the family: a Problem", () => {
		expect(problems({ addresses: ["2001:db8::1"] })).toEqual([
			"spec.backend NoBackends: 169.254.1.1:80/TCP has no backend for new connections: give an address of its family with a weight above 0, or delete the policy",
		]);
	});
});

describe("pods of different weights", () => {
	const pods = [
		pod("demo/a ready here 10.0.0.1 app=web", { weight: 4, hostPorts: ["8080/TCP"] }),
		pod("demo/b ready there 10.0.0.2 app=web", { weight: 2, hostPorts: ["8080/TCP"] }),
		pod("demo/c ready bare 10.0.0.3 app=web", { weight: 0 }),
	];

	test.each([
		["podEndpoint", "10.0.0.1:8080 x2 10.0.0.2:8080 | terminating 10.0.0.3:8080"],
		["hostPort", "192.168.0.1:8080 x2 192.168.0.2:8080"],
	] as const)("%s", (mode, expected) => {
		expect(backends({ mode, pods })).toBe(expected);
	});

	test("weigh 1 where nothing is said", () => {
		expect(
			backends({
				pods: [pod("demo/a ready here 10.0.0.1 app=web", { weight: 2 }), pod("demo/b ready here 10.0.0.2 app=web")],
			}),
		).toBe("10.0.0.1:8080 x2 10.0.0.2:8080");
	});

	test("at one address weigh as much as the heaviest, in any order", () => {
		const heavy = pod("demo/a ready here 10.0.0.1 app=web", { weight: 5 });
		const light = pod("demo/b ready here 10.0.0.1 app=web", { weight: 2 });
		const other = pod("demo/c ready here 10.0.0.2 app=web");
		expect(backends({ pods: [heavy, light, other] })).toBe("10.0.0.1:8080 x5 10.0.0.2:8080");
		expect(backends({ pods: [{ ...light, key: "demo/0" }, other, heavy] })).toBe("10.0.0.1:8080 x5 10.0.0.2:8080");
		expect(backends({ pods: [{ ...heavy, key: "demo/0" }, other, light] })).toBe("10.0.0.1:8080 x5 10.0.0.2:8080");
	});

	test("that terminate fall back by weight, too", () => {
		expect(backends({ pods: pods.map((each) => ({ ...each, terminating: true })) })).toBe(
			"10.0.0.1:8080 x2 10.0.0.2:8080 | terminating 10.0.0.3:8080",
		);
	});
});

test("pods, nodes' addresses and proxies may change at any time", () => {
	const planner = createPlanner();
	const policies = (["podEndpoint", "hostPort", "nodeProxy"] as const).map((mode, index) =>
		balancing(mode, { ip: `169.254.1.${index}`, mode }),
	);
	const world = (pods: readonly string[], nodes: readonly string[]) =>
		linesOf(
			planner(
				hubsOf(
					cluster({ policies, nodes, pods: pods.map((text) => pod(`${text} app=web`, { hostPorts: ["8080/TCP"] })) }),
				),
				SELF,
			),
			"FRONTEND",
		).map((line) => line.slice(line.indexOf("-> ") + 3));
	const first = "here 192.168.0.1 proxy=203.0.113.1";
	expect(world(["demo/a ready here 10.0.0.1"], [first])).toEqual([
		"10.0.0.1:8080",
		"192.168.0.1:8080",
		"203.0.113.1:8080",
	]);
	expect(world(["demo/a ready here 10.0.0.1"], ["here 192.168.0.7 proxy=203.0.113.7"])).toEqual([
		"10.0.0.1:8080",
		"192.168.0.7:8080",
		"203.0.113.7:8080",
	]);
	expect(world(["demo/a ready here 10.0.0.2"], [first])).toEqual([
		"10.0.0.2:8080",
		"192.168.0.1:8080",
		"203.0.113.1:8080",
	]);
	expect(world([], [first])).toEqual(["refused", "refused", "refused"]);
	expect(world(["demo/a ready here 10.0.0.1"], [])).toEqual(["10.0.0.1:8080", "refused", "refused"]);
});

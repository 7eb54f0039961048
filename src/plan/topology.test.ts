// Hints: which ready endpoints are for clients on this node (kube-proxy's pkg/proxy/topology.go).

import { describe, expect, test } from "bun:test";
import { selfOf } from "../../test/support/plans.ts";
import { cluster, hubsOf, linesOf, service, slice } from "../../test/support/snapshots.ts";
import type { Cluster, Service } from "../model/cluster.ts";
import { createPlanner, planFresh } from "./plan.ts";

const HERE = ["here 192.168.0.1 zone=a"];

function snapshot(
	endpoints: readonly string[],
	nodes: readonly string[] = HERE,
	fields: Partial<Service> = {},
): Cluster {
	return cluster({ services: [{ ...service("demo/web"), ...fields }], slices: [slice("demo/web", endpoints)], nodes });
}

/** What is behind the arrow; endpoints are 10.0.0.N:8080. */
function shownBy(plan: ReturnType<typeof planFresh>): string {
	return (
		linesOf(plan, "FRONTEND")[0]
			?.split(" -> ")[1]
			?.replaceAll(/10\.0\.0\.(\d+):8080/g, "$1") ?? ""
	);
}

const chosen = (...given: Parameters<typeof snapshot>) =>
	shownBy(planFresh(hubsOf(snapshot(...given)), selfOf("here")));

describe("hints", () => {
	test.each<[string, readonly string[], string]>([
		["zones: those of ours", ["10.0.0.1 ready x zones=a", "10.0.0.2 ready y zones=b"], "1 | terminating 2"],
		["zones: several may share an endpoint", ["10.0.0.1 ready x zones=a,b", "10.0.0.2 ready y zones=b,a"], "1 2"],
		["zones: none is for ours", ["10.0.0.1 ready x zones=b", "10.0.0.2 ready y zones=c"], "1 2"],
		["zones: one has none", ["10.0.0.1 ready x zones=a", "10.0.0.2 ready y"], "1 2"],
		[
			"zones: an unready one has none",
			["10.0.0.1 ready x zones=a", "10.0.0.2 ready y zones=b", "10.0.0.3 unready y"],
			"1 | terminating 2",
		],
		[
			"nodes before zones",
			["10.0.0.1 ready x zones=a nodes=there", "10.0.0.2 ready y zones=b nodes=here"],
			"2 | terminating 1",
		],
		[
			"nodes: none is for us, zones are asked",
			["10.0.0.1 ready x zones=a nodes=there", "10.0.0.2 ready y zones=b nodes=far"],
			"1 | terminating 2",
		],
		[
			"nodes: one has none, zones are asked",
			["10.0.0.1 ready x zones=a nodes=here", "10.0.0.2 ready y zones=a"],
			"1 2",
		],
		["none ready: topology is ignored", ["10.0.0.1 draining x zones=a", "10.0.0.2 draining y zones=b"], "1 2"],
		[
			"draining ones of ours are no substitute for ready ones elsewhere",
			["10.0.0.1 draining x zones=a", "10.0.0.2 ready y zones=b"],
			"2 | terminating 1",
		],
	])("%s", (_, endpoints, expected) => {
		expect(chosen(endpoints)).toBe(expected);
	});

	test.each([
		["without our own Node", ["there 192.168.0.2 zone=a"]],
		["without any Node", []],
		["without a zone of our own", ["here 192.168.0.1"]],
	])("for zones do not count %s", (_, nodes) => {
		expect(chosen(["10.0.0.1 ready x zones=a", "10.0.0.2 ready y zones=b"], nodes)).toBe("1 2");
	});

	test("for nodes need no Node", () => {
		expect(chosen(["10.0.0.1 ready x nodes=here", "10.0.0.2 ready y nodes=there"], [])).toBe("1 | terminating 2");
	});

	test("are not asked by traffic policy Local", () => {
		const local = { internalTrafficPolicy: "Local" } as const;
		expect(chosen(["10.0.0.1 ready here zones=b", "10.0.0.2 ready there zones=a"], HERE, local)).toBe("1");
	});

	test("count for each family and port on its own", () => {
		const web = service("demo/web", { ips: ["10.96.0.1", "fd00::1"], ports: ["http 80", "alt 81"] });
		const slices = [
			slice("demo/web", ["10.0.0.1 ready x zones=a", "10.0.0.2 ready y zones=b"]),
			slice("demo/web", ["10.0.0.3 ready x"], ["alt 8080"]),
			slice("demo/web", ["10.0.0.4 ready x zones=a", "10.0.0.5 ready y zones=b"], ["alt 8080"]),
			slice("demo/web", ["fd01::1 ready x", "fd01::2 ready y zones=a"]),
		];
		const plan = planFresh(hubsOf(cluster({ services: [web], slices, nodes: HERE })), selfOf("here"));
		expect(linesOf(plan, "FRONTEND").map((line) => line.split(" -> ")[1])).toEqual([
			"10.0.0.1:8080 | terminating 10.0.0.2:8080",
			"10.0.0.3:8080 10.0.0.4:8080 10.0.0.5:8080",
			"[fd01::1]:8080 [fd01::2]:8080",
			"refused",
		]);
	});

	test("of merged Services: each cluster's are asked with our zone in it, the first with ready ones has the connections", () => {
		const global = { global: true } as const;
		const east = snapshot(["10.0.0.1 ready x zones=a", "10.0.0.2 ready y zones=b"], [], global);
		const west = snapshot(["10.0.0.3 ready x zones=a", "10.0.0.4 ready y zones=b"], HERE, global);
		expect(shownBy(planFresh(hubsOf(east, west), selfOf("here")))).toBe("1 2 | terminating 3 4");
		expect(shownBy(planFresh(hubsOf(west, east), selfOf("here")))).toBe("3 | terminating 1 2 4");
	});
});

describe("createPlanner()", () => {
	test("another zone concerns those whose endpoints have hints, and only them", () => {
		const planner = createPlanner();
		const services = [service("demo/web"), service("demo/plain", { ips: ["10.96.0.2"] })];
		const hinted = slice("demo/web", ["10.0.0.1 ready x zones=a", "10.0.0.2 ready y zones=b"]);
		const base = cluster({ services, slices: [hinted, slice("demo/plain", ["10.0.0.3"])], nodes: HERE });
		const at = (...nodes: readonly string[]) =>
			planner(hubsOf({ ...base, nodes: cluster({ nodes }).nodes }), selfOf("here"));
		const first = at(...HERE);
		expect(shownBy(first)).toBe("1 | terminating 2");
		const heartbeat = at(...HERE, "there 192.168.0.2 zone=b");
		expect(heartbeat).toBe(first);
		const moved = at("here 192.168.0.1 zone=b");
		expect(shownBy(moved)).toBe("2 | terminating 1");
		expect(moved.chunks.get("demo/plain")).toBe(first.chunks.get("demo/plain"));
	});
});

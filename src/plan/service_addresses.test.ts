// At which addresses a Service is opened, and what their frontends are.

import { describe, expect, test } from "bun:test";
import { selfOf } from "../../test/support/plans.ts";
import { cluster, hubsOf, linesOf, service, slice } from "../../test/support/snapshots.ts";
import type { Service } from "../model/cluster.ts";
import { planFresh } from "./plan.ts";
import type { Self } from "./plan_types.ts";

const SELF = selfOf("here");
const PODS = slice("demo/web", ["10.0.0.1 ready here", "10.0.0.2 ready there"], ["http 8080", "dns 5353/UDP"]);

function planned(services: readonly Service[], self: Self = SELF) {
	return planFresh(hubsOf(cluster({ services, slices: [PODS] })), self);
}

const frontends = (...services: readonly Service[]) => linesOf(planned(services), "FRONTEND");
const problems = (services: readonly Service[], self?: Self) => linesOf(planned(services, self), "PROBLEM");
const BOTH = "10.0.0.1:8080 10.0.0.2:8080";

describe("frontends", () => {
	test("stand at ingress and external IPs as well", () => {
		const web = service("demo/web", { ingress: ["203.0.113.1"], externalIps: ["203.0.113.2"] });
		expect(frontends(web)).toEqual([
			`10.96.0.1:80/TCP demo/web:http ServiceClusterIP -> ${BOTH}`,
			`203.0.113.1:80/TCP demo/web:http ServiceLoadbalancer -> ${BOTH}`,
			`203.0.113.2:80/TCP demo/web:http ServiceExternalIP -> ${BOTH}`,
		]);
	});

	test("stand at each node port, in each family, TCP and UDP", () => {
		const web = service("demo/web", { ips: ["10.96.0.1", "fd00::1"], ports: ["http 80 30080", "dns 53/UDP 30080"] });
		expect(frontends(web)).toEqual([
			"0.0.0.1:30080/TCP demo/web:http ServiceNodeport -> 10.0.0.1:8080 10.0.0.2:8080",
			"0.0.0.1:30080/UDP demo/web:dns ServiceNodeport -> 10.0.0.1:5353 10.0.0.2:5353",
			"10.96.0.1:53/UDP demo/web:dns ServiceClusterIP -> 10.0.0.1:5353 10.0.0.2:5353",
			"10.96.0.1:80/TCP demo/web:http ServiceClusterIP -> 10.0.0.1:8080 10.0.0.2:8080",
			"[100::1]:30080/TCP demo/web:http ServiceNodeport -> refused",
			"[100::1]:30080/UDP demo/web:dns ServiceNodeport -> refused",
			"[fd00::1]:53/UDP demo/web:dns ServiceClusterIP -> refused",
			"[fd00::1]:80/TCP demo/web:http ServiceClusterIP -> refused",
		]);
	});

	test("traffic policy Local of each kind is for its own kind, and external ones are short-circuited", () => {
		const local = { ports: ["http 80 30080"], ingress: ["203.0.113.1"], externalIps: ["203.0.113.2"] };
		const policies = { internalTrafficPolicy: "Local", externalPolicy: "Local" } as const;
		expect(frontends(service("demo/web", { ...local, ...policies }))).toEqual([
			`0.0.0.1:30080/TCP demo/web:http ServiceNodeport own-node-only -> ${BOTH}`,
			"10.96.0.1:80/TCP demo/web:http ServiceClusterIP -> 10.0.0.1:8080",
			`203.0.113.1:80/TCP demo/web:http ServiceLoadbalancer -> ${BOTH}`,
			`203.0.113.2:80/TCP demo/web:http ServiceExternalIP -> ${BOTH}`,
		]);
	});

	test("an address that is several things at once is the first of them", () => {
		const same = {
			ips: ["10.96.0.1"],
			ingress: ["10.96.0.1", "203.0.113.1"],
			externalIps: ["203.0.113.1", "10.96.0.1"],
		};
		expect(frontends(service("demo/web", same))).toEqual([
			`10.96.0.1:80/TCP demo/web:http ServiceClusterIP -> ${BOTH}`,
			`203.0.113.1:80/TCP demo/web:http ServiceLoadbalancer -> ${BOTH}`,
		]);
		expect(problems([service("demo/web", same)])).toEqual([]);
	});

	test("a Service that no cluster IP leads to has none at all", () => {
		const outside = { ports: ["http 80 30080"], ingress: ["203.0.113.1"], externalIps: ["203.0.113.2"] };
		for (const fields of [{ ips: [] }, { type: "ExternalName" }, { otherProxy: true }] as const) {
			const plan = planned([service("demo/web", { ...outside, ...fields })]);
			expect(linesOf(plan, "FRONTEND")).toEqual([]);
			expect(linesOf(plan, "ADDRESS")).toEqual([]);
			expect(linesOf(plan, "PROBLEM")).toEqual([]);
		}
	});

	test("an external address of a family that the Service does not have is a Problem, an ingress address is nobody's fault", () => {
		const web = service("demo/web", { ingress: ["fd00::9"], externalIps: ["fd00::8", "203.0.113.2"] });
		expect(frontends(web)).toEqual([
			`10.96.0.1:80/TCP demo/web:http ServiceClusterIP -> ${BOTH}`,
			`203.0.113.2:80/TCP demo/web:http ServiceExternalIP -> ${BOTH}`,
		]);
		expect(problems([web])).toEqual([
			"Service demo/web spec.externalIPs InvalidObject: fd00::8 is IPv6, and the Service has no cluster IP of this family: add the family to spec.ipFamilies, or leave the address out",
		]);
	});

	test("external IPs are left alone if the agent is told to", () => {
		const web = service("demo/web", { ingress: ["203.0.113.1"], externalIps: ["203.0.113.2", "fd00::8"] });
		const plan = planned([web], { ...SELF, refusesExternalIps: true });
		expect(linesOf(plan, "FRONTEND")).toEqual([
			`10.96.0.1:80/TCP demo/web:http ServiceClusterIP -> ${BOTH}`,
			`203.0.113.1:80/TCP demo/web:http ServiceLoadbalancer -> ${BOTH}`,
		]);
		expect(linesOf(plan, "PROBLEM")).toEqual([
			"Service demo/web spec.externalIPs Refused: 203.0.113.2, fd00::8 are left alone, because this agent refuses external IPs: use a Service of type LoadBalancer",
		]);
	});

	test("nobody gets the addresses that stand for node ports", () => {
		const thief = service("demo/web", { ips: ["0.0.0.1", "100::1"], externalIps: ["0.0.0.1"] });
		expect(frontends(thief)).toEqual([]);
		expect(problems([thief])).toHaveLength(3);
		expect(problems([thief])[0]).toBe(
			"Service demo/web spec.clusterIPs Unsupported: 0.0.0.1 is one of the addresses that stand for node ports here: give the Service another one",
		);
	});
});

describe("marks", () => {
	test("affinity is shared by the addresses of one port in one family, and by nobody else", () => {
		const affinity = { seconds: 10800, client: "netns" } as const;
		const fields = { affinity, ips: ["10.96.0.1", "fd00::1"], ports: ["http 80 30080", "dns 53/UDP"] };
		const { chunks } = planned([service("demo/web", { ...fields, ingress: ["203.0.113.1"] })]);
		const all = chunks.get("demo/web")?.frontends ?? [];
		expect(
			all.map(({ address, affinity: given }) => `${address} ${given?.group} ${given?.seconds} ${given?.client}`),
		).toEqual([
			"0.0.0.1:30080/TCP demo/web:http/TCP IPv4 10800 netns",
			"10.96.0.1:53/UDP demo/web:dns/UDP IPv4 10800 netns",
			"10.96.0.1:80/TCP demo/web:http/TCP IPv4 10800 netns",
			"203.0.113.1:53/UDP demo/web:dns/UDP IPv4 10800 netns",
			"203.0.113.1:80/TCP demo/web:http/TCP IPv4 10800 netns",
			"[100::1]:30080/TCP demo/web:http/TCP IPv6 10800 netns",
			"[fd00::1]:53/UDP demo/web:dns/UDP IPv6 10800 netns",
			"[fd00::1]:80/TCP demo/web:http/TCP IPv6 10800 netns",
		]);
		expect(linesOf(planned([service("demo/web", { affinity })]), "FRONTEND")).toEqual([
			`10.96.0.1:80/TCP demo/web:http ServiceClusterIP affinity=netns/10800s -> ${BOTH}`,
		]);
	});

	test("Services of one name in two hubs share what is known of their clients only if they are merged", () => {
		const affinity = { seconds: 60, client: "cgroup" } as const;
		const groupsOf = (global: boolean) => {
			const east = cluster({ services: [service("demo/web", { affinity, global })] });
			const west = cluster({ services: [service("demo/web", { affinity, global, ips: ["10.97.0.1"] })] });
			const { chunks } = planFresh(hubsOf(east, west), SELF);
			return [...chunks.values()].flatMap((chunk) => chunk.frontends.flatMap((each) => each.affinity?.group ?? []));
		};
		expect(groupsOf(true)).toEqual(["demo/web:http/TCP IPv4 global", "demo/web:http/TCP IPv4 global"]);
		expect(groupsOf(false)).toEqual(["demo/web:http/TCP IPv4", "demo/web:http/TCP IPv4 of west"]);
	});

	test.each([
		[{ closeOnRemove: "all" }, " close-on-remove=all"],
		[{ closeOnRemove: "none" }, " close-on-remove=none"],
		// What is to be closed must be known.
		[{ closeOnRemove: "all", peerAddress: "backend" }, " close-on-remove=all"],
		[{ closeOnRemove: "none", peerAddress: "backend" }, " peer-address=backend close-on-remove=none"],
		[{}, ""],
	] as const)("%j", (fields, marks) => {
		expect(frontends(service("demo/web", fields))).toEqual([
			`10.96.0.1:80/TCP demo/web:http ServiceClusterIP${marks} -> ${BOTH}`,
		]);
	});
});

describe("conflicts", () => {
	const old = { created: "2020-01-01T00:00:00Z" };
	test("say which field they are about", () => {
		const web = { ports: ["http 80", "alt 81 30080"], ingress: ["203.0.113.1"], externalIps: ["203.0.113.2"] };
		const all = [service("demo/old", { ...web, ...old }), service("demo/web", web)];
		expect(problems(all)).toEqual([
			...["10.96.0.1:80/TCP", "10.96.0.1:81/TCP"].map((address) => lost("spec.clusterIPs", address)),
			...["203.0.113.1:80/TCP", "203.0.113.1:81/TCP"].map((address) => lost("status.loadBalancer.ingress", address)),
			...["203.0.113.2:80/TCP", "203.0.113.2:81/TCP"].map((address) => lost("spec.externalIPs", address)),
			lost("spec.ports[1].nodePort", "Node port 30080/TCP", "another node port"),
		]);
	});

	function lost(field: string, what: string, fix = "another address or port"): string {
		return `Service demo/web ${field} FrontendConflict: ${what} belongs to Service demo/old (older, or first by name): give the Service ${fix}`;
	}

	test.each([
		["externalIps", { externalIps: ["10.96.0.9"] }, "spec.externalIPs", "an external IP"],
		["ingress", { ingress: ["10.96.0.9"] }, "status.loadBalancer.ingress", "a load balancer's address"],
	])("an older Service takes nobody's cluster IP by %s", (_, fields, field, kind) => {
		const thief = service("demo/thief", { ips: ["10.96.0.1"], ports: ["http 80"], ...fields, ...old });
		const web = service("demo/web", { ips: ["10.96.0.9"], ports: ["http 80"] });
		for (const services of [
			[thief, web],
			[web, thief],
		]) {
			const plan = planFresh(hubsOf(cluster({ services })), SELF);
			expect(linesOf(plan, "FRONTEND")).toContain("10.96.0.9:80/TCP demo/web:http ServiceClusterIP -> refused");
			expect(linesOf(plan, "PROBLEM")).toEqual([
				`Service demo/thief ${field} FrontendConflict: 10.96.0.9:80/TCP belongs to Service demo/web (a cluster IP goes before ${kind}): give the Service another address or port`,
			]);
		}
	});

	test("an older Service takes no load balancer's address by externalIPs", () => {
		const thief = service("demo/thief", {
			ips: ["10.96.0.1"],
			ports: ["http 80"],
			externalIps: ["203.0.113.1"],
			...old,
		});
		const web = service("demo/web", { ips: ["10.96.0.9"], ports: ["http 80"], ingress: ["203.0.113.1"] });
		expect(problems([thief, web])).toEqual([
			"Service demo/thief spec.externalIPs FrontendConflict: 203.0.113.1:80/TCP belongs to Service demo/web (a load balancer's address goes before an external IP): give the Service another address or port",
		]);
	});

	test("there is none about node ports of two hubs", () => {
		const clusters = ["10.96.0.1", "10.97.0.1"].map((at) =>
			cluster({ services: [service("demo/web", { ips: [at], ports: ["http 80 30080"] })] }),
		);
		const plan = planFresh(hubsOf(...clusters), SELF);
		expect(linesOf(plan, "PROBLEM")).toEqual([]);
		expect(linesOf(plan, "FRONTEND").slice(0, 2)).toEqual([
			"0.0.0.1:30080/TCP demo/web:http ServiceNodeport -> refused",
			"0.0.0.2:30080/TCP demo/web:http ServiceNodeport -> refused",
		]);
	});

	test("a node port that stands twice in a Service is a Problem, and the first one is used", () => {
		const web = service("demo/web", { ports: ["http 80 30080", "dns 81 30080"] });
		expect(frontends(web).slice(0, 1)).toEqual([`0.0.0.1:30080/TCP demo/web:http ServiceNodeport -> ${BOTH}`]);
		expect(problems([web])).toEqual([
			"Service demo/web spec.ports[1].nodePort InvalidObject: 30080/TCP stands here twice: the first one is used",
		]);
	});
});

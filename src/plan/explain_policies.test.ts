// Connections that policies decide, case by case: what a person reads.

import { describe, expect, test } from "bun:test";
import { type Asked, told } from "../../test/support/explained.ts";
import {
	balancing,
	cluster,
	hubsOf,
	ip,
	type Objects,
	pod,
	redirect,
	service,
	slice,
} from "../../test/support/snapshots.ts";
import { parseL4Address } from "../model/address.ts";
import type { HealthCheck } from "../model/health_check.ts";
import { probeKey } from "./probes.ts";

const one = (objects: Objects) => hubsOf(cluster(objects));
const last = (...args: Parameters<typeof told>) => told(...args).at(-1);

const DNS = service("kube-system/kube-dns", { ips: ["10.96.0.10", "fd00::10"], ports: ["dns 53/UDP"] });
const DNS_SLICES = [slice("kube-system/kube-dns", ["10.0.1.1 ready there"], ["dns 53/UDP"])];
const TO_CACHE = { service: "kube-system/kube-dns", ports: ["dns 53/UDP"], to: ["dns 5353/UDP"], pods: "app=cache" };
const CACHE = redirect("cache", TO_CACHE);
const CACHE_POD = pod("kube-system/cache ready here 10.0.0.1 app=cache");
const OLD = "2024-01-01T00:00:00Z";

describe("a redirect", () => {
	const world = { services: [DNS], slices: DNS_SLICES, policies: [CACHE], pods: [CACHE_POD] };
	const there = [
		pod("kube-system/there ready there 10.0.0.2 app=cache"),
		pod("demo/late unready here 10.0.0.3 app=cache"),
	];
	const REDIRECTED =
		"10.96.0.10:53/UDP (a port of Service kube-system/kube-dns) is redirected by LocalRedirectPolicy cache, port dns 53/UDP to dns 5353/UDP of ready Pods on this node";
	const BEFORE_SERVICE =
		"Service kube-system/kube-dns wants it as well: LocalRedirectPolicy cache goes before, as every policy goes before Services";

	test("leads to ready Pods on this node, and says where its own go", () => {
		expect(told(one({ ...world, pods: [CACHE_POD, ...there] }), "10.96.0.10:53/UDP")).toEqual([
			REDIRECTED,
			BEFORE_SERVICE,
			"Its own Pods (kube-system/cache) are not redirected, and would connect to 10.0.1.1:53/UDP: Service kube-system/kube-dns has it next",
			"  Pod demo/late on node here: not used (not ready)",
			"  Pod kube-system/cache at 10.0.0.1:5353/UDP on node here: new connections (ready)",
			"  Pod kube-system/there on node there: not used (not on this node)",
			"would connect to 10.0.0.1:5353/UDP, because LocalRedirectPolicy cache has 1 ready Pod on this node",
		]);
	});

	test("leaves to a Pod that terminates the flows that it has", () => {
		const old = pod("kube-system/old draining here 10.0.0.4 app=cache");
		expect(told(one({ ...world, pods: [CACHE_POD, old] }), "10.96.0.10:53/UDP").at(-2)).toBe(
			"  Pod kube-system/old at 10.0.0.4:5353/UDP on node here: only UDP flows that it has (terminating)",
		);
	});

	test("is not for its own Pods", () => {
		expect(told(one(world), "10.96.0.10:53/UDP", { pod: "kube-system/cache" })).toEqual([
			REDIRECTED,
			BEFORE_SERVICE,
			"Pod kube-system/cache is one of its own: it is not redirected",
			"  10.0.1.1:53/UDP on node there: new connections (ready)",
			"would connect to 10.0.1.1:53/UDP, because the client is a Pod of LocalRedirectPolicy cache itself, and Service kube-system/kube-dns has 1 endpoint for new connections",
		]);
		expect(last(one(world), "10.96.0.10:53/UDP", { pod: "demo/app" })).toStartWith(
			"would connect to 10.0.0.1:5353/UDP, ",
		);
	});

	test("of an address that nobody else has leaves its own Pods to the address", () => {
		const policies = [redirect("proxy", { ip: "169.254.77.7", pods: "app=cache" })];
		expect(last(one({ policies, pods: [CACHE_POD] }), "169.254.77.7:80", { pod: "kube-system/cache" })).toBe(
			"would connect to 169.254.77.7:80/TCP as it is, because the client is a Pod of LocalRedirectPolicy proxy itself, and nobody else has 169.254.77.7:80/TCP, and 169.254.77.7 is no cluster IP and no node's address with node ports",
		);
	});

	test("leaves its own Pods to what would be without it: a refused port, a node port", () => {
		const services = [service("demo/web", { ports: ["http 80 30080"] })];
		const policies = [
			redirect("odd", { ip: "10.96.0.1", ports: ["http 81"], pods: "app=cache" }),
			redirect("node", { ip: "192.168.0.2", ports: ["http 30080"], pods: "app=cache" }),
		];
		const nodes = ["here 192.168.0.1", "there 192.168.0.2"];
		const objects = { services, nodes, policies, pods: [CACHE_POD], slices: [slice("demo/web", ["10.0.2.1"])] };
		const asked = { pod: "kube-system/cache" };
		expect(last(one(objects), "10.96.0.1:81", asked)).toStartWith("would be refused with ECONNREFUSED, ");
		expect(last(one(objects), "192.168.0.2:30080", asked)).toStartWith("would connect to 10.0.2.1:8080/TCP, ");
		expect(last(one(objects), "192.168.0.2:30080")).toStartWith("would connect to 10.0.0.1:8080/TCP, ");
	});

	test.each([
		["its own", { qosLimit: 5 }, 5, "balancing.elf.io/redirect-qos-limit"],
		["the agent's", {}, 100, "--redirect-qos-limit"],
	])("with a limit, %s, leaves to the next what is over it", (_, fields, limit, origin) => {
		const hubs = one({ ...world, policies: [redirect("cache", { ...TO_CACHE, ...fields })] });
		const lines = told(hubs, "10.96.0.10:53/UDP", { self: { redirectLimit: 100 } });
		expect(lines).toContain(
			`No more than ${limit} connections a second are redirected (${origin}): others would connect to 10.0.1.1:53/UDP: Service kube-system/kube-dns has it next`,
		);
		expect(lines.at(-1)).toBe(
			`would connect to 10.0.0.1:5353/UDP, because LocalRedirectPolicy cache has 1 ready Pod on this node; what is over ${limit} a second would connect to 10.0.1.1:53/UDP`,
		);
	});

	test("with limit 0 has none, whatever the agent's is", () => {
		const hubs = one({ ...world, policies: [redirect("cache", { ...TO_CACHE, qosLimit: 0 })] });
		expect(last(hubs, "10.96.0.10:53/UDP", { self: { redirectLimit: 7 } })).not.toContain("a second");
	});

	const none = "no Pod on this node (here) that it selects is ready, with an address";
	test.each<[string, Objects, string, string]>([
		["there is no Pod", { pods: [] }, "10.96.0.10:53/UDP", none],
		["the Pods are on another node", { pods: there }, "10.96.0.10:53/UDP", none],
		["the Pod terminates", { pods: [pod("a/b draining here 10.0.0.1 app=cache")] }, "10.96.0.10:53/UDP", none],
		["the Pod has ended", { pods: [{ ...CACHE_POD, finished: true }] }, "10.96.0.10:53/UDP", none],
		[
			"no Pod has an address of the family",
			{},
			"[fd00::10]:53/UDP",
			"no ready Pod on this node (here) that it selects has an IPv6 address",
		],
		[
			"it has no partner for the port",
			{ policies: [redirect("cache", { ...TO_CACHE, to: ["domain 53/UDP"] })] },
			"10.96.0.10:53/UDP",
			"its backend has no UDP port of the name dns (PortsDoNotMatch)",
		],
		[
			"its nodes are others",
			{
				nodes: ["here 192.168.0.1 labels=tier:core"],
				policies: [redirect("cache", { ...TO_CACHE, nodes: "tier=edge" })],
			},
			"10.96.0.10:53/UDP",
			"it is for other nodes: its nodeLabelSelector does not select here",
		],
		[
			"it is not for hosts outside",
			{ nodes: ["there 192.168.0.1"], policies: [redirect("cache", { ...TO_CACHE, outCluster: false })] },
			"10.96.0.10:53/UDP",
			"it is not for hosts outside of the cluster, and there is no Node here",
		],
	])("where %s leaves the address to the Service", (_, objects, target, why) => {
		const [first, second] = told(one({ ...world, ...objects }), target);
		expect(first).toBe(`LocalRedirectPolicy cache has ${target}, but ${why}`);
		expect(second).toBe(`${target} is a cluster IP of Service kube-system/kube-dns, port dns 53/UDP`);
	});

	test("that is idle leaves the address to a younger one, which has ready Pods", () => {
		const policies = [redirect("cache", { ...TO_CACHE, created: OLD, pods: "app=none" }), redirect("young", TO_CACHE)];
		expect(told(one({ ...world, policies }), "10.96.0.10:53/UDP").slice(0, 2)).toEqual([
			"LocalRedirectPolicy cache has 10.96.0.10:53/UDP, but no Pod on this node (here) that it selects is ready, with an address",
			REDIRECTED.replace("LocalRedirectPolicy cache", "LocalRedirectPolicy young"),
		]);
	});

	test("goes before a BalancingPolicy, which is next then, and before the Service", () => {
		const policies = [CACHE, balancing("far", { ...TO_CACHE, pods: "app=cache", created: OLD })];
		const pods = [CACHE_POD, ...there];
		const lines = told(one({ ...world, policies, pods }), "10.96.0.10:53/UDP");
		expect(lines.slice(0, 4)).toEqual([
			REDIRECTED,
			"BalancingPolicy far wants it as well: LocalRedirectPolicy cache goes before, as a redirect goes before a BalancingPolicy",
			BEFORE_SERVICE,
			"Its own Pods (kube-system/cache) are not redirected, and would connect to 10.0.0.1:5353/UDP or 10.0.0.2:5353/UDP: BalancingPolicy far has it next",
		]);
	});
});

describe("a BalancingPolicy", () => {
	const web = service("demo/web");
	const nodes = ["here 192.168.0.1", "a 192.168.0.2 fd02::2 proxy=203.0.113.2"];
	const pods = [
		pod("demo/a ready a 10.0.0.1 fd01::1 app=web", { hostPorts: ["8080/TCP"], weight: 3 }),
		pod("demo/b draining here 10.0.0.2 app=web", { hostPorts: ["192.0.2.9 8080/TCP"] }),
		pod("demo/c ready here 10.0.0.3 app=web", { weight: 0 }),
		pod("demo/d stopping a 10.0.0.4 app=web", { hostPorts: ["8080/UDP", "fd02::9 8080/TCP"] }),
		pod("demo/e unready a 10.0.0.5 app=web", { hostPorts: ["8080/TCP"] }),
		pod("demo/f ready - 10.0.0.6 app=db"),
	];
	const world = { services: [web], nodes, pods };

	test.each([
		[
			"podEndpoint",
			[
				"  Pod demo/a at 10.0.0.1:8080/TCP on node a: new connections, weight 3 (ready)",
				"  Pod demo/b at 10.0.0.2:8080/TCP on node here: only UDP flows that it has (terminating, and still ready)",
				"  Pod demo/c at 10.0.0.3:8080/TCP on node here: only UDP flows that it has (ready; its weight is 0)",
				"  Pod demo/d at 10.0.0.4:8080/TCP on node a: only UDP flows that it has (terminating)",
				"  Pod demo/e at 10.0.0.5:8080/TCP on node a: not used (not ready)",
				"would connect to 10.0.0.1:8080/TCP, because BalancingPolicy canary has 1 backend for new connections",
			],
		],
		[
			"hostPort",
			[
				"  Pod demo/a on node a: new connections, through 192.168.0.2:8080/TCP, weight 3 (ready)",
				"  Pod demo/b on node here: only UDP flows that it has, through 192.0.2.9:8080/TCP (terminating, and still ready)",
				"  Pod demo/c on node here: not used (ready; it has no hostPort 8080/TCP)",
				"  Pod demo/d on node a: not used (terminating; its hostPort 8080/TCP has no IPv4 address)",
				"  Pod demo/e on node a: not used (not ready)",
				"would connect to 192.168.0.2:8080/TCP, because BalancingPolicy canary has 1 backend for new connections",
			],
		],
		[
			"nodeProxy",
			[
				"  Pod demo/a on node a: new connections, through 203.0.113.2:8080/TCP (ready)",
				"  Pod demo/b on node here: not used (terminating, and still ready; its node here has no IPv4 proxy address)",
				"  Pod demo/c on node here: not used (ready; its node here has no IPv4 proxy address)",
				"  Pod demo/d on node a: only UDP flows that it has, through 203.0.113.2:8080/TCP (terminating)",
				"  Pod demo/e on node a: not used (not ready)",
				"would connect to 203.0.113.2:8080/TCP, because BalancingPolicy canary has 1 backend for new connections",
			],
		],
	] as const)("leads to Pods by %s", (mode, lines) => {
		const [winner, loser, ...rest] = told(one({ ...world, policies: [balancing("canary", { mode })] }), "10.96.0.1:80");
		expect(winner).toBe(
			`10.96.0.1:80/TCP (a port of Service demo/web) is balanced by BalancingPolicy canary, port http 80/TCP to http 8080/TCP of Pods (${mode})`,
		);
		expect(loser).toBe(
			"Service demo/web wants it as well: BalancingPolicy canary goes before, as every policy goes before Services",
		);
		expect(rest).toEqual([...lines]);
	});

	test("leads to draining Pods if no other is left", () => {
		const some = pods.filter(({ terminating }) => terminating);
		const lines = told(one({ ...world, pods: some, policies: [balancing("canary")] }), "10.96.0.1:80");
		expect(lines[2]).toBe("No pod is ready: those that drain and still serve are used (KEP-1669)");
		expect(lines.at(-1)).toStartWith("would connect to 10.0.0.2:8080/TCP, ");
	});

	test("leads to addresses of the family, by their weights", () => {
		const addresses = ["198.51.100.1=3", "198.51.100.2", "198.51.100.3=0", "2001:db8::1"];
		expect(told(one({ policies: [balancing("vip", { ip: "169.254.1.1", addresses })] }), "169.254.1.1:80")).toEqual([
			"169.254.1.1:80/TCP is balanced by BalancingPolicy vip, port http 80/TCP to http 8080/TCP of its addresses",
			"  198.51.100.1:8080/TCP: new connections, weight 3 (listed)",
			"  198.51.100.2:8080/TCP: new connections (listed)",
			"  198.51.100.3:8080/TCP: only UDP flows that it has (its weight is 0)",
			"  [2001:db8::1]:8080/TCP: not used (no IPv4 address)",
			"would connect to 198.51.100.1:8080/TCP or 198.51.100.2:8080/TCP, because BalancingPolicy vip has 2 backends for new connections",
		]);
	});

	test.each([
		[{ pods: "app=nobody" }, "BalancingPolicy vip leads nowhere: it selects no Pod, and lists no address"],
		[
			{ pods: "app=db", mode: "hostPort" as const },
			"no backend of BalancingPolicy vip takes new connections (ready; it has no hostPort 8080/TCP)",
		],
	])("that leads nowhere refuses: %j", (fields, why) => {
		const hubs = one({ ...world, policies: [balancing("vip", { ip: "10.96.0.1", ...fields })] });
		expect(last(hubs, "10.96.0.1:80")).toBe(`would be refused with ECONNREFUSED, because ${why}`);
	});

	test("that is younger has a conflict, and another port of it is its own", () => {
		const policies = [
			balancing("old", { ip: "169.254.1.1", addresses: ["198.51.100.1"], created: OLD }),
			balancing("new", {
				ip: "169.254.1.1",
				addresses: ["198.51.100.2"],
				ports: ["http 80", "alt 81"],
				to: ["http 1", "alt 2"],
			}),
		];
		expect(told(one({ policies }), "169.254.1.1:80")[1]).toBe(
			"BalancingPolicy new wants it as well: BalancingPolicy old is older, or the first by name (FrontendConflict)",
		);
		expect(last(one({ policies }), "169.254.1.1:81")).toStartWith("would connect to 198.51.100.2:2/TCP, ");
	});

	test("of a later hub waits behind an earlier hub's Service", () => {
		const policies = [balancing("vip", { ip: "10.96.0.1", addresses: ["198.51.100.1"] })];
		expect(told(hubsOf(cluster({ services: [web] }), cluster({ policies })), "10.96.0.1:80")[1]).toBe(
			"BalancingPolicy vip of hub west wants it as well: Service demo/web is in hub east, which goes before",
		);
	});

	test.each([
		["all", { ports: [] }, ["http 8080"], "10.0.0.1:8080/TCP"],
		["all, by the number", { ports: [] }, ["other 80"], "10.0.0.1:80/TCP"],
		["one, by the policy's name", { ports: ["front 80"] }, ["front 8081"], "10.0.0.1:8081/TCP"],
	])("takes the ports of a Service: %s", (_, fields, to, wanted) => {
		const some = [pod("demo/a ready a 10.0.0.1 app=web")];
		const hubs = one({ ...world, pods: some, policies: [balancing("canary", { ...fields, to })] });
		expect(last(hubs, "10.96.0.1:80")).toStartWith(`would connect to ${wanted}, `);
	});

	test.each([
		[{ services: [] }, "which is not there"],
		[{ services: [service("demo/web", { ips: [] })] }, "which is headless"],
		[{ services: [service("demo/web", { ips: [], type: "ExternalName" as const })] }, "whose type is ExternalName"],
		[{ services: [service("demo/web", { otherProxy: true })] }, "which is another proxy's"],
	])("without its Service does nothing: %#", (objects, why) => {
		const policies = [balancing("canary")];
		expect(told(one({ ...world, ...objects, policies }), "10.96.0.1:80")[0]).toBe(
			`BalancingPolicy canary is for Service demo/web, ${why} (ServiceNotFound)`,
		);
	});

	test("takes no port that its Service does not have", () => {
		const policies = [balancing("canary", { ports: ["http 81"] })];
		expect(told(one({ ...world, policies }), "10.96.0.1:81")).toEqual([
			"BalancingPolicy canary has 10.96.0.1:81/TCP, but Service demo/web has no port http 81/TCP (PortsDoNotMatch)",
			"Service demo/web has 10.96.0.1, but only with 80/TCP",
			"would be refused with ECONNREFUSED, because nobody has 10.96.0.1:81/TCP, and 10.96.0.1 is a cluster IP of Service demo/web",
		]);
	});

	test.each(["0.0.0.1:80", "192.0.0.8:80"])("does not get %s, which is not for users", (target) => {
		const policies = [balancing("vip", { ip: ip(target.split(":")[0] ?? ""), addresses: ["198.51.100.1"] })];
		expect(told(one({ policies }), target)[0]).toEndWith(
			"but it is not for users: node ports, or the agent's own check, stand there",
		);
	});
});

describe("backends that are not well", () => {
	const check: HealthCheck = { probe: { kind: "tcp" }, interval: 10_000, timeout: 2000, fails: 3, passes: 2, panic: 0 };
	const addresses = ["198.51.100.1", "198.51.100.2", "198.51.100.3"];
	const asked = (failed: readonly string[], panic: number) => {
		const healthCheck = { ...check, panic };
		const keys = failed
			.flatMap((text) => parseL4Address(`${text}:8080`) ?? [])
			.map((each) => probeKey(each, healthCheck));
		const hubs = one({ policies: [balancing("db", { ip: "169.254.1.1", addresses, healthCheck })] });
		const quarantine: Asked["quarantine"] = new Set(keys);
		return told(hubs, "169.254.1.1:80", { quarantine });
	};

	test("are left out", () => {
		expect(asked(["198.51.100.2"], 50).slice(1)).toEqual([
			"Quarantined by the health check: 198.51.100.2:8080/TCP",
			"  198.51.100.1:8080/TCP: new connections (listed)",
			"  198.51.100.2:8080/TCP: not used (listed; quarantined: its health check has failed)",
			"  198.51.100.3:8080/TCP: new connections (listed)",
			"would connect to 198.51.100.1:8080/TCP or 198.51.100.3:8080/TCP, because BalancingPolicy db has 2 backends for new connections",
		]);
	});

	test.each([
		[["198.51.100.1", "198.51.100.2"], 34, "Only 1 of 3 backends are well, no more than 34 percent: all are used"],
		[addresses, 0, "Only 0 of 3 backends are well, no more than 0 percent: all are used"],
	])("are used if too few are left: %j at %d percent", (failed, panic, step) => {
		const lines = asked(failed, panic);
		expect(lines[1]).toBe(step);
		expect(lines.at(-1)).toContain("has 3 backends for new connections");
	});

	test("of a Service are left out likewise", () => {
		const web = service("demo/web", { healthCheck: check });
		const hubs = one({ services: [web], slices: [slice("demo/web", ["10.0.0.1", "10.0.0.2"])] });
		const failed = parseL4Address("10.0.0.1:8080");
		const quarantine: Asked["quarantine"] = new Set(failed === undefined ? [] : [probeKey(failed, check)]);
		expect(last(hubs, "10.96.0.1:80", { quarantine })).toStartWith("would connect to 10.0.0.2:8080/TCP, ");
	});
});

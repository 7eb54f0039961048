// Where policies are opened: services and addresses, and how their ports find those of the backends.

import { describe, expect, test } from "bun:test";
import { selfOf } from "../../../test/support/plans.ts";
import { balancing, cluster, hubsOf, linesOf, pod, redirect, service } from "../../../test/support/snapshots.ts";
import type { Service } from "../../model/cluster.ts";
import type { Policy } from "../../model/policy.ts";
import { planFresh } from "../plan.ts";

const SELF = selfOf("here");
const PODS = [pod("demo/p ready here 10.0.0.1 fd01::1 app=web")];

function planOf(policy: Policy, services: readonly Service[] = []) {
	return planFresh(hubsOf(cluster({ policies: [policy], services, pods: PODS })), SELF);
}

/** `10.96.0.1:80/TCP -> 10.0.0.1:8080`, those of the policy. */
function opened(policy: Policy, services: readonly Service[] = []): readonly string[] {
	const lines = linesOf(planOf(policy, services), "FRONTEND").map((line) => line.split(" "));
	return lines.flatMap(([address, name, , ...rest]) =>
		name?.startsWith(`${policy.name}:`) ? [`${address} ${name} ${rest.join(" ")}`] : [],
	);
}

function problems(policy: Policy, services: readonly Service[] = []): readonly string[] {
	return linesOf(planOf(policy, services), "PROBLEM");
}

const WEB = service("demo/web", { ports: ["http 80", "dns 53/UDP", "admin 8000"] });
const BOTH = service("demo/web", { ips: ["10.96.0.1", "fd00::1"] });

describe.each([
	["LocalRedirectPolicy", redirect, "spec.backend.toPorts"],
	["BalancingPolicy", balancing, "spec.backend.serviceEndpoint.toPorts"],
] as const)("%s", (kind, make, backendPorts) => {
	test.each([
		["by name", ["http 80"], ["http 8080"], ["10.96.0.1:80/TCP p:http -> 10.0.0.1:8080"]],
		[
			"by the name of several",
			["http 80", "dns 53/UDP"],
			["dns 5353/UDP", "http 8080"],
			["10.96.0.1:53/UDP p:dns -> 10.0.0.1:5353", "10.96.0.1:80/TCP p:http -> 10.0.0.1:8080"],
		],
		["without names", [" 80"], [" 8080"], ["10.96.0.1:80/TCP p:80 -> 10.0.0.1:8080"]],
		[
			"whatever the Service calls its port",
			["other 80"],
			["other 8080"],
			["10.96.0.1:80/TCP p:other -> 10.0.0.1:8080"],
		],
		["not without the protocol", ["http 80"], ["http 8080/UDP"], []],
		["not without the name", ["http 80"], [" 8080"], []],
		["not by the number", ["http 80"], ["web 80"], []],
	])("pairs listed ports %s", (_, ports, to, expected) => {
		expect(opened(make("p", { ports, to }), [WEB])).toEqual(expected);
	});

	test.each([
		["by name", ["http 8080"], ["10.96.0.1:80/TCP p:http -> 10.0.0.1:8080"]],
		["else by number", ["x 80"], ["10.96.0.1:80/TCP p:http -> 10.0.0.1:80"]],
		["by name before number", ["x 80", "http 8080"], ["10.96.0.1:80/TCP p:http -> 10.0.0.1:8080"]],
		["by number and protocol", ["x 80/UDP", "y 53/UDP"], ["10.96.0.1:53/UDP p:dns -> 10.0.0.1:53"]],
	])("pairs all ports of the Service %s", (_, to, expected) => {
		expect(opened(make("p", { ports: [], to }), [WEB])).toEqual(expected);
	});

	test("leaves out a listed port without a partner, and says so", () => {
		const policy = make("p", { ports: ["http 80", "dns 53/UDP"], to: ["http 8080"] });
		expect(opened(policy, [WEB])).toEqual(["10.96.0.1:80/TCP p:http -> 10.0.0.1:8080"]);
		expect(problems(policy, [WEB])).toEqual([
			`${kind} p spec.frontend.serviceMatcher.toPorts PortsDoNotMatch: Port dns (53/UDP) of the frontend has no partner among the backend's: give one with name dns and protocol UDP; this one is left out`,
		]);
	});

	test("leaves out a port of the Service without a partner, and says so", () => {
		const policy = make("p", { ports: [], to: ["http 8080"] });
		expect(problems(policy, [service("demo/web", { ports: ["http 80", " 81"] })])).toEqual([
			`${kind} p ${backendPorts} PortsDoNotMatch: Port 81/TCP of Service demo/web has no partner among the backend's: give one with no name or number 81 and protocol TCP; this one is left out`,
		]);
	});

	test("leaves out a listed port that the Service has not, and says so", () => {
		const policy = make("p", { ports: ["http 80", "dns 53"], to: ["http 8080", "dns 53"] });
		expect(opened(policy, [WEB])).toEqual(["10.96.0.1:80/TCP p:http -> 10.0.0.1:8080"]);
		expect(problems(policy, [WEB])).toEqual([
			`${kind} p spec.frontend.serviceMatcher.toPorts PortsDoNotMatch: Service demo/web has no port 53/TCP: give one of its ports; this one is left out`,
		]);
	});

	test("uses the first of two ports with one number", () => {
		const policy = make("p", { ip: "169.254.1.1", ports: ["a 80", "b 80"], to: ["a 1", "b 2"] });
		expect(opened(policy)).toEqual(["169.254.1.1:80/TCP p:a -> 10.0.0.1:1"]);
		expect(problems(policy)).toEqual([
			`${kind} p spec.frontend.addressMatcher.toPorts InvalidObject: 80/TCP stands here twice: the first one is used`,
		]);
	});

	test("opens the cluster IPs of both families, each with its own backends", () => {
		expect(opened(make("p"), [BOTH])).toEqual([
			"10.96.0.1:80/TCP p:http -> 10.0.0.1:8080",
			"[fd00::1]:80/TCP p:http -> [fd01::1]:8080",
		]);
	});

	test("opens cluster IPs alone", () => {
		const web = service("demo/web", {
			type: "LoadBalancer",
			ports: ["http 80 30080"],
			ingress: ["203.0.113.1"],
			externalIps: ["203.0.113.2"],
		});
		expect(opened(make("p"), [web])).toEqual(["10.96.0.1:80/TCP p:http -> 10.0.0.1:8080"]);
		expect(linesOf(planOf(make("p"), [web]), "FRONTEND")).toContain(
			"203.0.113.1:80/TCP demo/web:http ServiceLoadbalancer -> refused",
		);
	});

	test("inherits nothing from the Service", () => {
		const web = service("demo/web", {
			internalTrafficPolicy: "Local",
			affinity: { seconds: 10, client: "netns" },
			peerAddress: "backend",
			closeOnRemove: "all",
			reach: "node-port",
		});
		expect(opened(make("p"), [web])).toEqual(["10.96.0.1:80/TCP p:http -> 10.0.0.1:8080"]);
		expect(opened(make("p", { closeOnRemove: "none" }), [web])).toEqual([
			"10.96.0.1:80/TCP p:http close-on-remove=none -> 10.0.0.1:8080",
		]);
	});

	test.each([
		["is missing", [], "does not exist: create it, or correct its namespace and name"],
		["is another one's", [service("other/web")], "does not exist: create it, or correct its namespace and name"],
		["is headless", [service("demo/web", { ips: [] })], "has no cluster IP: use one that is not headless"],
		[
			"has an address for node ports",
			[service("demo/web", { ips: ["0.0.0.7"] })],
			"has no cluster IP: use one that is not headless",
		],
		[
			"is of type ExternalName",
			[service("demo/web", { type: "ExternalName", ips: [] })],
			"is of type ExternalName, which has no address: use another Service",
		],
		[
			"is another proxy's",
			[service("demo/web", { otherProxy: true })],
			"is left to another proxy by its label: remove the label, or use another Service",
		],
	])("opens nothing where its Service %s", (_, services, message) => {
		expect(opened(make("p"), services)).toEqual([]);
		expect(problems(make("p"), services).filter((line) => line.startsWith(kind))).toEqual([
			`${kind} p spec.frontend.serviceMatcher ServiceNotFound: Service demo/web ${message}`,
		]);
	});

	test.each(["169.254.1.1", "127.0.0.1", "10.96.0.1", "2001:db8::1"])("opens the address %s", (ip) => {
		const address = ip.includes(":") ? `[${ip}]` : ip;
		const backend = ip.includes(":") ? "[fd01::1]" : "10.0.0.1";
		expect(opened(make("p", { ip }))).toEqual([`${address}:80/TCP p:http -> ${backend}:8080`]);
	});

	test.each([
		["0.0.0.1", "node ports"],
		["100::1", "node ports"],
		["192.0.0.8", "the agent's own check"],
		["100::ba1a", "the agent's own check"],
	])("does not open %s", (ip, whose) => {
		expect(opened(make("p", { ip }))).toEqual([]);
		expect(problems(make("p", { ip }))).toEqual([
			`${kind} p spec.frontend.addressMatcher.ip Unsupported: ${ip} is reserved for ${whose}: give the policy another address`,
		]);
	});
});

// What annotation balancing.elf.io/health-check says, and what is wrong with it.

import { describe, expect, test } from "bun:test";
import { type HealthCheck, parseHealthCheck } from "./health_check.ts";
import { projectService } from "./service.ts";

const DEFAULTS = { interval: 10_000, timeout: 2000, fails: 3, passes: 2, panic: 0 };

describe("parseHealthCheck()", () => {
	test.each<[string, Partial<Record<keyof HealthCheck, unknown>>]>([
		["tcp", { probe: { kind: "tcp" } }],
		["  tcp\t port=8081 ", { probe: { kind: "tcp" }, port: 8081 }],
		["http:/healthz", { probe: { kind: "http", path: "/healthz" } }],
		["http", { probe: { kind: "http", path: "/" } }],
		["http:", { probe: { kind: "http", path: "/" } }],
		["https:/a/b?c=d:e", { probe: { kind: "https", path: "/a/b?c=d:e" } }],
		["dns:Example.ORG.", { probe: { kind: "dns", name: "example.org" } }],
		["dns:_srv._udp.example", { probe: { kind: "dns", name: "_srv._udp.example" } }],
		[
			"tcp interval=5s timeout=1s fails=3 passes=2 panic=0% port=8081",
			{ probe: { kind: "tcp" }, interval: 5000, timeout: 1000, port: 8081 },
		],
		["tcp interval=1s", { probe: { kind: "tcp" }, interval: 1000, timeout: 500 }],
		["tcp interval=1h timeout=59m", { probe: { kind: "tcp" }, interval: 3_600_000, timeout: 3_540_000 }],
		["tcp interval=1.5s timeout=10ms", { probe: { kind: "tcp" }, interval: 1500, timeout: 10 }],
		["tcp fails=100 passes=1 panic=100%", { probe: { kind: "tcp" }, fails: 100, passes: 1, panic: 100 }],
		["tcp panic=50", { probe: { kind: "tcp" }, panic: 50 }],
	])("reads %j", (text, expected) => {
		expect<unknown>(parseHealthCheck(text)).toEqual({ kind: "check", check: { ...DEFAULTS, ...expected } });
	});

	test("reads off", () => {
		expect(parseHealthCheck(" off ")).toEqual({ kind: "off" });
	});

	test.each<[string, string]>([
		["ping", '"ping" is not a probe: use tcp, http:/PATH, https:/PATH, dns:NAME or off'],
		["", '"" is not a probe: use tcp, http:/PATH, https:/PATH, dns:NAME or off'],
		["TCP", '"TCP" is not a probe: use tcp, http:/PATH, https:/PATH, dns:NAME or off'],
		["tcp:80", '"tcp:80" is not a probe: write tcp, and port=8081 for another port'],
		["off tcp", '"tcp" stands after off: write off alone'],
		["http:healthz", '"healthz" is not a path: write http:/healthz, up to 256 ASCII characters without # and blanks'],
		[
			"https://example.org/ä",
			'"//example.org/ä" is not a path: write https:/healthz, up to 256 ASCII characters without # and blanks',
		],
		["http:/a#b", '"/a#b" is not a path: write http:/healthz, up to 256 ASCII characters without # and blanks'],
		["dns", "dns has no name to ask for: write dns:example.org"],
		["dns:a..b", '"a..b" is not a DNS name: write dns:example.org'],
		["dns:-a", '"-a" is not a DNS name: write dns:example.org'],
		["tcp interval", '"interval" is out of range or no value: give 1s to 1h, as interval=5s'],
		["tcp interval=5", '"interval=5" is out of range or no value: give 1s to 1h, as interval=5s'],
		["tcp interval=999ms", '"interval=999ms" is out of range or no value: give 1s to 1h, as interval=5s'],
		["tcp interval=61m", '"interval=61m" is out of range or no value: give 1s to 1h, as interval=5s'],
		["tcp interval=-5s", '"interval=-5s" is out of range or no value: give 1s to 1h, as interval=5s'],
		["tcp timeout=9ms", '"timeout=9ms" is out of range or no value: give 10ms or more, as timeout=500ms'],
		["tcp timeout=10s", "timeout=10000ms is not less than the interval of 10000ms: lower it"],
		["tcp interval=1s timeout=2s", "timeout=2000ms is not less than the interval of 1000ms: lower it"],
		["tcp fails=0", '"fails=0" is out of range or no value: give 1 to 100, as fails=3'],
		["tcp fails=1.5", '"fails=1.5" is out of range or no value: give 1 to 100, as fails=3'],
		["tcp passes=101", '"passes=101" is out of range or no value: give 1 to 100, as passes=2'],
		["tcp panic=101%", '"panic=101%" is out of range or no value: give 0% to 100%, as panic=50%'],
		["tcp port=0", '"port=0" is out of range or no value: give 1 to 65535, as port=8081'],
		["tcp port=65536", '"port=65536" is out of range or no value: give 1 to 65535, as port=8081'],
		["tcp fails=1 fails=2", '"fails=2" is a second fails: keep one'],
		["tcp intervalx=5s", '"intervalx=5s" is no setting: write interval='],
		["tcp x=5", '"x=5" is no setting: use interval, timeout, fails, passes, panic, port'],
		["tcp __proto__=5", '"__proto__=5" is no setting: use interval, timeout, fails, passes, panic, port'],
	])("refuses %j", (text, message) => {
		expect(parseHealthCheck(text)).toEqual({ kind: "wrong", message });
	});

	test("refuses what is longer than anything sensible", () => {
		const long = { kind: "wrong", message: "1001 characters: use at most 1000" } as const;
		expect(parseHealthCheck("t".repeat(1001))).toEqual(long);
		expect(parseHealthCheck(`http:/${"a".repeat(256)}`).kind).toBe("wrong");
		expect(parseHealthCheck(`http:/${"a".repeat(255)}`).kind).toBe("check");
		expect(parseHealthCheck(`dns:${"a.".repeat(127)}a`).kind).toBe("wrong");
	});
});

describe("projectService() with balancing.elf.io/health-check", () => {
	const project = (value: unknown) =>
		projectService({
			metadata: { name: "web", annotations: { "balancing.elf.io/health-check": value } },
			spec: { clusterIP: "10.0.0.1", ports: [{ port: 80 }] },
		});

	test("has the check", () => {
		const { value, problems } = project("tcp fails=1");
		expect(problems).toEqual([]);
		expect(value?.healthCheck).toEqual({ ...DEFAULTS, probe: { kind: "tcp" }, fails: 1 });
	});

	test.each([["off"], [""], [null], [" "]])("has none of %p", (value) => {
		const projection = project(value);
		expect(projection.problems).toEqual([]);
		expect(projection.value).toBeDefined();
		expect(projection.value).not.toHaveProperty("healthCheck");
	});

	test.each<[unknown, string]>([
		["ping", '"ping" is not a probe: use tcp, http:/PATH, https:/PATH, dns:NAME or off; there are no health checks'],
		[true, "true is not a string: put it in quotes"],
	])("has none of %p, and tells why", (value, message) => {
		const projection = project(value);
		expect<unknown>(projection.problems).toEqual([
			{
				object: "Service default/web",
				field: 'metadata.annotations["balancing.elf.io/health-check"]',
				reason: "InvalidObject",
				message,
			},
		]);
		expect(projection.value).not.toHaveProperty("healthCheck");
	});
});

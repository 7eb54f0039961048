// The pages of an agent, from a status.

import { describe, expect, test } from "bun:test";
import { parseL4Address } from "../model/address.ts";
import type { AgentStatus } from "../observe/status.ts";
import { type PageSources, pagesOf } from "./pages.ts";

const STATUS: AgentStatus = {
	version: "1.2.3",
	commit: "abc",
	node: "one",
	pid: 42,
	started: "2026-01-02T03:04:05.678Z",
	ready: true,
	notReady: [],
	hubs: [
		{
			name: "manifests /a",
			synced: true,
			lastChange: "2026-01-02T03:04:06.500Z",
			staleSince: null,
			copyOf: null,
			troubles: [],
		},
	],
	attachment: { cgroup: "/c", pinPath: "/p", proved: true, reason: null },
	frontends: 2,
	backends: 3,
	lastWrite: { at: "2026-01-02T03:04:06.100Z", milliseconds: 1.5, operations: 9, failures: 0 },
	faults: { slot: 1, storage: 2, eventFull: 3, eventRate: 4 },
	unknownPortRefusals: 9,
	sockets: { closed: { UDP: { closed: 5, failed: 1 }, TCP: { closed: 2, failed: 0 } }, limit: null },
	health: {
		backends: [
			{
				backend: parseL4Address("192.0.2.1:80") ?? expect.unreachable(),
				check: "http:/healthz",
				state: "failing",
				since: "2026-01-02T03:04:05.678Z",
				lastError: "answered 500",
			},
		],
		probes: { passed: 11, failed: 12, broken: 13 },
	},
	policies: [
		{
			kind: "LocalRedirectPolicy",
			name: "dns",
			hub: null,
			holdsHere: true,
			frontends: 2,
			backends: 1,
			reasons: [],
		},
	],
	problems: [
		{ object: "Service a/a", reason: "InvalidObject", message: "x" },
		{ object: "Service a/b", reason: "Duplicate", message: "x" },
		{ object: "Service a/c", reason: "InvalidObject", message: "x" },
	],
};

function page(path: string, status: Partial<AgentStatus> = {}) {
	const sources: PageSources = {
		status: () => ({ ...STATUS, ...status }),
		entries: () => ({ backends: 3, slots: 5, names: 4, frontends: 4, addresses: 8 }),
		applyFailures: () => 6,
		planned: () => 7,
		memory: () => ({ resident: 2000, heap: 1000 }),
	};
	return pagesOf(sources)[path]?.();
}

describe("pagesOf()", () => {
	test("lives whatever the state", () => {
		expect(page("/healthz", { ready: false })).toMatchObject({ status: 200, body: "ok\n" });
	});

	test("is ready, or says why not, line by line", () => {
		expect(page("/readyz")).toMatchObject({ status: 200, body: "ok\n" });
		expect(page("/readyz", { ready: false, notReady: ["one", "two"] })).toMatchObject({
			status: 503,
			body: "not ready\none\ntwo\n",
		});
	});

	test.each(["/status", "/debug/status"])("shows all of the status at %s", (path) => {
		const found = page(path);
		expect(found).toMatchObject({ status: 200, type: "application/json" });
		expect(JSON.parse(found?.body ?? "")).toEqual(STATUS);
	});

	test.each([
		'balancing_build_info{version="1.2.3",commit="abc"} 1',
		"balancing_attachment_proved 1",
		'balancing_hub_synced{hub="manifests /a"} 1',
		'balancing_hub_stale_seconds{hub="manifests /a"} 0',
		'balancing_hub_last_event_timestamp_seconds{hub="manifests /a"} 1767323046.5',
		'balancing_map_entries{map="slots"} 5',
		'balancing_map_capacity{map="backends"} 131071',
		"balancing_plan_entries 7",
		'balancing_backend_state{backend="192.0.2.1:80/TCP",check="http:/healthz",state="failing"} 1',
		'balancing_health_probes_total{result="passed"} 11',
		'balancing_health_probes_total{result="failed"} 12',
		'balancing_health_probes_total{result="broken"} 13',
		'balancing_memory_bytes{kind="resident"} 2000',
		'balancing_memory_bytes{kind="heap"} 1000',
		'balancing_policies{kind="LocalRedirectPolicy",state="programmed"} 1',
		'balancing_policies{kind="BalancingPolicy",state="elsewhere"} 0',
		'balancing_problems{reason="Duplicate"} 1',
		'balancing_problems{reason="InvalidObject"} 2',
		"balancing_sync_duration_seconds 0.0015",
		"balancing_apply_failures_total 6",
		'balancing_events_dropped_total{reason="rate"} 4',
		'balancing_events_dropped_total{reason="full"} 3',
		'balancing_sockets_closed_total{protocol="udp",result="closed"} 5',
		'balancing_sockets_closed_total{protocol="udp",result="failed"} 1',
		'balancing_sockets_closed_total{protocol="tcp",result="closed"} 2',
		'balancing_sockets_closed_total{protocol="tcp",result="failed"} 0',
		"balancing_unknown_port_refusals_total 9",
		'balancing_map_entries{map="addresses"} 8',
		'balancing_datapath_faults_total{reason="slot"} 1',
		'balancing_datapath_faults_total{reason="storage"} 2',
	])("has the sample %s", (line) => {
		const found = page("/metrics");
		expect(found?.type).toBe("text/plain; version=0.0.4");
		expect(found?.body.split("\n")).toContain(line);
	});

	test("leaves out what is not known yet", () => {
		const hubs = [
			{ name: "manifests /a", synced: false, lastChange: null, staleSince: null, copyOf: null, troubles: [] },
		];
		const body = page("/metrics", { lastWrite: null, problems: [], hubs })?.body ?? "";
		expect(body).toContain('balancing_hub_synced{hub="manifests /a"} 0\n');
		for (const name of ["sync_duration_seconds", "hub_last_event_timestamp_seconds", "hub_copy_timestamp_seconds"])
			expect(body).not.toContain(name);
	});

	test.each([
		["+010000-01-01T00:00:00.000Z", /^0$/],
		["1970-01-01T00:00:00.000Z", /^[1-9]\d{8,}(\.\d+)?$/],
	])("is stale since %s for no less than 0 s, wherever the clock was set meanwhile", (staleSince, seconds) => {
		const [hub] = STATUS.hubs;
		const body = page("/metrics", { hubs: hub ? [{ ...hub, staleSince }] : [] })?.body ?? "";
		expect(/^balancing_hub_stale_seconds\{.*\} (.*)$/m.exec(body)?.[1]).toMatch(seconds);
	});

	test("says how old the copy is that stands in for a hub", () => {
		const copyOf = "2026-01-02T03:04:06.500Z";
		const hub = { name: "a", synced: false, lastChange: null, staleSince: copyOf, copyOf, troubles: [] };
		const body = page("/metrics", {
			hubs: [hub, { ...hub, name: "b", synced: true, staleSince: null, copyOf: null }],
		})?.body;
		expect(body).toContain('balancing_hub_copy_timestamp_seconds{hub="a"} 1767323046.5\n');
		expect(body).not.toContain('balancing_hub_copy_timestamp_seconds{hub="b"}');
		expect(body).toMatch(/^balancing_hub_stale_seconds\{hub="a"\} [1-9]\d+/m);
	});

	test("has every metric of the format once, with help and type before its samples", () => {
		const body = page("/metrics")?.body ?? "";
		const names = [...body.matchAll(/^# TYPE (\S+) (?:gauge|counter)$/gm)].map(([, name = ""]) => name);
		expect(new Set(names).size).toBe(names.length);
		for (const line of body.trimEnd().split("\n")) {
			if (line.startsWith("#")) continue;
			expect(names).toContain(line.slice(0, line.search(/[{ ]/)));
		}
	});
});

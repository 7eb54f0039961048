// The status page as a person reads it.

import { expect, test } from "bun:test";
import { type L4Address, parseL4Address } from "../model/address.ts";
import { type AgentStatus, parseStatus, problemLine, renderStatus } from "./status.ts";

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
			lastChange: "2026-01-02T03:04:06.000Z",
			staleSince: null,
			copyOf: null,
			troubles: [],
		},
	],
	attachment: { cgroup: "/c", pinPath: "/p", proved: true, reason: null },
	frontends: 2,
	backends: 3,
	lastWrite: { at: "2026-01-02T03:04:06.100Z", milliseconds: 1.5, operations: 9, failures: 0 },
	faults: { slot: 0, storage: 1 },
	unknownPortRefusals: 0,
	sockets: { closed: { UDP: { closed: 3, failed: 0 }, TCP: { closed: 1, failed: 0 } }, limit: null },
	health: { backends: [], probes: { passed: 0, failed: 0, broken: 0 } },
	policies: [],
	problems: [],
};

test("renderStatus() of an agent that is well", () => {
	expect(renderStatus(STATUS)).toBe(`Ready       yes
Agent       pid 42 on one, version 1.2.3 (abc), since 2026-01-02T03:04:05.678Z
Hub         manifests /a: synced, last change 2026-01-02T03:04:06.000Z
Attached    /c, proved by a canary connect
Pins        /p
Programmed  2 frontends, 3 backends
Last write  2026-01-02T03:04:06.100Z, 9 operations in 1.5 ms, 0 failed
Faults      slot 0, storage 1
Closed      3 UDP, 1 TCP
Problems    0
`);
});

test("renderStatus() of an agent of a former version, which knows neither policies nor health", () => {
	const { policies: _, health: __, ...former } = STATUS;
	expect(renderStatus(parseStatus(JSON.stringify(former)))).toBe(renderStatus(STATUS));
	expect(parseStatus(JSON.stringify(STATUS))).toEqual(STATUS);
});

const WELL = {
	backend: address("192.0.2.1:5432"),
	check: "tcp",
	state: "ok",
	since: "2026-01-02T03:04:05.678Z",
	lastError: null,
} as const;
const BAD = {
	...WELL,
	backend: address("[fd00::2]:5432"),
	state: "quarantined",
	lastError: "connection reset",
} as const;
const PROBES = { passed: 1, failed: 2, broken: 0 };

function address(text: string): L4Address {
	return parseL4Address(text) ?? expect.unreachable();
}

test("renderStatus() has a table of backends where there are health checks", () => {
	const text = renderStatus({ ...STATUS, health: { backends: [WELL, BAD], probes: PROBES } });
	expect(text).toEndWith(`Health      1 ok, 1 quarantined
  BACKEND             CHECK  STATE        SINCE                     LAST ERROR
  192.0.2.1:5432/TCP  tcp    ok           2026-01-02T03:04:05.678Z  -
  [fd00::2]:5432/TCP  tcp    quarantined  2026-01-02T03:04:05.678Z  connection reset
Problems    0
`);
});

test("renderStatus() shows only those of many backends that are not well", () => {
	const backends = [...Array.from({ length: 30 }, () => WELL), BAD];
	const text = renderStatus({ ...STATUS, health: { backends, probes: PROBES } });
	expect(text).toContain("Health      30 ok, 1 quarantined\n");
	expect(text.match(/^ {2}\S.* ok /gm)).toBeNull();
	expect(text).toContain("  [fd00::2]:5432/TCP  tcp    quarantined");
	expect(renderStatus({ ...STATUS, health: { backends: backends.slice(0, 30), probes: PROBES } })).toEndWith(
		"Health      30 ok\nProblems    0\n",
	);
});

test("renderStatus() has a table of policies where there are any", () => {
	const policy = { name: "dns", hub: null, holdsHere: true, frontends: 2, backends: 1, reasons: [] } as const;
	const text = renderStatus({ ...STATUS, policies: [{ kind: "LocalRedirectPolicy", ...policy }] });
	expect(text).toEndWith(`Policies    1
  POLICY                   HERE        FRONTENDS  BACKENDS  PROBLEMS
  LocalRedirectPolicy dns  programmed  2          1         -
Problems    0
`);
});

test("renderStatus() of an agent that is not ready says why, first", () => {
	const text = renderStatus({
		...STATUS,
		ready: false,
		notReady: ["manifests /a has not been read yet", "not attached for certain: EPERM"],
		hubs: [
			{ name: "manifests /a", synced: false, lastChange: null, staleSince: null, copyOf: null, troubles: ["no way"] },
		],
		attachment: { cgroup: "/c", pinPath: "/p", proved: false, reason: "EPERM" },
		lastWrite: null,
		problems: [
			{
				object: "Service demo/web",
				field: "spec.ports[0]",
				reason: "InvalidObject",
				message: "no port",
				source: "a:3",
			},
		],
	});
	expect(text).toStartWith("Ready       NO: manifests /a has not been read yet; not attached for certain: EPERM\n");
	expect(text).toContain("Hub         manifests /a: not read yet: no way\n");
	expect(text).toContain("Attached    /c, NOT PROVED: EPERM\n");
	expect(text).toContain("Last write  none yet\n");
	expect(text).toEndWith("Problems    1\n  Service demo/web spec.ports[0]: no port (InvalidObject, a:3)\n");
});

test.each([
	[{ object: "a.yaml", reason: "Unreadable", message: "EACCES" } as const, "a.yaml: EACCES (Unreadable)"],
	[
		{ object: "Service a/b", field: "spec", reason: "Duplicate", message: "twice", source: "x:1" } as const,
		"Service a/b spec: twice (Duplicate, x:1)",
	],
])("problemLine(%j)", (problem, expected) => {
	expect(problemLine(problem)).toBe(expected);
});

test("renderStatus() tells since when a hub is stale, and why", () => {
	const hub = { name: "Kubernetes, in-cluster", synced: true, lastChange: "2026-01-02T03:04:06.000Z", copyOf: null };
	const stale = { ...hub, staleSince: "2026-01-02T04:00:00.000Z", troubles: ["Cannot watch Services: ECONNREFUSED"] };
	expect(renderStatus({ ...STATUS, hubs: [stale] })).toContain(
		"Hub         Kubernetes, in-cluster: synced, last change 2026-01-02T03:04:06.000Z, STALE since 2026-01-02T04:00:00.000Z: Cannot watch Services: ECONNREFUSED\n",
	);
});

test("renderStatus() tells of what time the copy is that stands in for a hub", () => {
	const hub = {
		name: "Kubernetes, in-cluster",
		synced: false,
		lastChange: null,
		staleSince: null,
		troubles: ["no way"],
	};
	expect(renderStatus({ ...STATUS, hubs: [{ ...hub, copyOf: "2026-01-02T03:04:06.000Z" }] })).toContain(
		"Hub         Kubernetes, in-cluster: not read yet, serving the copy of 2026-01-02T03:04:06.000Z: no way\n",
	);
});

// Rounds of the loop over memory maps: what is written, what is said, what status shows.

import { describe, expect, test } from "bun:test";
import { recordingLog } from "../../test/support/log.ts";
import { selfOf } from "../../test/support/plans.ts";
import { cluster, pod, redirect, service } from "../../test/support/snapshots.ts";
import { CAPACITY } from "../datapath/capacity.ts";
import type { Maps } from "../datapath/maps.ts";
import { createMemoryMaps } from "../datapath/memory_maps.ts";
import { viewFrontends } from "../datapath/view.ts";
import { createWriter } from "../datapath/writer.ts";
import { type Ip, parseIp, parseL4Address, parsePort } from "../model/address.ts";
import { type Cluster, EMPTY_CLUSTER, type Service } from "../model/cluster.ts";
import { listEndpoints } from "../model/endpoint_list.ts";
import type { HealthCheck } from "../model/health_check.ts";
import type { Quarantine } from "../plan/plan_types.ts";
import type { Guarding } from "./guarding.ts";
import type { PlanHealth } from "./health.ts";
import { createSync } from "./sync.ts";

function ip(text: string): Ip {
	return parseIp(text) ?? expect.unreachable();
}

/** A Service on 10.96.0.N with one endpoint. */
function web(n: number, problems: Cluster["problems"] = [], backend = `10.244.0.${n}`): Cluster {
	const key = `demo/web-${n}`;
	const port = parsePort(80) ?? expect.unreachable();
	const service: Service = {
		key,
		type: "ClusterIP",
		clusterIps: [ip(`10.96.0.${n}`)],
		ports: [{ name: "http", port, protocol: "TCP" }],
		internalTrafficPolicy: "Cluster",
		otherProxy: false,
		peerAddress: "frontend",
		global: false,
		created: "",
	};
	const endpoint = { ip: ip(backend), ready: true, serving: true, terminating: false, nodeName: "" };
	const slice = {
		key: `${key}-1`,
		service: key,
		addressType: "IPv4",
		endpoints: listEndpoints([endpoint]),
		ports: [{ name: "http", port, protocol: "TCP" }],
	} as const;
	return { ...EMPTY_CLUSTER, services: new Map([[key, service]]), slices: new Map([[key, [slice]]]), problems };
}

const NOBODY: Quarantine = new Set();
const NOBODY_FAILS: PlanHealth = { quarantine: () => NOBODY, follow: () => false };

/** Maps of which some parts can be broken. */
function start(memory: Maps = createMemoryMaps(), health: PlanHealth = NOBODY_FAILS) {
	const state = { cluster: EMPTY_CLUSTER, synced: true, putErrno: 0, throws: false, unguarded: EMPTY_CLUSTER.problems };
	const log = recordingLog();
	let renamed = 0;
	let changed = 0;
	const maps: Maps = {
		...memory,
		put(map, entries) {
			steps.push(`put ${map}`);
			if (state.throws) throw new Error("Cannot write: EBADF");
			if (state.putErrno === 0 || map !== "backends") return memory.put(map, entries);
			return [...entries.keys()].map((key) => ({ key, errno: state.putErrno }));
		},
	};
	const steps: string[] = [];
	const guarding: Guarding = {
		protect: (guards) => void steps.push(`protect ${[...guards.keys()].join()}`),
		release: () => void steps.push("release"),
		resync: () => void steps.push("resync"),
		problems: () => state.unguarded,
	};
	const hubs = {
		snapshots: () => [{ name: "hub", cluster: state.cluster }],
		synced: () => state.synced,
		status: () => [],
		stopped: Promise.resolve(),
	};
	const sync = createSync({
		hubs,
		writer: createWriter({ maps, capacity: CAPACITY, firstGeneration: 1 }),
		guarding,
		self: () => selfOf("one"),
		health,
		log,
		onNames: () => {
			renamed++;
		},
		onFrontends: () => {
			changed++;
		},
	});
	const names = () => viewFrontends(memory).map(({ name }) => name);
	return { state, log, sync, names, memory, steps, renamed: () => renamed, changed: () => changed };
}

describe("createSync()", () => {
	test("has done nothing before the first round", () => {
		const { sync } = start();
		expect(sync.lastWrite()).toBeNull();
		expect(sync.unsettled()).toBe("what the hubs have is not written yet");
		expect(sync.counts()).toEqual({ planned: 0, frontends: 0, backends: 0 });
	});

	test("writes what the hubs have, counts it without the canaries, and says so once", () => {
		const { sync, state, log, names, renamed } = start();
		state.cluster = web(1);
		expect(sync.run(false)).toBe("done");
		expect(names()).toEqual(["balancing/canary", "balancing/canary", "demo/web-1:http"]);
		expect(sync.counts()).toEqual({ planned: 1, frontends: 1, backends: 1 });
		expect(sync.entries()).toEqual({ backends: 1, slots: 1, names: 3, frontends: 3, addresses: 1 });
		expect(sync.unsettled()).toBeNull();
		expect(sync.lastWrite()).toMatchObject({ operations: 9, failures: 0 });
		expect(renamed()).toBe(1);
		sync.run(false);
		expect(log.messages()).toEqual(["info Written"]);
		expect(renamed()).toBe(1);
	});

	test("plans again in the same round where the plan puts somebody into quarantine", () => {
		const check: HealthCheck = { probe: { kind: "tcp" }, interval: 1000, timeout: 500, fails: 1, passes: 1, panic: 0 };
		let quarantine = NOBODY;
		const seen: number[] = [];
		const { sync, state, memory } = start(undefined, {
			quarantine: () => quarantine,
			follow({ probes }) {
				seen.push(probes.size);
				quarantine = new Set([...probes.keys()].slice(0, 1));
				return probes.size > 0;
			},
		});
		const two = web(1, [], "10.244.0.1");
		const services = new Map([...two.services].map(([key, service]) => [key, { ...service, healthCheck: check }]));
		const slices = new Map(
			[...two.slices].map(([key, some]) => [key, [...some, ...(web(1, [], "10.244.0.2").slices.get(key) ?? [])]]),
		);
		state.cluster = { ...two, services, slices };
		sync.run(false);
		expect(seen).toEqual([2]);
		const backends = viewFrontends(memory).flatMap((view) => view.backends.map(({ address }) => address));
		expect(backends).toEqual([parseL4Address("10.244.0.2:80") ?? expect.unreachable()]);
	});

	test("tells of each round that changed frontends, or only their backends", () => {
		const { sync, state, changed } = start();
		for (const [cluster, calls] of [
			[web(1), 1],
			[web(1), 1],
			[web(1, [], "10.244.0.9"), 2],
			[EMPTY_CLUSTER, 3],
			[EMPTY_CLUSTER, 3],
		] as const) {
			state.cluster = cluster;
			sync.run(false);
			expect(changed()).toBe(calls);
		}
	});

	test("is not settled by a round before the hubs were synced", () => {
		const { sync, state } = start();
		state.synced = false;
		sync.run(false);
		expect(sync.unsettled()).toBe("what the hubs have is not written yet");
		// They are now, but no round has heard of it.
		state.synced = true;
		expect(sync.unsettled()).toBe("what the hubs have is not written yet");
		sync.run(false);
		expect(sync.unsettled()).toBeNull();
	});

	test("takes nothing away before the hubs are synced, and is not settled then", () => {
		const { memory } = (() => {
			const first = start();
			first.state.cluster = web(1);
			first.sync.run(false);
			return first;
		})();
		const { sync, state, names } = start(memory);
		state.synced = false;
		expect(sync.run(false)).toBe("done");
		expect(names()).toContain("demo/web-1:http");
		expect(sync.unsettled()).toMatch(/^\d+ elements are not as wanted yet$/);
		state.cluster = web(2);
		state.synced = true;
		sync.run(false);
		expect(names()).toEqual(["balancing/canary", "balancing/canary", "demo/web-2:http"]);
		expect(sync.unsettled()).toBeNull();
	});

	test("gives what it finds in the maps the same ids, though the hubs come late", () => {
		const before = start();
		before.state.cluster = web(1);
		before.sync.run(false);
		const ids = viewFrontends(before.memory).map(({ name, id }) => [name, id]);
		const after = start(before.memory);
		after.state.synced = false;
		for (let n = 0; n < 5; n++) after.sync.run(n === 3);
		after.state.cluster = web(1);
		after.state.synced = true;
		after.sync.run(false);
		expect(viewFrontends(before.memory).map(({ name, id }) => [name, id])).toEqual(ids);
		expect(after.sync.unsettled()).toBeNull();
	});

	test("asks for another round while elements fail, tells it once, and tells the end", () => {
		const { sync, state, log, names } = start();
		state.cluster = web(1);
		state.putErrno = -12;
		for (let n = 0; n < 3; n++) expect(sync.run(false)).toBe("again");
		expect(sync.unsettled()).toBe("1 elements could not be written (the first: put in backends: ENOMEM)");
		expect(sync.failures()).toBe(3);
		expect(names()).not.toContain("demo/web-1:http");
		state.putErrno = 0;
		expect(sync.run(false)).toBe("done");
		expect(names()).toContain("demo/web-1:http");
		expect(log.messages()).toEqual([
			"info Written",
			"error Cannot write everything",
			"info Written",
			"info Everything is written again",
		]);
	});

	test("survives maps that throw, and reads them back after that", () => {
		const { sync, state, log, names } = start();
		state.cluster = web(1);
		state.throws = true;
		for (let n = 0; n < 3; n++) expect(sync.run(false)).toBe("again");
		expect(sync.unsettled()).toBe("the kernel's maps could not be written: Cannot write: EBADF");
		state.throws = false;
		expect(sync.run(false)).toBe("done");
		expect(names()).toContain("demo/web-1:http");
		expect(log.messages()).toEqual([
			"error Cannot write everything",
			"info Written",
			"info Everything is written again",
		]);
	});

	test("puts back what someone else took away at a resync, not before", () => {
		const { sync, state, memory, names } = start();
		state.cluster = web(1);
		sync.run(false);
		memory.delete("frontends", memory.dump("frontends").keys());
		sync.run(false);
		expect(names()).toEqual([]);
		sync.run(true);
		expect(names()).toContain("demo/web-1:http");
	});

	/** A redirect to a Pod of this node. */
	function redirected(): Cluster {
		const pods = [pod("kube-system/cache ready one app=web 10.244.1.7")];
		return cluster({ services: [service("demo/web")], pods, policies: [redirect("dns")] });
	}

	test("knows who goes past a redirect before it is there, and forgets nobody before it is gone", () => {
		const { sync, state, steps } = start();
		sync.run(false);
		steps.length = 0;
		state.cluster = redirected();
		sync.run(false);
		const first = steps.indexOf("put frontends");
		expect(steps.indexOf("protect LocalRedirectPolicy dns")).toBe(0);
		expect(first).toBeGreaterThan(0);
		expect(steps.indexOf("release")).toBeGreaterThan(first);
		expect([...sync.policies().keys()]).toHaveLength(1);
		// What is not as wanted may still lead to them.
		steps.length = 0;
		state.cluster = web(1);
		state.putErrno = -12;
		sync.run(false);
		expect(steps).toContain("protect ");
		expect(steps).not.toContain("release");
		state.putErrno = 0;
		sync.run(false);
		expect(steps.at(-1)).toBe("release");
	});

	test("forgets nobody before the hubs are synced", () => {
		const { sync, state, steps } = start();
		state.synced = false;
		sync.run(false);
		expect(steps).toContain("protect ");
		expect(steps).not.toContain("release");
	});

	test("says of whom a redirect cannot tell", () => {
		const { sync, state, log } = start();
		state.unguarded = [{ object: "Pod a/b", reason: "Unguarded", message: "no cgroup" }];
		sync.run(false);
		expect(sync.problems()).toEqual(state.unguarded);
		expect(log.said.filter(({ message }) => message === "Problem").map(({ fields }) => fields)).toEqual([
			{ problem: "Pod a/b: no cgroup (Unguarded)" },
		]);
	});

	test("says each problem when it comes and when it goes", () => {
		const { sync, state, log } = start();
		const problem = { object: "Service demo/x", reason: "InvalidObject", message: "no port" } as const;
		state.cluster = web(1, [problem]);
		for (let n = 0; n < 3; n++) sync.run(false);
		expect(sync.problems()).toEqual([problem]);
		state.cluster = web(1);
		for (let n = 0; n < 3; n++) sync.run(false);
		const said = log.said.filter(({ message }) => message.startsWith("Problem"));
		expect(said).toEqual([
			{ level: "warn", message: "Problem", fields: { problem: "Service demo/x: no port (InvalidObject)" } },
			{ level: "info", message: "Problem is gone", fields: { problem: "Service demo/x: no port (InvalidObject)" } },
		]);
	});
});

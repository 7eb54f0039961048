// How long it takes from a snapshot to the bytes that have to be written: all at once, and after one small change.

import { createAssignment } from "../../src/datapath/assign.ts";
import { CAPACITY } from "../../src/datapath/capacity.ts";
import { emptyContents, emptyKeys } from "../../src/datapath/contents.ts";
import { diff } from "../../src/datapath/diff.ts";
import { createMemoryMaps } from "../../src/datapath/memory_maps.ts";
import { restore } from "../../src/datapath/restore.ts";
import { createWriter } from "../../src/datapath/writer.ts";
import { createLayeredMap, type LayeredMap } from "../../src/lib/layered_map.ts";
import type { Ip, Port } from "../../src/model/address.ts";
import { parseIp, parsePort } from "../../src/model/address.ts";
import type { Cluster, Endpoint, EndpointSlice, Node, Service } from "../../src/model/cluster.ts";
import { EMPTY_CLUSTER } from "../../src/model/cluster.ts";
import { endpointsIn, listEndpoints, NO_ENDPOINTS } from "../../src/model/endpoint_list.ts";
import type { Pod } from "../../src/model/pod.ts";
import { createPlanner } from "../../src/plan/plan.ts";
import type { Quarantine } from "../../src/plan/plan_types.ts";
import { selfOf } from "../support/plans.ts";
import { balancing, cluster as clusterOf, pod } from "../support/snapshots.ts";
import type { BenchRow } from "./row.ts";

const SERVICES = 10_000;
const ENDPOINTS = 10;
const NODES = 100;
const SELF = selfOf("here");
const ROUNDS = 5;
const POLICIES = 200;
const PODS = 20;

/** Medians of several runs in one process, the first of which warms up. */
export async function bench(): Promise<readonly BenchRow[]> {
	const world = createWorld();
	const runs = Array.from({ length: ROUNDS + 1 }, () => runOnce(world)).slice(1);
	const median = (pick: (run: Run) => number) => runs.map(pick).sort((a, b) => a - b)[Math.floor(runs.length / 2)] ?? 0;
	const policies = Array.from({ length: ROUNDS + 1 }, runPolicies).slice(1);
	const medianOf = (pick: (run: PoliciesRun) => number) =>
		policies.map(pick).sort((a, b) => a - b)[Math.floor(policies.length / 2)] ?? 0;
	const size = `${SERVICES} Services x ${ENDPOINTS} endpoints`;
	return [
		{
			name: `plan + encode + diff, ${size}`,
			value: median((run) => run.plan + run.encode + run.diff),
			unit: "ms",
			budget: 500,
		},
		{ name: "  plan", value: median((run) => run.plan), unit: "ms" },
		{ name: "  assign and encode", value: median((run) => run.encode), unit: "ms" },
		{ name: "  diff", value: median((run) => run.diff), unit: "ms" },
		{ name: `one changed slice among ${SERVICES}`, value: median((run) => run.change), unit: "ms" },
		{ name: "  plan", value: median((run) => run.changePlan), unit: "ms", budget: 2 },
		{ name: `one changed Node of ${NODES}: plan`, value: median((run) => run.changeNode), unit: "ms" },
		{ name: "nothing changed, all of it compared", value: median((run) => run.compare), unit: "ms" },
		{ name: "first round into memory maps", value: median((run) => run.write), unit: "ms" },
		{ name: "restart: read back and find nothing to do", value: median((run) => run.restart), unit: "ms" },
		{ name: `${POLICIES} policies x ${PODS} probed pods: plan`, value: medianOf((run) => run.plan), unit: "ms" },
		{ name: "  one changed pod", value: medianOf((run) => run.pod), unit: "ms" },
		{ name: "  one backend that has failed", value: medianOf((run) => run.failure), unit: "ms" },
	];
}

type Run = ReturnType<typeof runOnce>;

function runOnce(world: World) {
	// Nobody pays for the garbage of the run before.
	Bun.gc(true);
	const planner = createPlanner();
	const cluster = snapshot(world);
	const [plan, wholePlan] = timed(() => planner([{ name: "hub", cluster }], SELF));
	const empty = emptyContents();
	const assignment = createAssignment({ capacity: CAPACITY, restored: restore(empty, CAPACITY), firstGeneration: 1 });
	const [encode] = timed(() => assignment.update(wholePlan));
	const wanted = assignment.wanted.contents;
	const [compareEmpty] = timed(() => diff(empty, wanted, "all"));
	const [compare] = timed(() => diff(wanted, wanted, "all"));
	assignment.wanted.keep(emptyKeys());
	changeOneSlice(world);
	const changed = snapshot(world);
	const [changePlan, nextPlan] = timed(() => planner([{ name: "hub", cluster: changed }], SELF));
	const [changeRest] = timed(() => {
		assignment.update(nextPlan);
		diff(empty, wanted, assignment.wanted.dirty());
	});
	const moved: Cluster = { ...changed, nodes: createNodes("192.168.1") };
	const [changeNode] = timed(() => planner([{ name: "hub", cluster: moved }], SELF));
	const maps = createMemoryMaps();
	const start = () => createWriter({ maps, capacity: CAPACITY, firstGeneration: 1 });
	const [write] = timed(() => start().write(wholePlan, { synced: true }));
	const [restart] = timed(() => start().write(wholePlan, { synced: true }));
	const change = changePlan + changeRest;
	return { plan, encode, diff: compareEmpty, compare, changePlan, change, changeNode, write, restart };
}

type PoliciesRun = ReturnType<typeof runPolicies>;

/** Each selects pods of its own by a label, at an address of its own. */
function runPolicies() {
	Bun.gc(true);
	const pods = createLayeredMap<Pod>();
	for (let index = 0; index < POLICIES * PODS; index++) {
		const each = pod(`demo/p-${index} ready there 10.1.${index >> 8}.${index & 255} app=a${index % POLICIES},tier=web`);
		pods.set(each.key, each);
	}
	const policies = Array.from({ length: POLICIES }, (_, index) =>
		balancing(`p-${index}`, { ip: `169.254.1.${index}`, pods: `app=a${index}`, healthCheck: CHECK }),
	);
	const planner = createPlanner();
	const base = clusterOf({ policies });
	const look = (quarantine?: Quarantine) => {
		const cluster = { ...base, pods: pods.snapshot() };
		return timed(() => planner([{ name: "hub", cluster }], SELF, quarantine));
	};
	const [plan, { probes }] = look();
	const changed = pods.get("demo/p-7");
	if (changed !== undefined) pods.set(changed.key, { ...changed, ready: false });
	const [onePod] = look();
	const [failure] = look(new Set([...probes.keys()].slice(0, 1)));
	return { plan, pod: onePod, failure };
}

const CHECK = { probe: { kind: "tcp" }, interval: 10_000, timeout: 2000, fails: 3, passes: 2, panic: 0 } as const;

function timed<T>(work: () => T): readonly [milliseconds: number, result: T] {
	const start = performance.now();
	const result = work();
	return [performance.now() - start, result];
}

/** As hubs keep it: snapshots say what has changed. */
interface World {
	readonly services: LayeredMap<Service>;
	readonly slices: LayeredMap<readonly EndpointSlice[]>;
	readonly nodes: ReadonlyMap<string, Node>;
}

function snapshot({ services, slices, nodes }: World): Cluster {
	return { ...EMPTY_CLUSTER, services: services.snapshot(), slices: slices.snapshot(), nodes };
}

/** One of the Services has a node port, so that nodes' addresses are known. */
function createWorld(): World {
	const services = createLayeredMap<Service>();
	const slices = createLayeredMap<readonly EndpointSlice[]>();
	for (let index = 0; index < SERVICES; index++) {
		const key = `demo/service-${index}`;
		const http = { name: "http", port: port(80), protocol: "TCP" } as const;
		services.set(key, {
			key,
			type: index === 0 ? "NodePort" : "ClusterIP",
			clusterIps: [ip(`10.${96 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`)],
			ports: [index === 0 ? { ...http, nodePort: port(30080) } : http],
			internalTrafficPolicy: "Cluster",
			otherProxy: false,
			peerAddress: "frontend",
			global: false,
			created: "2026-01-01T00:00:00Z",
		});
		slices.set(key, [createSlice(key, index, ENDPOINTS)]);
	}
	return { services, slices, nodes: createNodes("192.168.0") };
}

function createNodes(network: string): ReadonlyMap<string, Node> {
	const names = Array.from({ length: NODES }, (_, index) => (index === 0 ? "here" : `node-${index}`));
	return new Map(
		names.map((name, index) => [name, { name, ips: [ip(`${network}.${index}`)], zone: "a", proxyIps: [] }]),
	);
}

/** Each time another way. */
function changeOneSlice({ slices }: World): void {
	const key = `demo/service-${SERVICES >> 1}`;
	const before = endpointsIn(slices.get(key)?.[0]?.endpoints ?? NO_ENDPOINTS).length;
	slices.set(key, [createSlice(key, SERVICES >> 1, before === ENDPOINTS ? ENDPOINTS - 1 : ENDPOINTS)]);
}

function createEndpoint(host: number): Endpoint {
	const address = ip(`10.${128 + (host >> 16)}.${(host >> 8) & 255}.${host & 255}`);
	return { ip: address, ready: true, serving: true, terminating: false, nodeName: "there" };
}

function createSlice(service: string, index: number, endpoints: number): EndpointSlice {
	return {
		key: `${service}-abc12`,
		service,
		addressType: "IPv4",
		endpoints: listEndpoints(
			Array.from({ length: endpoints }, (_, offset) => createEndpoint(index * ENDPOINTS + offset)),
		),
		ports: [{ name: "http", port: port(8080), protocol: "TCP" }],
	};
}

function ip(text: string): Ip {
	const parsed = parseIp(text);
	if (parsed === undefined) throw new Error(`Not an address: ${text}`);
	return parsed;
}

function port(number: number): Port {
	const parsed = parsePort(number);
	if (parsed === undefined) throw new Error(`Not a port: ${number}`);
	return parsed;
}

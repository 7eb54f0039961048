// The same with real clients over TLS against the test hub: what an agent asks for and gets, to compare the simulation with; and what lists weigh.

import { followHub, KINDS } from "../support/follow_hub.ts";
import { ask, watch } from "../support/hub/ask.ts";
import { startHub, type TestHub } from "../support/hub/hub.ts";
import { until } from "../support/wait.ts";
import { nodeObject } from "./node_objects.ts";
import type { BenchRow } from "./row.ts";
import { MEMBERS } from "./services.ts";

const CLIENTS = 50;
const SERVICES = 100;
const PATHS = ["/api/v1/services", "/apis/discovery.k8s.io/v1/endpointslices"];

/** A node for ten Services, Services, and slices as the controllers write them: random names and UIDs do not compress. */
function manifests(count: number): readonly object[] {
	const nodes = Array.from({ length: count / 10 }, (_, index) => ({
		apiVersion: "v1",
		kind: "Node",
		...nodeObject(index),
	}));
	return [...nodes, ...Array.from({ length: count }, (_, index) => manifestsOf(`service-${index}`, index)).flat()];
}

function manifestsOf(name: string, index: number): readonly object[] {
	const ip = `10.${96 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`;
	const labels = { app: name, "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io" };
	const owner = { apiVersion: "v1", kind: "Service", name, uid: crypto.randomUUID(), controller: true };
	return [
		{
			apiVersion: "v1",
			kind: "Service",
			metadata: { name, namespace: "demo", labels: { app: name } },
			spec: {
				clusterIP: ip,
				clusterIPs: [ip],
				selector: { app: name },
				ports: [{ name: "http", port: 80, targetPort: 8080, protocol: "TCP" }],
			},
		},
		{
			apiVersion: "discovery.k8s.io/v1",
			kind: "EndpointSlice",
			metadata: {
				name: `${name}-abc12`,
				namespace: "demo",
				generateName: `${name}-`,
				labels: { ...labels, "kubernetes.io/service-name": name },
				ownerReferences: [{ ...owner, blockOwnerDeletion: true }],
			},
			addressType: "IPv4",
			endpoints: Array.from({ length: MEMBERS }, (_, member) => endpointOf(name, index * MEMBERS + member)),
			ports: [{ name: "http", port: 8080, protocol: "TCP" }],
		},
	];
}

function endpointOf(service: string, number: number): object {
	const pod = `${service}-7d9f8b6c5d-${((number * 7919) % 99_991).toString(36)}`;
	return {
		addresses: [`10.${128 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`],
		conditions: { ready: true, serving: true, terminating: false },
		nodeName: `node-${number % 500}`,
		targetRef: { kind: "Pod", namespace: "demo", name: pod, uid: crypto.randomUUID() },
	};
}

type Fault = "all connections reset" | "restart of 1 s, 410 for all";

async function strike(hub: TestHub, fault: Fault): Promise<void> {
	if (fault === "all connections reset") {
		for (const connection of hub.connections()) connection.reset();
		return;
	}
	await hub.kill();
	await Bun.sleep(1000);
	await hub.restart();
}

/** On real time. */
async function returnAfter(fault: Fault): Promise<readonly BenchRow[]> {
	await using hub = await startHub({ kubernetes: false });
	hub.apply(manifests(SERVICES));
	await using stack = new AsyncDisposableStack();
	const clients = Array.from({ length: CLIENTS }, () => stack.use(followHub(hub, { random: Math.random })));
	const all = () => hub.watches().length === KINDS * CLIENTS;
	await until("all clients follow", () => clients.every(({ seen }) => seen.length > 0) && all());
	hub.resetCounters();
	const { accepted } = hub.traffic();
	const started = performance.now();
	await strike(hub, fault);
	hub.skip(1);
	await until("none follows", () => !all());
	while (!all()) await Bun.sleep(10);
	const seconds = (performance.now() - started) / 1000;
	const { bytesIn, bytesOut, accepted: now } = hub.traffic();
	const each = (value: number) => value / CLIENTS;
	return [
		{ name: `${CLIENTS} real clients, ${fault}: requests of a client`, value: each(hub.count()), unit: "" },
		{ name: "  lists of a client (all kinds)", value: each(hub.count({ verb: "list" })), unit: "" },
		{ name: "  connections of a client", value: each(now - accepted), unit: "" },
		{ name: "  bytes of a client, both ways, without TLS", value: each(bytesIn + bytesOut) / 1000, unit: "kB" },
		{ name: "  all follow again after", value: seconds, unit: "s" },
	];
}

export async function measureReturn(): Promise<readonly BenchRow[]> {
	return [...(await returnAfter("all connections reset")), ...(await returnAfter("restart of 1 s, 410 for all"))];
}

const STREAM = "watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";

async function readPages(hub: TestHub, path: string): Promise<void> {
	let token = "";
	do {
		const more = token === "" ? "" : `&continue=${token}`;
		const page = await ask(hub, `${path}?limit=500${more}`, { headers: { "accept-encoding": "gzip" } });
		const next = page.at("metadata", "continue");
		token = typeof next === "string" ? next : "";
	} while (token !== "");
}

async function readWhole(hub: TestHub, path: string): Promise<void> {
	const query = "resourceVersion=1&resourceVersionMatch=NotOlderThan";
	await ask(hub, `${path}?${query}`, { headers: { "accept-encoding": "gzip" } });
}

async function readStream(hub: TestHub, path: string): Promise<void> {
	await using lines = await watch(hub, `${path}?${STREAM}`);
	for (let event = await lines.next(); event?.type === "ADDED"; event = await lines.next());
}

const WAYS = {
	"pages of 500, gzip": readPages,
	"one answer, gzip": readWhole,
	"streaming list": readStream,
};

/** What Services and slices of a cluster weigh, by each way in which an API server gives them. */
export async function measureLists(): Promise<readonly BenchRow[]> {
	const rows: BenchRow[] = [];
	for (const count of [1000, 10_000]) {
		await using hub = await startHub({ kubernetes: false });
		hub.apply(manifests(count));
		for (const [name, read] of Object.entries(WAYS)) {
			hub.resetCounters();
			for (const path of PATHS) await read(hub, path);
			const kilobytes = hub.traffic().bytesOut / 1000;
			rows.push({ name: `${count.toLocaleString("en")} Services x ${MEMBERS}: ${name}`, value: kilobytes, unit: "kB" });
		}
	}
	return rows;
}

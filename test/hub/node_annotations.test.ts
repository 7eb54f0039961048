// the agent writes its node's id and proxy addresses to its own Node, once, and never over what is there.

import { afterEach, expect, test } from "bun:test";
import { annotateNode } from "../../src/agent/node_annotations.ts";
import { createObjects } from "../../src/hub/request/objects.ts";
import { type Cluster, EMPTY_CLUSTER } from "../../src/model/cluster.ts";
import { projectNode } from "../../src/model/node.ts";
import { loginTo } from "../support/api.ts";
import { startHub, type TestHub } from "../support/hub/hub.ts";
import { at, fieldsOf } from "../support/hub/object.ts";
import { createJumpClock, type JumpClock } from "../support/jump_clock.ts";
import { recordingLog } from "../support/log.ts";
import { until } from "../support/wait.ts";

const ID = "balancing.elf.io/nodeId";
const PROXY4 = "balancing.elf.io/nodeProxyIpv4";
const PROXY6 = "balancing.elf.io/nodeProxyIpv6";
const ADDRESSES = [
	{ type: "Hostname", address: "n1" },
	{ type: "ExternalIP", address: "198.51.100.1" },
	{ type: "InternalIP", address: "192.0.2.1" },
	{ type: "InternalIP", address: "fd00::1" },
];

function node(name: string, annotations: object = {}, addresses: readonly object[] = ADDRESSES): object {
	return { apiVersion: "v1", kind: "Node", metadata: { name, annotations }, status: { addresses } };
}

interface Running extends AsyncDisposable {
	readonly clock: JumpClock;
	readonly log: ReturnType<typeof recordingLog>;
	/** Something has changed. */
	call(): void;
}

function annotating(hub: TestHub, nodeName: string, { user = "admin", random = 0 } = {}): Running {
	const login = loginTo(hub, user);
	const stop = new AbortController();
	const clock = createJumpClock();
	const log = recordingLog();
	const seen = (): Cluster => {
		const nodes = hub.list("Node").map((object) => projectNode(object).value);
		return {
			...EMPTY_CLUSTER,
			nodes: new Map(nodes.flatMap((each) => (each === undefined ? [] : [[each.name, each]]))),
		};
	};
	const { signal } = stop;
	const objects = createObjects(login.api, signal);
	const running = annotateNode({ nodeName, cluster: seen, objects, random: () => random, clock, log, signal });
	running.call();
	return {
		clock,
		log,
		call: running.call,
		async [Symbol.asyncDispose]() {
			stop.abort();
			await running.stopped;
			login[Symbol.dispose]();
		},
	};
}

const hubs: TestHub[] = [];
async function hubWith(...nodes: readonly object[]): Promise<TestHub> {
	const hub = await startHub({ users: { edge: { credentials: "token", rules: [] } } });
	hubs.push(hub);
	hub.apply(nodes);
	return hub;
}
afterEach(async () => {
	for (const hub of hubs.splice(0)) await hub.close();
});

function annotationsOf(hub: TestHub, name: string): object {
	return fieldsOf(at(hub.get("Node", undefined, name), "metadata", "annotations"));
}

test("a Node without annotations gets an id that no other has, and the first address of each family", async () => {
	const hub = await hubWith(node("n1"), node("n2", { [ID]: "1" }));
	await using _ = annotating(hub, "n1");
	await until("annotated", () => ID in annotationsOf(hub, "n1"));
	expect(annotationsOf(hub, "n1")).toEqual({ [ID]: "2", [PROXY4]: "198.51.100.1", [PROXY6]: "fd00::1" });
	expect(annotationsOf(hub, "n2")).toEqual({ [ID]: "1" });
});

test("what an administrator has set stays, even where it is wrong", async () => {
	const hub = await hubWith(node("n1", { [PROXY4]: "203.0.113.9", [PROXY6]: "", [ID]: "mine" }));
	await using running = annotating(hub, "n1");
	await until("looked", () => hub.count({ verb: "get", resource: "nodes" }) > 0 && running.clock.sleeping().length > 0);
	expect(annotationsOf(hub, "n1")).toEqual({ [PROXY4]: "203.0.113.9", [PROXY6]: "", [ID]: "mine" });
	expect(hub.count({ verb: "patch" })).toBe(0);
});

test("an id stays over restarts, and an address that comes later is written then", async () => {
	const hub = await hubWith(node("n1", {}, []));
	{
		await using _ = annotating(hub, "n1");
		await until("annotated", () => ID in annotationsOf(hub, "n1"));
		expect(annotationsOf(hub, "n1")).toEqual({ [ID]: "1" });
	}
	hub.apply(node("n1", annotationsOf(hub, "n1")));
	await using _ = annotating(hub, "n1", { random: 0.5 });
	await until("annotated", () => PROXY4 in annotationsOf(hub, "n1"));
	expect(annotationsOf(hub, "n1")).toEqual({ [ID]: "1", [PROXY4]: "198.51.100.1", [PROXY6]: "fd00::1" });
});

test("a host that is no node of the cluster asks for nothing", async () => {
	const hub = await hubWith(node("n1"));
	await using running = annotating(hub, "outside");
	await until("at rest", () => running.clock.sleeping().length > 0);
	running.clock.jump(60_000);
	expect(hub.count({ resource: "nodes" })).toBe(0);
});

test("a refusal is told once, with what to do, and is not repeated", async () => {
	const hub = await hubWith(node("n1"));
	await using running = annotating(hub, "n1", { user: "edge" });
	await until("told", () => running.log.said.length > 0);
	for (let round = 0; round < 3; round++) {
		hub.apply(node("n1", {}, [{ type: "InternalIP", address: `192.0.2.${round}` }]));
		running.clock.jump(60_000);
		running.call();
		await until("asked again", () => hub.count({ verb: "get", user: "edge" }) > round + 1);
	}
	expect(running.log.said.map(({ fields }) => Reflect.get(fields, "hint"))).toEqual([
		"allow it by edge/kubernetes/node_annotations, or give --annotate-node off",
	]);
});

test("whoever writes to the Node meanwhile keeps what was written", async () => {
	const hub = await hubWith(node("n1"));
	// The first patch waits, and meanwhile the Node becomes another version.
	const delayed = hub.inject({ verb: "patch", resource: "nodes" }, { kind: "delay", ms: 50 }, 1);
	await using running = annotating(hub, "n1");
	await until("about to be written", () => delayed.hits() === 1);
	hub.apply(node("n1", { other: "1" }));
	await until("told", () => running.log.said.length > 0);
	expect(annotationsOf(hub, "n1")).toMatchObject({ other: "1", [PROXY4]: "198.51.100.1" });
	expect(hub.requests({ verb: "patch" }).map(({ code }) => code)).toEqual([409, 200]);
	await until("told", () => running.log.said.length > 0);
	expect(running.log.messages()).toEqual(["info Annotated the Node"]);
});

// Nodes: what is kept of them changes seldom, and a cluster that does not show them is followed all the same.

import { expect, test } from "bun:test";
import { agentRights, type Follower, followHub, jumpUntil, webService } from "../support/follow_hub.ts";
import { followMetaServer, heard, metaPlace, passUntil, settled } from "../support/follow_metaserver.ts";
import { startHub, type TestHub } from "../support/hub/hub.ts";
import { pageNotFound, serverError } from "../support/hub/status.ts";
import { until } from "../support/wait.ts";

const RIGHTS = agentRights("nodes");
const ALL = agentRights();
const ZONE = "topology.kubernetes.io/zone";

/** As a kubelet reports it. */
function node(name: string, address: string, heartbeat = "2026-11-20T12:00:00Z"): object {
	return {
		apiVersion: "v1",
		kind: "Node",
		metadata: { name, labels: { [ZONE]: "a" } },
		status: {
			addresses: [
				{ type: "InternalIP", address },
				{ type: "Hostname", address: name },
			],
			conditions: [{ type: "Ready", status: "True", lastHeartbeatTime: heartbeat }],
		},
	};
}

const nodes = ({ seen }: Pick<Follower, "seen">) =>
	[...(seen.at(-1)?.nodes.values() ?? [])].map(({ name, ips, zone }) => `${name} ${ips} ${zone}`).sort();

const FORBIDDEN =
	"The API server refuses to show them (403): grant list and watch on nodes in a ClusterRole; until then nothing is heard of node ports, zones and ways over nodes";

test("nodes come, change and go", async () => {
	await using server = await startHub({ kubernetes: false });
	server.apply([...webService("web"), node("n1", "10.0.0.1")]);
	await using client = followHub(server);
	await client.shows("demo/web");
	expect(nodes(client)).toEqual(["n1 10.0.0.1 a"]);
	server.apply(node("n2", "10.0.0.2"));
	await until("another", () => nodes(client).length === 2);
	server.apply(node("n1", "10.0.0.9"));
	await until("another address", () => nodes(client)[0] === "n1 10.0.0.9 a");
	server.delete("Node", undefined, "n1");
	await until("gone", () => String(nodes(client)) === "n2 10.0.0.2 a");
	expect(client.problems()).toEqual([]);
});

test("a heartbeat changes nothing", async () => {
	await using server = await startHub({ kubernetes: false });
	server.apply([...webService("web"), node("n1", "10.0.0.1"), node("n2", "10.0.0.2")]);
	await using client = followHub(server);
	await client.shows("demo/web");
	const [first] = client.seen;
	for (let minute = 1; minute < 10; minute++) {
		for (const [name, ip] of [
			["n1", "10.0.0.1"],
			["n2", "10.0.0.2"],
		] as const)
			server.apply(node(name, ip, `2026-11-20T12:0${minute}:00Z`));
	}
	const [watch] = server.watches({ resource: "nodes" });
	await until("all sent", () => (watch?.sent() ?? 0) >= 18);
	// What comes after them by the same watch shows that they were read.
	server.apply(node("n3", "10.0.0.3"));
	await until("another", () => nodes(client).length === 3);
	expect(client.seen).toHaveLength(2);
	expect(client.seen[1]?.nodes.get("n1")).toBe(first?.nodes.get("n1") as never);
	expect(client.seen[1]?.services).toBe(first?.services as never);
});

test("a node that is wrong is a Problem, by its name", async () => {
	await using server = await startHub({ kubernetes: false });
	server.apply(node("n1", "10.0.0.300"));
	await using client = followHub(server);
	await until("shown", () => client.seen.length > 0);
	expect(client.seen.at(-1)?.problems).toMatchObject([{ object: "Node n1", field: "status.addresses[0].address" }]);
	server.apply(node("n1", "10.0.0.3"));
	await until("mended", () => client.problems().length === 0);
	expect(nodes(client)).toEqual(["n1 10.0.0.3 a"]);
});

function withRights(rules: typeof RIGHTS): Promise<TestHub> {
	return startHub({ kubernetes: false, users: { edge: { credentials: "token", rules } } });
}

test("without the right to see nodes the rest is followed, which is a Problem until the right comes", async () => {
	await using server = await withRights(RIGHTS);
	server.apply([...webService("web"), node("n1", "10.0.0.1")]);
	await using client = followHub(server, { kubeconfig: server.kubeconfig({ user: "edge" }) });
	await jumpUntil(client, "the Service", () => client.services()?.length === 1);
	// Not at the first refusal: a server that has just started knows no rights.
	expect(server.requests({ resource: "nodes", code: 403 })).toHaveLength(2);
	expect(client.seen.at(-1)?.problems).toEqual([{ object: "Nodes", reason: "Forbidden", message: FORBIDDEN }]);
	expect(client.hub.status()).toMatchObject({ synced: true, staleSince: null });
	expect(client.log.filter((line) => line.startsWith("warn"))).toEqual([
		expect.stringContaining("warn Cannot follow the hub Cannot watch Nodes: 403"),
		"warn Followed without a kind that the hub does not show",
	]);
	server.apply(webService("more"));
	await client.shows("demo/more", "demo/web");
	server.setRules("edge", ALL);
	await jumpUntil(client, "the node", () => nodes(client).length === 1);
	await until("no Problem", () => client.problems().length === 0);
});

test("a right that is taken away takes no node with it", async () => {
	await using server = await withRights(ALL);
	server.apply([...webService("web"), node("n1", "10.0.0.1")]);
	await using client = followHub(server, { kubeconfig: server.kubeconfig({ user: "edge" }) });
	await client.shows("demo/web");
	server.setRules("edge", RIGHTS);
	server.watches({ resource: "nodes" })[0]?.reset();
	await jumpUntil(client, "the Problem", () => client.problems().length > 0);
	expect(nodes(client)).toEqual(["n1 10.0.0.1 a"]);
	// What is known grows old, and that is said.
	expect(client.hub.status().staleSince).not.toBeNull();
});

test("a server without nodes is followed", async () => {
	await using server = await startHub({ kubernetes: false });
	server.inject({ resource: "nodes" }, { kind: "error", error: pageNotFound() });
	server.apply(webService("web"));
	await using client = followHub(server);
	await jumpUntil(client, "the Service", () => client.services()?.length === 1);
	expect(client.problems()).toEqual(["Nodes: NotServed"]);
});

test("a server that fails to give nodes is waited for: they may be there", async () => {
	await using server = await startHub({ kubernetes: false });
	const fault = server.inject({ resource: "nodes" }, { kind: "error", error: serverError(500, "no") });
	server.apply([...webService("web"), node("n1", "10.0.0.1")]);
	await using client = followHub(server);
	await jumpUntil(client, "some failures", () => fault.hits() > 3);
	expect(client.seen).toEqual([]);
	fault.remove();
	await jumpUntil(client, "all of it", () => client.seen.length > 0);
	expect(nodes(client)).toEqual(["n1 10.0.0.1 a"]);
});

test("by a MetaServer: nodes come, change, go when two witnesses say so, and stay without the cloud", async () => {
	await using place = await metaPlace([...webService("web"), node("n1", "10.0.0.1")]);
	await using client = followMetaServer(place.server);
	await settled(place, client);
	expect(nodes(client)).toEqual(["edge-1 10.0.0.1 ", "n1 10.0.0.1 a"]);
	place.cloud.apply(node("n1", "10.0.0.9"));
	await until("another address", () => nodes(client)[1] === "n1 10.0.0.9 a");
	place.server.set({ link: "down" });
	place.server.forget("Node");
	await passUntil(client, "without the cloud", () => client.hub.status().withoutCloudSince !== null);
	expect(nodes(client)).toEqual(["edge-1 10.0.0.1 ", "n1 10.0.0.9 a"]);
	place.server.set({ link: "up" });
	place.cloud.delete("Node", undefined, "n1");
	await heard(place, client);
	await passUntil(client, "gone", () => String(nodes(client)) === "edge-1 10.0.0.1 ");
});

test("by a MetaServer: a baseline has the nodes that the store does not know yet", async () => {
	await using place = await metaPlace([...webService("web"), node("n1", "10.0.0.1")]);
	const before = followMetaServer(place.server);
	await settled(place, before);
	const baseline = before.seen.at(-1);
	await before[Symbol.asyncDispose]();
	place.server.set({ link: "down" });
	place.server.forget("Node");
	await using client = followMetaServer(place.server, { baseline, namespaces: ["demo"] });
	await client.shows("demo/web");
	expect(nodes(client)).toEqual(["edge-1 10.0.0.1 ", "n1 10.0.0.1 a"]);
});

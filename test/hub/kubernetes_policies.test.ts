// Policies and the Pods that they select: a policy is never shown before its Pods are known, and no Pod longer than it is asked for.

import { describe, expect, test } from "bun:test";
import { labelIn } from "../../src/model/labels.ts";
import { agentRights, type Follower, followHub, jumpUntil, KINDS, webService } from "../support/follow_hub.ts";
import { POLICY_DEFINITIONS } from "../support/hub/definition.ts";
import { startHub, type TestHub } from "../support/hub/hub.ts";
import { badRequest, serverError } from "../support/hub/status.ts";
import { addressPolicy, podPolicy, policyPod } from "../support/policies.ts";
import { until } from "../support/wait.ts";

const policies = ({ seen }: Pick<Follower, "seen">): readonly string[] =>
	[...(seen.at(-1)?.policies.keys() ?? [])].sort();
const pods = ({ seen }: Pick<Follower, "seen">): readonly string[] => [...(seen.at(-1)?.pods.keys() ?? [])].sort();
/** Selectors of the watches of Pods that are open, without the one of the agent's node. */
const selectors = (server: TestHub): readonly string[] =>
	server
		.watches({ resource: "pods" })
		.map(({ target }) => new URL(target, server.url).searchParams)
		.filter((query) => !query.has("fieldSelector"))
		.map((query) => query.get("labelSelector") ?? "")
		.sort();
const elsewhere = (name: string, app: string, ip = "10.1.0.1") =>
	policyPod(name, { labels: { app }, node: "other", ip });

test("Pods of our own node are shown, and no others", async () => {
	await using server = await startHub({ kubernetes: false });
	server.apply([policyPod("own"), elsewhere("other", "a")]);
	await using client = followHub(server);
	await until("the first snapshot", () => client.seen.length > 0);
	expect(pods(client)).toEqual(["demo/own"]);
	server.apply(policyPod("next"));
	await until("the next one", () => String(pods(client)) === "demo/next,demo/own");
	server.delete("Pod", "demo", "own");
	await until("gone", () => String(pods(client)) === "demo/next");
});

test.each(["policy", "pods"] as const)("a policy and its Pods, %s first", async (first) => {
	await using server = await startHub({ kubernetes: false });
	const parts = { policy: podPolicy("p", { app: "a" }), pods: [elsewhere("a1", "a"), elsewhere("b1", "b")] };
	server.apply(parts[first]);
	await using client = followHub(server);
	await until("the first snapshot", () => client.seen.length > 0);
	server.apply(parts[first === "policy" ? "pods" : "policy"]);
	await until("the Pod", () => String(pods(client)) === "demo/a1" && policies(client).length === 1);
	expect(selectors(server)).toEqual(["app=a"]);
	if (first === "pods") {
		// Not for a moment without them: it would have led nowhere.
		const together = client.seen.filter((cluster) => cluster.policies.size > 0);
		expect(together.every((cluster) => cluster.pods.size === 1)).toBe(true);
	}
});

test("the first snapshot waits for the Pods that policies select", async () => {
	await using server = await startHub({ kubernetes: false });
	server.apply([...webService("web"), podPolicy("p", { app: "a" }), elsewhere("a1", "a")]);
	const fault = server.inject(
		{ resource: "pods", where: ({ query }) => query.get("labelSelector") === "app=a" },
		{ kind: "error", error: serverError(500, "no") },
	);
	await using client = followHub(server);
	await jumpUntil(client, "some failures", () => fault.hits() > 2);
	expect(client.seen).toEqual([]);
	expect(client.hub.status()).toMatchObject({ synced: false });
	expect(client.hub.status().kinds.at(-1)).toMatchObject({ title: "Pods with app=a", synced: false });
	fault.remove();
	await jumpUntil(client, "all of it", () => client.seen.length > 0);
	expect([policies(client), pods(client)].map(String)).toEqual(["BalancingPolicy p", "demo/a1"]);
	expect(client.hub.status().synced).toBe(true);
});

test("a policy whose selector changes stays as it was, with its Pods, until the new ones are known; others go on", async () => {
	await using server = await startHub({ kubernetes: false });
	server.apply([podPolicy("p", { app: "a" }), elsewhere("a1", "a"), elsewhere("b1", "b")]);
	await using client = followHub(server);
	await until("the first snapshot", () => client.seen.length > 0);
	const old = client.seen.at(-1)?.policies.get("BalancingPolicy p");
	const fault = server.inject(
		{ resource: "pods", where: ({ query }) => query.get("labelSelector") === "app=b" },
		{ kind: "error", error: serverError(500, "no") },
	);
	server.apply(podPolicy("p", { app: "b" }));
	await jumpUntil(client, "some failures", () => fault.hits() > 2);
	server.apply(webService("web"));
	await client.shows("demo/web");
	expect(pods(client)).toEqual(["demo/a1"]);
	expect(client.seen.at(-1)?.policies.get("BalancingPolicy p")).toBe(old as never);
	expect(client.hub.status()).toMatchObject({ synced: true });
	expect(client.hub.status().kinds.at(-1)?.problem).toContain("500 no");
	fault.remove();
	await jumpUntil(client, "the new Pod", () => String(pods(client)) === "demo/b1");
	expect(client.seen.at(-1)?.policies.get("BalancingPolicy p")).not.toBe(old as never);
	// In one step.
	const states = client.seen.map((cluster) => [...cluster.pods.keys()].join());
	expect([...new Set(states)]).toEqual(["demo/a1", "demo/b1"]);
	await until("the old watch closed", () => String(selectors(server)) === "app=b");
	expect(client.log.filter((line) => line.includes("TypeError"))).toEqual([]);
});

test("a Pod that is relabelled comes and goes; one that two watches have stays until none has it", async () => {
	await using server = await startHub({ kubernetes: false });
	server.apply([podPolicy("p", { app: "a" }), podPolicy("q", { tier: "x" })]);
	await using client = followHub(server);
	await until("both watches", () => client.seen.length > 0 && selectors(server).length === 2);
	const pod = (labels: Readonly<Record<string, string>>, ip = "10.1.0.1") =>
		server.apply(policyPod("one", { labels, node: "other", ip }));
	pod({ app: "a" });
	await until("in", () => pods(client).length === 1);
	pod({ app: "a", tier: "x" });
	await until("both have it", () => client.seen.at(-1)?.pods.get("demo/one")?.labels.includes("tier=x") === true);
	pod({ tier: "x" }, "10.1.0.2");
	await until("one has it", () => {
		const labels = client.seen.at(-1)?.pods.get("demo/one")?.labels;
		return labels !== undefined && labelIn(labels, "app") === undefined;
	});
	expect(client.seen.at(-1)?.pods.get("demo/one")?.ips.map(String)).toEqual(["10.1.0.2"]);
	pod({});
	await until("out", () => pods(client).length === 0);
	expect(client.seen.slice(1).filter((cluster) => cluster.pods.size > 1)).toEqual([]);
});

test("a policy that is deleted takes its watch and its Pods along, and gets them back", async () => {
	await using server = await startHub({ kubernetes: false });
	server.apply([podPolicy("p", { app: "a" }), elsewhere("a1", "a"), policyPod("own", { labels: { app: "a" } })]);
	await using client = followHub(server);
	await until("shown", () => pods(client).length === 2);
	for (let round = 0; round < 3; round++) {
		server.delete("BalancingPolicy", undefined, "p");
		// What is on our own node stays.
		await until("gone", () => String([policies(client), pods(client)]) === ",demo/own");
		await until("the watch closed", () => selectors(server).length === 0);
		expect(client.hub.status().kinds).toHaveLength(KINDS);
		server.apply(podPolicy("p", { app: "a" }));
		await until("back", () => String([policies(client), pods(client)]) === "BalancingPolicy p,demo/a1,demo/own");
	}
});

test("policies with selectors that say the same share one watch, which the last one closes", async () => {
	await using server = await startHub({ kubernetes: false });
	server.apply([podPolicy("p", { app: "a", tier: "x" }), podPolicy("q", { tier: "x", app: "a" })]);
	await using client = followHub(server);
	await until("shown", () => policies(client).length === 2);
	expect(selectors(server)).toEqual(["app=a,tier=x"]);
	server.delete("BalancingPolicy", undefined, "p");
	await until("one", () => policies(client).length === 1);
	expect(selectors(server)).toEqual(["app=a,tier=x"]);
	server.delete("BalancingPolicy", undefined, "q");
	await until("none", () => selectors(server).length === 0);
});

describe("definitions of policies", () => {
	test("need not be installed; what is installed later is followed, what is removed is gone", async () => {
		await using server = await startHub({ kubernetes: false, definitions: [] });
		server.apply(webService("web"));
		await using client = followHub(server);
		await jumpUntil(client, "the first snapshot", () => client.seen.length > 0);
		expect(client.problems()).toEqual([]);
		expect(client.hub.status()).toMatchObject({ synced: true, staleSince: null });
		expect(client.log.filter((line) => line.startsWith("warn"))).toEqual([]);
		expect(client.log.filter((line) => line === "info The cluster does not have a kind")).toHaveLength(2);
		// Twice, soon, so that a server that has just started is not misunderstood.
		expect(server.requests({ code: 404 })).toHaveLength(4);
		server.apply([...POLICY_DEFINITIONS]);
		server.apply([addressPolicy("BalancingPolicy", "p"), addressPolicy("LocalRedirectPolicy", "r")]);
		const before = client.clock.now();
		await jumpUntil(client, "the policies", () => policies(client).length === 2);
		expect(client.clock.now() - before).toBeLessThan(75_000);
		for (const { metadata } of server.list("CustomResourceDefinition"))
			server.delete("CustomResourceDefinition", undefined, metadata.name);
		await jumpUntil(client, "gone", () => policies(client).length === 0);
		await jumpUntil(client, "asked again", () => client.hub.status().staleSince === null);
		expect(client.problems()).toEqual([]);
	});

	test("that are gone after the hub was away leave no policy behind", async () => {
		await using server = await startHub({ kubernetes: false });
		server.apply([addressPolicy("BalancingPolicy", "p"), podPolicy("q", { app: "a" }), elsewhere("a1", "a")]);
		await using client = followHub(server);
		await until("shown", () => policies(client).length === 2);
		await server.stopAccepting();
		await server.kill();
		for (const { metadata } of server.list("CustomResourceDefinition"))
			server.delete("CustomResourceDefinition", undefined, metadata.name);
		await server.resumeAccepting();
		await jumpUntil(client, "gone", () => policies(client).length === 0);
		expect(pods(client)).toEqual([]);
		await jumpUntil(client, "followed again", () => client.hub.status().staleSince === null);
	});
});

test("without the right to see Pods policies are shown, and what is missing is a Problem until the right comes", async () => {
	const rights = agentRights("pods");
	await using server = await startHub({
		kubernetes: false,
		users: { edge: { credentials: "token", rules: rights } },
	});
	server.apply([...webService("web"), podPolicy("p", { app: "a" }), elsewhere("a1", "a")]);
	await using client = followHub(server, { kubeconfig: server.kubeconfig({ user: "edge" }) });
	await jumpUntil(client, "shown", () => policies(client).length === 1);
	expect(client.services()).toEqual(["demo/web"]);
	expect(client.problems().toSorted()).toEqual(["Pods on edge-1: Forbidden", "Pods with app=a: Forbidden"]);
	expect(client.seen.at(-1)?.problems[0]?.message).toBe(
		"The API server refuses to show them (403): grant list and watch on pods in a ClusterRole; until then nothing is heard of pods behind policies",
	);
	server.setRules("edge", agentRights());
	await jumpUntil(client, "the Pod", () => pods(client).length === 1);
	await until("no Problem", () => client.problems().length === 0);
});

test("a hub that is away and comes back: what it has is shown, also what it was asked for meanwhile", async () => {
	await using server = await startHub({ kubernetes: false });
	server.apply([
		podPolicy("p", { app: "a" }),
		podPolicy("q", { app: "b" }),
		elsewhere("a1", "a"),
		elsewhere("b1", "b"),
	]);
	await using client = followHub(server);
	await until("shown", () => pods(client).length === 2);
	await server.stopAccepting();
	await server.kill();
	await until("stale", () => client.hub.status().staleSince !== null);
	server.delete("Pod", "demo", "a1");
	server.apply([elsewhere("a2", "a"), podPolicy("q", { app: "c" }), elsewhere("c1", "c")]);
	expect(pods(client)).toEqual(["demo/a1", "demo/b1"]);
	await server.resumeAccepting();
	await jumpUntil(client, "the truth", () => String(pods(client)) === "demo/a2,demo/c1");
	await jumpUntil(client, "followed", () => client.hub.status().staleSince === null);
	expect(client.seen.every((cluster) => cluster.pods.size > 0)).toBe(true);
});

test("a watch that is closed while the hub is away keeps nobody from asking again", async () => {
	await using server = await startHub({ kubernetes: false });
	const selected = Array.from({ length: 8 }, (_, index) => `s${index}`);
	server.apply(selected.flatMap((app) => [podPolicy(app, { app }), elsewhere(`${app}-1`, app)]));
	await using client = followHub(server);
	await until("shown", () => pods(client).length === 8);
	// Watches of Pods fail, the others tell that their policies are gone: each of those that wait for a turn is closed.
	const fault = server.inject({ resource: "pods" }, { kind: "break", how: "reset" });
	for (const watch of server.watches({ resource: "pods" })) watch.reset();
	await jumpUntil(client, "some attempts", () => fault.hits() > 2);
	for (const app of selected.slice(0, 7)) server.delete("BalancingPolicy", undefined, app);
	await jumpUntil(client, "closed", () => policies(client).length === 1);
	fault.remove();
	server.apply(elsewhere("s7-2", "s7"));
	await jumpUntil(client, "followed again", () => String(pods(client)) === "demo/s7-1,demo/s7-2");
	await jumpUntil(client, "nothing stale", () => client.hub.status().staleSince === null);
});

test("most Pods of one watch that vanish at once are doubted, whatever happens to others", async () => {
	await using server = await startHub({ kubernetes: false });
	const many = Array.from({ length: 12 }, (_, index) => `a${index}`);
	server.apply([podPolicy("p", { app: "a" }), podPolicy("q", { app: "b" }), elsewhere("b1", "b")]);
	server.apply(many.map((name) => elsewhere(name, "a")));
	await using client = followHub(server);
	await until("shown", () => pods(client).length === 13);
	for (const name of many) server.delete("Pod", "demo", name);
	server.delete("Pod", "demo", "b1");
	await until("doubted", () => client.problems().includes("Pods with app=a: Doubtful"));
	expect(pods(client).length).toBeGreaterThanOrEqual(6);
	await jumpUntil(client, "believed", () => pods(client).length === 0);
	await until("no Problem", () => client.problems().length === 0);
});

test("a selector that the server does not take hurts its own policy alone", async () => {
	await using server = await startHub({ kubernetes: false });
	server.apply([
		...webService("web"),
		podPolicy("p", { app: "a" }),
		podPolicy("q", { app: "b" }),
		elsewhere("b1", "b"),
	]);
	const error = badRequest("unable to parse requirement");
	server.inject(
		{ resource: "pods", where: ({ query }) => query.get("labelSelector") === "app=a" },
		{ kind: "error", error },
	);
	await using client = followHub(server);
	await jumpUntil(client, "shown", () => client.seen.length > 0);
	expect([policies(client), pods(client)].map(String)).toEqual(["BalancingPolicy p,BalancingPolicy q", "demo/b1"]);
	expect(client.seen.at(-1)?.problems).toEqual([
		{
			object: "Pods with app=a",
			reason: "Unsupported",
			message:
				"The API server, or a proxy before it, does not take the question (400): select by fewer labels and values; until then nothing is heard of pods behind policies",
		},
	]);
});

test("what a kubelet says of a Pod again and again changes nothing", async () => {
	await using server = await startHub({ kubernetes: false });
	const pod = (name: string, minute: number) => {
		const made = policyPod(name);
		const containerStatuses = [{ name: "c", restartCount: minute, lastState: {} }];
		return { ...made, status: { ...Reflect.get(made, "status"), containerStatuses } };
	};
	server.apply(pod("own", 0));
	await using client = followHub(server);
	await until("shown", () => pods(client).length === 1);
	for (let minute = 1; minute < 10; minute++) server.apply(pod("own", minute));
	server.apply(pod("next", 0));
	await until("another", () => pods(client).length === 2);
	expect(client.seen).toHaveLength(2);
	expect(client.seen[1]?.pods.get("demo/own")).toBe(client.seen[0]?.pods.get("demo/own") as never);
	// A projection, and nothing of what it was made of.
	expect(JSON.stringify(client.seen[1]?.pods.get("demo/own"))).not.toContain("restartCount");
});

test("so many selectors that there would be too many watches are a Problem of the youngest policies", async () => {
	await using server = await startHub({ kubernetes: false });
	const names = Array.from({ length: 66 }, (_, index) => `p${String(index).padStart(2, "0")}`);
	server.apply(names.map((name) => podPolicy(name, { app: name })));
	server.apply(names.map((name) => elsewhere(name, name)));
	await using client = followHub(server);
	await until("shown", () => client.seen.length > 0);
	expect(policies(client)).toHaveLength(66);
	expect(pods(client)).toHaveLength(64);
	expect(client.seen.at(-1)?.problems).toEqual(
		["p64", "p65"].map((name) => ({
			object: `BalancingPolicy ${name}`,
			reason: "TooLarge",
			message:
				"Its pods are not read: over 64 watches for what policies select; give policies the same endpointSelector, or narrow the hub with --namespaces",
		})),
	);
	server.delete("BalancingPolicy", undefined, "p00");
	await until("one more", () => pods(client).includes("demo/p64"));
	await until("one Problem less", () => client.problems().length === 1);
	server.delete("BalancingPolicy", undefined, "p65");
	await until("no Problem", () => client.problems().length === 0);
});

test("the controller follows 200 selectors at once", async () => {
	await using server = await startHub({ kubernetes: false });
	const names = Array.from({ length: 201 }, (_, index) => `p${String(index).padStart(3, "0")}`);
	server.apply(names.flatMap((name) => [podPolicy(name, { app: name }), elsewhere(name, name)]));
	await using client = followHub(server, { audience: { kind: "cluster" } });
	await until("shown", () => client.seen.length > 0);
	expect(pods(client)).toHaveLength(200);
	await until("all watched", () => selectors(server).length === 200);
	server.apply(elsewhere("late", "p199"));
	await until("a change of the last", () => pods(client).includes("demo/late"));
	expect(client.problems()).toEqual(["BalancingPolicy p200: TooLarge"]);
});

test("namespaces narrow Pods as well, one watch in each", async () => {
	await using server = await startHub({ kubernetes: false });
	const inside = (namespace: string) => ({
		...elsewhere("x", "a"),
		metadata: { name: "x", namespace, labels: { app: "a" } },
	});
	server.apply([podPolicy("p", { app: "a" }), ...["one", "two", "three"].map(inside)]);
	await using client = followHub(server, { namespaces: ["one", "two"] });
	await until("shown", () => policies(client).length === 1);
	expect(pods(client)).toEqual(["one/x", "two/x"]);
	expect(
		client.hub
			.status()
			.kinds.map(({ title }) => title)
			.slice(-2),
	).toEqual(["Pods in one with app=a", "Pods in two with app=a"]);
});

test("for the cluster: Pods of both kinds of policies, none of a node, no slices", async () => {
	await using server = await startHub({ kubernetes: false });
	server.apply([
		...webService("web"),
		podPolicy("p", { app: "a" }),
		addressPolicy("LocalRedirectPolicy", "r"),
		elsewhere("a1", "a"),
		elsewhere("r1", "r"),
		policyPod("own"),
	]);
	await using client = followHub(server, { audience: { kind: "cluster" } });
	await until("shown", () => policies(client).length === 2);
	expect(pods(client)).toEqual(["demo/a1", "demo/r1"]);
	expect(client.seen.at(-1)?.slices.size).toBe(0);
	expect(server.requests({ resource: "endpointslices.discovery.k8s.io" })).toEqual([]);
});

test("labels of our own Node are kept, and of no other", async () => {
	await using server = await startHub({ kubernetes: false });
	const node = (name: string) => ({ apiVersion: "v1", kind: "Node", metadata: { name, labels: { disk: "ssd" } } });
	server.apply([node("edge-1"), node("n2")]);
	await using client = followHub(server);
	await until("shown", () => client.seen.length > 0);
	const labels = [...(client.seen.at(-1)?.nodes.values() ?? [])].map(({ name, labels: own }) => [name, own]);
	expect<unknown>(labels.sort()).toEqual([
		["edge-1", "disk=ssd\n"],
		["n2", undefined],
	]);
});

// An API server that fails in every way it can: nothing is lost, nothing is shown that is not so, and it is told what is the matter.

import { expect, test } from "bun:test";
import {
	agentRights,
	type Follower,
	type FollowOptions,
	followHub,
	jumpUntil,
	KINDS,
	webService,
} from "../support/follow_hub.ts";
import type { Fault } from "../support/hub/fault.ts";
import { startHub, type TestHub } from "../support/hub/hub.ts";
import { expired, pageNotFound, serverError, storageInitializing, tooManyRequests } from "../support/hub/status.ts";
import { addressPolicy, policyPod } from "../support/policies.ts";
import { until } from "../support/wait.ts";

const SLICES = "endpointslices.discovery.k8s.io";
const bothWatch = (server: TestHub) => until("all kinds watched", () => server.watches().length === KINDS);
const many = (count: number) => Array.from({ length: count }, (_, index) => `s${String(index).padStart(3, "0")}`);
const keys = (list: readonly string[]) => list.map((name) => `demo/${name}`);
/** Requests of one kind, as what they ask for. */
const asked = (server: TestHub, resource = "services") =>
	server.requests({ resource }).map(({ verb, query }) => {
		if (verb === "list") return "list";
		return query.has("sendInitialEvents") ? "stream" : "watch";
	});

/** An answer of 200 with anything in it. */
function content(pieces: Iterable<string>, ending: "end" | "silence"): Fault {
	return { kind: "content", pieces, ending };
}

/** All kinds followed, with the Service web. */
async function started(
	server: TestHub,
	options: FollowOptions & { objects?: readonly object[] } = {},
): Promise<Follower> {
	const { objects = webService("web"), ...rest } = options;
	server.apply(objects);
	const client = followHub(server, rest);
	await until("the first snapshot", () => client.seen.length === 1);
	await bothWatch(server);
	return client;
}

/** A wait of so many milliseconds, less what its attempt took. */
function waited(client: Follower, milliseconds: number): boolean {
	return client.clock.sleeps.some((each) => each <= milliseconds && each > milliseconds - 200);
}

test.each(["end", "reset", "fin"] as const)("a watch that is broken by %s is resumed where it was", async (how) => {
	await using server = await startHub({ kubernetes: false });
	await using client = await started(server);
	for (const watch of server.watches()) watch[how]();
	server.apply(webService("more"));
	await jumpUntil(client, "the Service of meanwhile", () => client.services()?.length === 2);
	expect(asked(server).filter((what) => what !== "watch")).toEqual(["stream"]);
	await jumpUntil(client, "followed again", () => client.hub.status().staleSince === null);
});

/** A change of each kind besides Services and slices: no watch falls silent. */
function oneOfEachOther(name: string): readonly object[] {
	return [
		{ apiVersion: "v1", kind: "Node", metadata: { name } },
		policyPod(name),
		addressPolicy("BalancingPolicy", name),
		addressPolicy("LocalRedirectPolicy", name),
	];
}

test("a clean end at its time is no failure: the next watch begins at once, and nothing is stale", async () => {
	await using server = await startHub({ kubernetes: false });
	await using client = await started(server);
	for (const [index, name] of ["one", "two", "three"].entries()) {
		client.clock.jump(100_000);
		server.apply([...webService(name), ...oneOfEachOther(name)]);
		await until("shown", () => client.services()?.length === index + 2 && client.ips(`demo/${name}`).length === 1);
		await until(
			"all of it",
			() => client.seen.at(-1)?.pods.size === index + 1 && client.seen.at(-1)?.policies.size === 2 * (index + 1),
		);
	}
	for (const watch of server.watches()) watch.end();
	await until("new watches", () => asked(server).length === 2 && asked(server, SLICES).length === 2);
	expect(client.clock.sleeps.filter((milliseconds) => milliseconds > 100 && milliseconds < 10_000)).toEqual([]);
	expect(client.log.filter((line) => line.startsWith("warn"))).toEqual([]);
	expect(client.hub.status().staleSince).toBeNull();
});

test("clean ends before their time, as of a server that is stopped, lead to new watches after a wait, one kind before the other", async () => {
	await using server = await startHub({ kubernetes: false });
	await using client = await started(server, { random: () => 0.5 });
	client.clock.jump(20_000);
	for (const watch of server.watches()) watch.end();
	await until("a wait", () => waited(client, 2500));
	expect([asked(server), asked(server, SLICES)]).toEqual([["stream"], ["stream"]]);
	client.clock.jump(2600);
	await bothWatch(server);
	expect(client.clock.sleeps.filter((each) => each > 2000 && each < 5001)).toHaveLength(1);
	expect(client.log.filter((line) => line.startsWith("warn"))).toEqual([]);
});

test("watches that end again and again at once are not begun without a pause", async () => {
	await using server = await startHub({ kubernetes: false });
	await using client = await started(server);
	server.inject({ verb: "watch", resource: "services" }, content([], "end"));
	server.watches({ resource: "services" })[0]?.end();
	for (const [index, pause] of [2500, 3750, 5625, 8437.5].entries()) {
		await until(`a pause of ${pause} ms`, () => waited(client, pause));
		expect(asked(server).filter((what) => what === "watch")).toHaveLength(index + 1);
		client.clock.jump(pause);
	}
});

test("a version that is too old (410) leads to a list, without a gap and without a word", async () => {
	await using server = await startHub({ kubernetes: false });
	await using client = await started(server, { objects: [...webService("web"), ...webService("old")] });
	server.delete("Service", "demo", "old");
	await client.shows("demo/web");
	await server.stopAccepting();
	for (const watch of server.watches()) watch.reset();
	await until("stale", () => client.hub.status().staleSince !== null);
	server.delete("Service", "demo", "web");
	server.apply(webService("new"));
	server.compact();
	expect(client.services()).toEqual(["demo/web"]);
	await server.resumeAccepting();
	await jumpUntil(client, "the new state", () => String(client.services()) === "demo/new");
	await until("not stale", () => client.hub.status().staleSince === null);
	// Never anything in between: the old Service until the list is complete.
	expect(client.seen.map(({ services }) => [...services.keys()].sort().join())).not.toContain("");
	expect(asked(server).filter((what) => what !== "watch")).toEqual(["stream", "list"]);
	// From the server's cache, compressed, and never back in time.
	const list = server.requests({ verb: "list", resource: "services" })[0];
	expect(Object.fromEntries(list?.query ?? [])).toMatchObject({ resourceVersionMatch: "NotOlderThan" });
	expect(Number(list?.query.get("resourceVersion"))).toBeGreaterThan(1);
	expect(list?.query.has("limit")).toBe(false);
});

test("ERROR 410 in a running watch leads to a list", async () => {
	await using server = await startHub({ kubernetes: false });
	await using client = await started(server);
	for (const watch of server.watches()) watch.error(expired("too old resource version: 1 (5)"));
	server.apply(webService("more"));
	await jumpUntil(client, "the Service of meanwhile", () => client.services()?.length === 2);
	expect(client.log.filter((line) => line.startsWith("warn"))).toEqual([]);
});

test("ERROR 500 in a running watch leads to a list after a pause", async () => {
	await using server = await startHub({ kubernetes: false });
	await using client = await started(server);
	server.watches({ resource: "services" })[0]?.error(serverError(500, "etcd is on fire"));
	await until("told", () => client.log.some((line) => line.includes("500 ") && line.includes("etcd is on fire")));
	await jumpUntil(client, "followed again", () => client.hub.status().staleSince === null);
	await bothWatch(server);
	expect(asked(server)).toEqual(["stream", "list", "watch"]);
	expect(client.log).toContain("info The hub is followed again");
});

test("a server restart: what was known stays, what changed meanwhile comes, stale since is told and taken back", async () => {
	await using server = await startHub({ kubernetes: false });
	await using client = await started(server);
	await server.kill();
	await until("stale", () => client.hub.status().staleSince !== null);
	expect(client.hub.status().kinds[0]?.problem).toMatch(/^Cannot watch Services at https:\/\/127\.0\.0\.1:\d+: /);
	expect(client.services()).toEqual(["demo/web"]);
	server.apply(webService("more"));
	await server.restart();
	await jumpUntil(client, "the Service of meanwhile", () => client.services()?.length === 2);
	await jumpUntil(client, "followed again", () => client.hub.status().staleSince === null);
	expect(client.hub.status().kinds.every(({ problem }) => problem === null)).toBe(true);
});

test("a hub that cannot be reached is asked less and less often, and told once", async () => {
	await using server = await startHub({ kubernetes: false });
	await server.stopAccepting();
	await using client = followHub(server, { namespaces: ["demo"] });
	await jumpUntil(
		client,
		"ten attempts",
		() => client.clock.sleeps.filter((each) => each <= 30_000 && each > 29_900).length >= 16,
	);
	// 30 s is the limit for an answer, too.
	const pauses = client.clock.sleeps.filter((each) => each > 0 && each < 29_900);
	for (const [index, longest] of [2500, 3750, 5625, 8437.5, 12_656, 18_984, 28_477].entries()) {
		expect(pauses[index]).toBeLessThanOrEqual(longest);
		expect(pauses[index]).toBeGreaterThanOrEqual(longest / 2 - 1);
	}
	// The failure itself: where in our own sources it was noticed helps nobody.
	const warnings = client.log.filter((line) => line.startsWith("warn"));
	expect(warnings.map((line) => line.split(" at https:")[0]).sort()).toEqual([
		"warn Cannot follow the hub Cannot watch BalancingPolicies",
		"warn Cannot follow the hub Cannot watch EndpointSlices in demo",
		"warn Cannot follow the hub Cannot watch LocalRedirectPolicies",
		"warn Cannot follow the hub Cannot watch Nodes",
		"warn Cannot follow the hub Cannot watch Pods in demo on edge-1",
		"warn Cannot follow the hub Cannot watch Services in demo",
	]);
	expect(client.seen).toHaveLength(0);
});

test("a silent connection is noticed and replaced", async () => {
	await using server = await startHub({ kubernetes: false });
	await using client = await started(server);
	const old = server.watches();
	for (const watch of old) watch.silence();
	server.apply(webService("more"));
	client.clock.jump(149_000);
	expect(asked(server)).toHaveLength(1);
	client.clock.jump(2000);
	await client.shows("demo/more", "demo/web");
	expect(asked(server)).toEqual(["stream", "watch"]);
	await until("not stale", () => client.hub.status().staleSince === null);
});

test("bytes keep a connection alive, bookmarks move the place to resume from", async () => {
	await using server = await startHub({ kubernetes: false });
	await using client = await started(server);
	for (let round = 0; round < 4; round++) {
		client.clock.jump(100_000);
		server.skip(10);
		const watches = server.watches();
		const before = watches.map((watch) => watch.sent());
		for (const watch of watches) watch.bookmark();
		await until("bookmarks sent", () => watches.every((watch, index) => watch.sent() > (before[index] ?? 0)));
		// It has to be read, too: an event that is shown comes after it.
		server.apply(webService(`round${round}`));
		await until(
			"shown",
			() => client.services()?.length === round + 2 && client.ips(`demo/round${round}`).length === 1,
		);
	}
	expect(asked(server)).toEqual(["stream"]);
});

test("a server that accepts and never answers is given up, and found again", async () => {
	await using server = await startHub({ kubernetes: false });
	await using client = await started(server);
	await server.stall();
	for (const watch of server.watches()) watch.reset();
	await until("stale", () => client.hub.status().staleSince !== null);
	await jumpUntil(client, "given up", () => client.log.some((line) => line.includes("nothing was heard for 30 s")));
	await server.resumeAccepting();
	server.apply(webService("more"));
	await jumpUntil(client, "found again", () => client.services()?.length === 2);
});

test.each([
	["a list", { verb: "list", resource: "services" }],
	["a watch", { verb: "watch", resource: "services" }],
] as const)("429 of %s is obeyed: not sooner than Retry-After, then all is well", async (_, filter) => {
	await using server = await startHub({ kubernetes: false, features: { initialEvents: "forbidden" } });
	server.apply(webService("web"));
	const fault = server.inject(
		{ ...filter, where: ({ query }) => !query.has("sendInitialEvents") },
		{ kind: "error", error: tooManyRequests(7) },
		2,
	);
	await using client = followHub(server);
	await until("refused once", () => fault.hits() === 1 && waited(client, 7000));
	client.clock.jump(6900);
	await until("told", () => client.log.some((line) => line.includes("429")));
	expect(fault.hits()).toBe(1);
	client.clock.jump(200);
	await until("refused twice", () => fault.hits() === 2 && waited(client, 9500));
	client.clock.jump(9500);
	await client.shows("demo/web");
});

test("429 without Retry-After, and 500, are tried again with growing pauses", async () => {
	await using server = await startHub({ kubernetes: false });
	server.apply(webService("web"));
	server.inject({ resource: "services" }, { kind: "error", error: serverError(500, "no") }, 3);
	server.inject({ resource: SLICES }, { kind: "error", error: storageInitializing() }, 3);
	await using client = followHub(server);
	await jumpUntil(client, "the first snapshot", () => client.seen.length > 0);
	// Of the kind that alone has 500; of the one that is told to wait a second besides.
	for (const [from, to] of [
		[1250, 2500],
		[1875, 3750],
		[1000, 1000],
		[2250, 3500],
		[2875, 4750],
	] as const) {
		expect(client.clock.sleeps.some((each) => each >= from && each <= to)).toBe(true);
	}
});

test("403 of one kind is a Problem that names the right that is missing; the other goes on; the right comes", async () => {
	const all = agentRights();
	await using server = await startHub({ kubernetes: false, users: { edge: { credentials: "token", rules: all } } });
	server.apply(webService("web"));
	await using client = followHub(server, { kubeconfig: server.kubeconfig({ user: "edge" }) });
	await client.shows("demo/web");
	server.setRules("edge", [{ verbs: ["list", "watch"], resources: ["services"] }]);
	server.watches({ resource: SLICES })[0]?.reset();
	await jumpUntil(client, "the Problem", () => client.problems().length > 0);
	expect(client.seen.at(-1)?.problems).toEqual([
		{
			object: "EndpointSlices",
			reason: "Forbidden",
			message:
				"The API server refuses to show them (403): grant list and watch on endpointslices.discovery.k8s.io in a ClusterRole",
		},
	]);
	server.apply(webService("more"));
	await client.shows("demo/more", "demo/web");
	expect(client.ips("demo/web")).toEqual(["10.1.0.1"]);
	expect(client.hub.status().staleSince).not.toBeNull();
	server.setRules("edge", all);
	await jumpUntil(client, "the endpoints", () => client.ips("demo/more").length === 1);
	await jumpUntil(client, "no Problem", () => client.problems().length === 0);
	expect(client.clock.sleeps).toContain(30_000);
});

test("404 of a kind is a Problem, and the kind is looked for again", async () => {
	await using server = await startHub({ kubernetes: false });
	const gone = server.inject({ resource: SLICES }, { kind: "error", error: pageNotFound() });
	server.apply(webService("web"));
	await using client = followHub(server);
	await until("told", () => client.hub.status().kinds[1]?.problem !== null);
	expect(client.hub.status().kinds[1]?.problem).toContain("404");
	gone.remove();
	await jumpUntil(client, "found", () => client.ips("demo/web").length === 1);
	expect(client.problems()).toEqual([]);
});

test("a list that lacks most is not believed until a second one says the same", async () => {
	await using server = await startHub({ kubernetes: false });
	await using client = await started(server, { objects: many(20).flatMap((name) => webService(name)) });
	// A server with the right face and nothing in it, further on than the one before.
	await server.restart({ store: "empty" });
	server.skip(1000);
	server.compact();
	await jumpUntil(client, "believed", () => client.services()?.length === 0);
	const lines = client.log.filter((line) => line.includes("A list lacks 20 of 20 objects: not believed until"));
	expect(lines).toHaveLength(2);
	expect(client.clock.sleeps).toContain(2000);
	expect(new Set(client.seen.map(({ services }) => services.size))).toEqual(new Set([20, 0]));
	await until("no Problem", () => client.problems().length === 0);
	expect(asked(server)).toContain("list");
});

test("a list that lacks most, and a second one that does not: nothing was ever lost", async () => {
	await using server = await startHub({ kubernetes: false });
	const all = many(20);
	await using client = await started(server, { objects: all.flatMap((name) => webService(name)) });
	server.inject(
		{ verb: "list", resource: "services" },
		content(['{"kind":"ServiceList","apiVersion":"v1","metadata":{"resourceVersion":"900"},"items":[]}'], "end"),
		1,
	);
	server.watches({ resource: "services" })[0]?.error(expired("x"));
	await until("doubt", () => client.problems().includes("Services: Doubtful"));
	server.apply(webService("more"));
	await jumpUntil(client, "the second list", () => client.services()?.length === 21);
	expect(client.problems()).toEqual([]);
	expect(Math.min(...client.seen.map(({ services }) => services.size))).toBe(20);
});

test("watch events that delete most are not believed until a list says the same", async () => {
	await using server = await startHub({ kubernetes: false });
	const all = many(20);
	await using client = await started(server, { objects: all.flatMap((name) => webService(name)) });
	const [watch] = server.watches({ resource: "services" });
	// Bogus: the objects are there.
	for (const object of server.list("Service")) watch?.event("DELETED", object);
	await until("doubt", () => client.problems().includes("Services: Doubtful"));
	expect(client.services()).toHaveLength(10);
	await jumpUntil(client, "all of them", () => client.services()?.length === 20);
	// And now really.
	for (const name of all) server.delete("Service", "demo", name);
	await jumpUntil(client, "none", () => client.services()?.length === 0);
});

test("default/kubernetes is never emptied", async () => {
	await using server = await startHub();
	await using client = await started(server);
	const before = client.ips("default/kubernetes");
	expect(before).toHaveLength(1);
	server.delete("EndpointSlice", "default", "kubernetes");
	server.delete("Service", "default", "kubernetes");
	server.apply(webService("more"));
	await client.shows("default/kubernetes", "demo/more", "demo/web");
	expect(client.ips("default/kubernetes")).toEqual(before);
});

test.each([
	["garbage", "<html>502 Bad Gateway</html>\n"],
	["an event without an object", '{"type":"ADDED"}\n'],
	["an object without a version", '{"type":"ADDED","object":{"metadata":{"name":"x","namespace":"demo"}}}\n'],
])("%s in a watch: the connection is given up, and the state is the server's again", async (_, text) => {
	await using server = await startHub({ kubernetes: false });
	await using client = await started(server);
	server.watches({ resource: "services" })[0]?.text(text);
	await until("told", () => client.log.some((line) => line.includes("Cannot read the watch")));
	server.apply(webService("more"));
	await jumpUntil(client, "the Service of meanwhile", () => client.services()?.length === 2);
});

test("half a line before a break is never taken for an event", async () => {
	await using server = await startHub({ kubernetes: false });
	await using client = await started(server);
	const [watch] = server.watches({ resource: "services" });
	watch?.text(
		'{"type":"DELETED","object":{"kind":"Service","metadata":{"name":"web","namespace":"demo","resourceVersion":"9',
	);
	watch?.end();
	server.apply(webService("more"));
	await jumpUntil(client, "the Service of meanwhile", () => client.services()?.length === 2);
	expect(client.services()).toEqual(["demo/more", "demo/web"]);
});

test("gigabytes without a line feed are not collected", async () => {
	await using server = await startHub({ kubernetes: false });
	function* endless(): Generator<string> {
		for (;;) yield "x".repeat(1 << 20);
	}
	server.inject({ resource: "services" }, content(endless(), "end"), 1);
	server.apply(webService("web"));
	await using client = followHub(server);
	await until("given up", () => client.log.some((line) => line.includes("a line has over")));
	await jumpUntil(client, "the first snapshot", () => client.services()?.length === 1);
});

test.each(["fin", "reset"] as const)(
	"a list that is cut by %s is read again, and nothing of the half is shown",
	async (how) => {
		await using server = await startHub({ kubernetes: false, features: { initialEvents: "forbidden" } });
		server.apply(many(200).flatMap((name) => webService(name)));
		const cut = server.inject({ verb: "list" }, { kind: "cut", bytes: 20_000, how }, 2);
		await using client = followHub(server);
		await jumpUntil(client, "the first snapshot", () => client.seen.length > 0);
		expect(cut.hits()).toBe(2);
		expect(client.services()).toEqual(keys(many(200)));
	},
);

test.each(["end", "silence"] as const)(
	"an etcd restored from a backup is noticed after %s, though a watch from the future only stays silent",
	async (how) => {
		await using server = await startHub({ kubernetes: false });
		await using client = await started(server);
		server.skip(100_000);
		for (const watch of server.watches()) watch.bookmark();
		server.apply(webService("later"));
		await client.shows("demo/later", "demo/web");
		await server.restart({ store: "empty" });
		server.apply(webService("other"));
		await until("stale", () => client.hub.status().staleSince !== null);
		client.clock.jump(2000);
		await bothWatch(server);
		expect(client.services()).toEqual(["demo/later", "demo/web"]);
		if (how === "silence") client.clock.jump(151_000);
		else for (const watch of server.watches()) watch.end();
		await jumpUntil(client, "the old state", () => String(client.services()) === "demo/other");
	},
);

test("a server that goes away while it is read the first time", async () => {
	await using server = await startHub({ kubernetes: false });
	server.apply(many(200).flatMap((name) => webService(name)));
	server.inject({}, { kind: "cut", bytes: 30_000, how: "silence" }, 2);
	await using client = followHub(server);
	await until("all streams open", () => server.watches().length === KINDS);
	expect(client.seen).toHaveLength(0);
	await jumpUntil(client, "the first snapshot", () => client.seen.length > 0);
	expect(client.services()).toHaveLength(200);
});

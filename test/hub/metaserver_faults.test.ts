// A MetaServer that misleads in every way that KubeEdge's is known for: what is known stays in force until it is known better.

import { expect, test } from "bun:test";
import type { Cluster } from "../../src/model/cluster.ts";
import { endpointsIn, NO_ENDPOINTS } from "../../src/model/endpoint_list.ts";
import { jumpUntil, KINDS, webService } from "../support/follow_hub.ts";
import {
	followMetaServer,
	heard,
	type MetaFollower,
	type MetaPlace,
	metaPlace,
	pass,
	passUntil,
	settled,
} from "../support/follow_metaserver.ts";
import type { MetaQuirks } from "../support/hub/metaserver.ts";
import { until } from "../support/wait.ts";

function firstIp({ slices }: Cluster): string | undefined {
	const [slice] = slices.get("demo/web") ?? [];
	return endpointsIn(slice?.endpoints ?? NO_ENDPOINTS)[0]?.ip;
}

const SLICES = "endpointslices.discovery.k8s.io";
const many = (count: number) => Array.from({ length: count }, (_, index) => `s${String(index).padStart(2, "0")}`);
const services = (...names: readonly string[]) => names.flatMap((name) => webService(name));
const keys = (names: readonly string[]) => names.map((name) => `demo/${name}`);
const TEN_MINUTES = 660;

interface Started extends AsyncDisposable {
	readonly place: MetaPlace;
	readonly client: MetaFollower;
}

/** Followed, with all that begins with it behind. */
async function started(names: readonly string[], quirks: Partial<MetaQuirks> = {}): Promise<Started> {
	const place = await metaPlace(services(...names), quirks);
	const client = followMetaServer(place.server);
	await settled(place, client);
	expect(client.services()).toEqual(keys(names).sort());
	return {
		place,
		client,
		async [Symbol.asyncDispose]() {
			await client[Symbol.asyncDispose]();
			await place[Symbol.asyncDispose]();
		},
	};
}

/** Another watch in the place of this one, which has begun just now. */
async function reopen({ server }: MetaPlace, client: MetaFollower, resource: string): Promise<void> {
	const before = server.requests("watch", resource).length;
	for (const watch of server.watches(resource)) watch.reset();
	const isOpen = () => server.requests("watch", resource).length > before && server.watches(resource).length === 1;
	await passUntil(client, "another watch", isOpen);
	await heard({ server }, client);
}

/** Whether all snapshots from now on have a Service. */
function alwaysHas(client: MetaFollower, key: string, from = 0): boolean {
	return client.seen.slice(from).every((cluster) => cluster.services.has(key));
}

test("DELETED of a Service that lives is not believed", async () => {
	await using test = await started(["web", "more"]);
	const { place, client } = test;
	for (let round = 0; round < 5; round++) {
		place.server.fakeDelete("Service", "demo", "web");
		place.server.fakeDelete("EndpointSlice", "demo", "web-1");
		await heard(place, client);
		await pass(client, 3);
	}
	expect(alwaysHas(client, "demo/web")).toBe(true);
	expect(client.ips("demo/web")).toEqual(["10.1.0.1"]);
	expect(client.problems()).toEqual([]);
});

test("many DELETED at once lead to one list", async () => {
	await using test = await started(many(12));
	const { place, client } = test;
	const before = place.server.requests("list", "services").length;
	for (const name of many(12)) place.server.fakeDelete("Service", "demo", name);
	await heard(place, client);
	await pass(client, 20);
	expect(place.server.requests("list", "services").length).toBe(before + 1);
	expect(client.services()).toEqual(keys(many(12)));
});

test("DELETED is not believed while no list can be had", async () => {
	await using test = await started(["web", "more"]);
	const { place, client } = test;
	place.server.set({ link: "down", autonomy: false });
	const lists = place.server.requests("list", "services").length;
	for (let second = 0; second < 120; second++) {
		place.server.fakeDelete("Service", "demo", "web");
		await heard(place, client);
		await pass(client, 1);
	}
	expect(alwaysHas(client, "demo/web")).toBe(true);
	// After 0.8, 1.6, 3.2 ... 30 seconds, however often it is said.
	expect(place.server.requests("list", "services").length - lists).toBeLessThan(12);
	expect(client.hub.status().staleSince).not.toBeNull();
	expect(client.hub.status().kinds[0]?.problem).toBe("Cannot list Services: 500 connection is lost");
	place.server.set({ link: "up", autonomy: true });
	await passUntil(client, "followed again", () => client.hub.status().staleSince === null);
});

test("what a list lacks without a word from the watch goes when a second list lacks it as well", async () => {
	await using test = await started(["web", "more", "last"]);
	const { place, client } = test;
	place.server.set({ lacks: { keys: ["demo/web"], lists: 1 } });
	await reopen(place, client, "services");
	await pass(client, 2);
	place.server.set({ lacks: { keys: ["demo/web"], lists: 1 } });
	const lists = place.server.requests("list", "services").length;
	expect(alwaysHas(client, "demo/web")).toBe(true);
	await pass(client, 4);
	expect(client.services()).toEqual(keys(["last", "more"]));
	expect(place.server.requests("list", "services").length).toBe(lists + 1);
	expect(client.problems()).toEqual([]);
});

test("what one list lacks and the next one has was never gone", async () => {
	await using test = await started(["web", "more", "last"]);
	const { place, client } = test;
	for (let round = 0; round < 5; round++) {
		place.server.set({ lacks: { keys: ["demo/web"], lists: 1 } });
		await reopen(place, client, "services");
		const lists = place.server.requests("list", "services").length;
		await pass(client, 10);
		expect(place.server.requests("list", "services").length).toBeGreaterThan(lists + 1);
	}
	expect(alwaysHas(client, "demo/web")).toBe(true);
});

test("the loss of most is believed when the cloud has said it twice", async () => {
	await using test = await started(many(12));
	const { place, client } = test;
	for (const name of many(8)) place.cloud.delete("Service", "demo", name);
	const doubt = "A list lacks 8 of 13 objects: not believed until a second list says the same";
	await heard(place, client);
	const before = place.server.requests("list", "services").length;
	await passUntil(client, "gone", () => client.services()?.length === 4);
	expect(client.log).toContain(`warn ${doubt}`);
	expect(place.server.requests("list", "services").length).toBe(before + 2);
	expect(new Set(client.seen.map((cluster) => cluster.services.size))).toEqual(new Set([12, 4]));
	await passUntil(client, "no doubt left", () => client.problems().length === 0);
});

test("while the cloud is away, a store that has lost most takes nothing away, however long it takes", async () => {
	await using test = await started(many(12));
	const { place, client } = test;
	place.server.set({ link: "down" });
	for (const name of many(8)) place.server.forget("Service", `demo/${name}`);
	for (const name of many(12)) place.server.forget("EndpointSlice", `demo/${name}-1`);
	await pass(client, 2 * TEN_MINUTES);
	expect(place.server.requests("list", "services").at(-1)?.fromCloud).toBe(false);
	expect(client.services()).toEqual(keys(many(12)));
	expect(client.ips("demo/s00")).toEqual(["10.1.0.1"]);
	expect(client.problems().toSorted()).toEqual(["EndpointSlices: Doubtful", "Services: Doubtful"]);
	expect(client.hub.status().staleSince).toBeNull();
	expect(client.hub.status().withoutCloudSince).not.toBeNull();
	expect(client.log.filter((line) => line.includes("8 of 13"))).toHaveLength(1);
	expect(client.log.filter((line) => line.includes("without the cloud"))).toHaveLength(1);
	place.server.set({ link: "up" });
	// Within some two minutes, though no watch has told.
	await pass(client, 122);
	expect(client.hub.status().withoutCloudSince).toBeNull();
	expect(client.problems()).toEqual([]);
	expect(client.log).toContain("info The cloud answers the MetaServer again");
});

test("while the cloud is away, a store that lacks a few takes nothing away either", async () => {
	await using test = await started(many(12));
	const { place, client } = test;
	place.server.set({ link: "down" });
	place.server.forget("Service", "demo/s00");
	await pass(client, TEN_MINUTES);
	expect(alwaysHas(client, "demo/s00")).toBe(true);
	expect(client.problems()).toEqual(["Services: Doubtful"]);
});

test("while the cloud is away, the watch and two lists of the store are believed, but not of most", async () => {
	await using test = await started(many(12));
	const { place, client } = test;
	place.server.set({ link: "down" });
	place.server.fakeDelete("Service", "demo", "s00");
	await heard(place, client);
	await passUntil(client, "a list", () => client.hub.status().withoutCloudSince !== null);
	expect(client.services()).toHaveLength(12);
	await passUntil(client, "gone", () => client.services()?.length === 11);
	for (const name of many(12)) place.server.fakeDelete("Service", "demo", name);
	await heard(place, client);
	await pass(client, TEN_MINUTES);
	expect(client.services()).toHaveLength(11);
	expect(client.problems()).toEqual(["Services: Doubtful"]);
});

test.each([
	["lacks default/kubernetes", ["default/kubernetes", ...keys(many(8))]],
	["is empty", [undefined]],
])("a store whose lists look like the cloud's is not believed when it %s", async (_, forgotten) => {
	await using test = await started(many(12));
	const { place, client } = test;
	place.server.set({ link: "down", hidesStore: true });
	for (const key of forgotten) place.server.forget("Service", key);
	await pass(client, TEN_MINUTES);
	expect(client.services()).toEqual(keys(many(12)));
	expect(client.problems()).toEqual(["Services: Doubtful"]);
});

test("objects that the store kept over their deletion are not raised from the dead", async () => {
	await using test = await started(["web", "dead"]);
	const { place, client } = test;
	place.server.set({ link: "down" });
	place.cloud.delete("Service", "demo", "dead");
	place.cloud.delete("EndpointSlice", "demo", "dead-1");
	place.server.set({ link: "up" });
	for (const watch of place.server.watches()) watch.reset();
	await passUntil(client, "gone", () => client.services()?.length === 1);
	const from = client.seen.length;
	// A watch repeats them as ADDED, and so does a list without the cloud.
	await reopen(place, client, "services");
	await reopen(place, client, SLICES);
	await pass(client, 8);
	place.server.set({ link: "down" });
	await reopen(place, client, "services");
	await reopen(place, client, SLICES);
	await pass(client, 8);
	await pass(client, TEN_MINUTES);
	expect(place.server.requests("list", "services").at(-1)?.fromCloud).toBe(false);
	expect(client.seen.slice(from - 1).flatMap(({ services }) => [...services.keys()])).not.toContain("demo/dead");
	// A new one of that name is another matter.
	place.server.set({ link: "up" });
	place.cloud.apply(webService("dead"));
	await passUntil(client, "born again", () => client.services()?.length === 2);
});

test("a watch that begins with an old state does not bring it back", async () => {
	await using test = await started(["web"]);
	const { place, client } = test;
	const old = place.cloud.get("EndpointSlice", "demo", "web-1");
	place.cloud.apply(webService("web", ["10.1.0.2"]));
	await until("the new endpoint", () => client.ips("demo/web")[0] === "10.1.0.2");
	const from = client.seen.length;
	await reopen(place, client, SLICES);
	place.server.watches(SLICES)[0]?.event("ADDED", { kind: "EndpointSlice", ...old });
	await heard(place, client);
	await pass(client, 5);
	const shown = client.seen.slice(from - 1).map(firstIp);
	expect(new Set<unknown>(shown)).toEqual(new Set(["10.1.0.2"]));
	// Once that is over, ADDED is believed at once.
	place.server.watches(SLICES)[0]?.event("ADDED", { kind: "EndpointSlice", ...old });
	await until("the event", () => client.ips("demo/web")[0] === "10.1.0.1");
});

test("what a watch begins with is over when nothing has come for a second, not before", async () => {
	await using test = await started(["web"]);
	const { place, client } = test;
	const [service] = webService("dead");
	await reopen(place, client, "services");
	const lists = place.server.requests("list", "services").length;
	// A store that takes its time: lists come in between.
	for (let half = 0; half < 12; half++) {
		place.server.watches("services")[0]?.event("ADDED", service);
		await heard(place, client);
		await pass(client, 0.5);
	}
	expect(place.server.requests("list", "services").length).toBeGreaterThan(lists + 1);
	expect(client.seen.flatMap(({ services }) => [...services.keys()])).not.toContain("demo/dead");
	await pass(client, 5);
	place.server.watches("services")[0]?.event("ADDED", service);
	await client.shows("demo/dead", "demo/web");
});

test("a list that is older than what the watch told meanwhile does not win", async () => {
	await using test = await started(["web", "more"]);
	const { place, client } = test;
	place.server.set({ slowMs: 400 });
	const before = place.server.requests("list", SLICES).length;
	place.server.fakeDelete("EndpointSlice", "demo", "more-1");
	await heard(place, client);
	client.clock.jump(1100);
	await until("a list under way", () => place.server.requests("list", SLICES).length > before);
	place.cloud.apply(webService("web", ["10.1.0.2"]));
	await until("the new endpoint", () => client.ips("demo/web")[0] === "10.1.0.2");
	const from = client.seen.length;
	place.cloud.apply(webService("born"));
	await heard(place, client);
	expect(place.server.isIdle()).toBe(false);
	await until("the list", () => place.server.isIdle());
	await pass(client, 5);
	const shown = client.seen.slice(from).map(firstIp);
	expect(new Set<unknown>(shown)).toEqual(new Set(["10.1.0.2"]));
	expect(client.ips("demo/born")).toEqual(["10.1.0.1"]);
});

test("what happened before a silent watch was open is found by a list after it", async () => {
	await using test = await started(["web", "old"]);
	const { place, client } = test;
	place.server.set({ silentWatches: true });
	for (const watch of place.server.watches()) watch.reset();
	await until("noticed", () => client.hub.status().kinds.every(({ staleSince }) => staleSince !== null));
	place.cloud.apply(webService("web", ["10.1.0.2"]));
	place.cloud.delete("Service", "demo", "old");
	await pass(client, 10);
	expect(client.services()).toEqual(["demo/web"]);
	expect(client.ips("demo/web")).toEqual(["10.1.0.2"]);
	expect(client.hub.status().staleSince).toBeNull();
});

test("objects that come while a list is on its way, and many of them, are no reason for doubt", async () => {
	await using test = await started(["web", "more"]);
	const { place, client } = test;
	place.server.set({ slowMs: 400 });
	const before = place.server.requests("list", "services").length;
	place.server.fakeDelete("Service", "demo", "more");
	await heard(place, client);
	client.clock.jump(1100);
	await until("a list under way", () => place.server.requests("list", "services").length > before);
	place.cloud.apply(services(...many(20)));
	await heard(place, client);
	expect(place.server.isIdle()).toBe(false);
	await until("the list", () => place.server.isIdle());
	await pass(client, 5);
	expect(client.services()).toHaveLength(22);
	expect(client.log.filter((line) => line.startsWith("warn"))).toEqual([]);
});

test("a deletion that is told while an older list is on its way is not forgotten by it", async () => {
	await using test = await started(["web", "more", "last"]);
	const { place, client } = test;
	place.server.set({ slowMs: 400 });
	const before = place.server.requests("list", "services").length;
	place.server.fakeDelete("Service", "demo", "more");
	await heard(place, client);
	client.clock.jump(1100);
	await until("a list under way", () => place.server.requests("list", "services").length > before);
	place.cloud.delete("Service", "demo", "web");
	await heard(place, client);
	expect(place.server.isIdle()).toBe(false);
	await until("the list", () => place.server.isIdle());
	await pass(client, 3);
	// The older list and one more.
	expect(place.server.requests("list", "services").length).toBe(before + 2);
	expect(client.services()).toEqual(keys(["last", "more"]));
});

test("what a silent watch does not tell is found by a list within some ten minutes", async () => {
	await using place = await metaPlace(services("web", "old"), { silentWatches: true });
	await using client = followMetaServer(place.server);
	await client.shows("demo/old", "demo/web");
	await pass(client, 10);
	const watches = place.server.requests("watch").length;
	const lastEvent = client.hub.status().kinds[0]?.lastEvent;
	place.cloud.apply(webService("web", ["10.1.0.2"]));
	place.cloud.delete("Service", "demo", "old");
	await pass(client, TEN_MINUTES);
	expect(client.hub.status().kinds[0]?.lastEvent).not.toBe(lastEvent ?? null);
	expect(client.services()).toEqual(["demo/web"]);
	expect(client.ips("demo/web")).toEqual(["10.1.0.2"]);
	// Silence is no reason to connect again.
	expect(place.server.requests("watch")).toHaveLength(watches);
	expect(client.hub.status().staleSince).toBeNull();
});

test("calls that stall for long are no failure below 30 s, and one above", async () => {
	await using place = await metaPlace(services("web"));
	{
		await using client = followMetaServer(place.server);
		await settled(place, client);
	}
	place.server.set({ link: "half-open", stallMs: 300 });
	await using client = followMetaServer(place.server);
	await until("a call", () => !place.server.isIdle());
	client.clock.jump(28_000);
	await client.shows("demo/web");
	expect(client.log.filter((line) => line.startsWith("warn"))).toEqual([
		"warn The MetaServer answers from its own store, without the cloud",
		// Its store cannot select Pods by their node.
		"warn Followed without a kind that the hub does not show",
		"warn Nothing is known yet, and the cloud has not answered: an empty list is not believed",
	]);
	await until("watched", () => place.server.watches().length === KINDS);
	await client.jumpUntil("a call again", () => !place.server.isIdle());
	await client.jumpUntil("given up", () => client.hub.status().staleSince !== null);
	expect(client.hub.status().kinds.map(({ problem }) => problem)).toContain(
		"Cannot list Services: nothing was heard for 30 s",
	);
	place.server.set({ stallMs: 1 });
	await passUntil(client, "followed again", () => client.hub.status().staleSince === null);
});

test("events that say nothing are skipped, and the watch goes on", async () => {
	await using test = await started(["web"], { emptyEvents: true });
	const { place, client } = test;
	const watches = place.server.requests("watch").length;
	for (const watch of place.server.watches()) {
		watch.text('garbage\n\n[]\nnull\n{"type":"ADDED"}\n{"type":7,"object":{"metadata":{"name":"x"}}}\n');
		watch.event("BOOKMARK", { metadata: { resourceVersion: "9" } });
		watch.event("DELETED", { metadata: { name: 7 } });
	}
	place.cloud.apply(webService("more"));
	await client.shows("demo/more", "demo/web");
	expect(place.server.requests("watch")).toHaveLength(watches);
	expect(client.log.filter((line) => line.startsWith("debug An event is skipped"))).not.toEqual([]);
	expect(client.log.filter((line) => line.startsWith("warn"))).toEqual([]);
	expect(client.problems()).toEqual([]);
});

test("an ERROR event leads to another watch, after a pause", async () => {
	await using test = await started(["web"]);
	const { place, client } = test;
	place.server
		.watches("services")[0]
		?.event("ERROR", { status: "Failure", message: "stop to watch sqlite", code: 500 });
	await until("told", () => client.hub.status().staleSince !== null);
	expect(client.hub.status().kinds[0]?.problem).toBe("Cannot go on watching: 500 stop to watch sqlite");
	await passUntil(client, "followed again", () => client.hub.status().staleSince === null);
});

test("watches that end again and again at once are not begun without a pause, and lists go on", async () => {
	await using test = await started(["web"]);
	const { place, client } = test;
	const before = place.server.requests("watch", "services").length;
	const lists = place.server.requests("list", "services").length;
	place.server.set({ endsWatches: true });
	for (const watch of place.server.watches("services")) watch.reset();
	await until("noticed", () => client.hub.status().staleSince !== null);
	await pass(client, 90);
	// After 0.8, 1.6, 3.2 ... seconds: not ninety of them.
	expect(place.server.requests("watch", "services").length - before).toBeLessThan(45);
	expect(place.server.requests("list", "services").length - lists).toBeGreaterThan(3);
	place.server.set({ endsWatches: false });
	await passUntil(client, "a watch", () => place.server.watches("services").length === 1);
});

test.each([
	["wrong kinds", { listKind: "EndpointslicList" }, true],
	["no resourceVersion", { listVersion: false }, false],
] as const)("lists with %s are read all the same", async (_, quirks, fromCloud) => {
	await using test = await started(["web", "more"], quirks);
	const { place, client } = test;
	place.cloud.delete("Service", "demo", "web");
	await passUntil(client, "gone", () => String(client.services()) === "demo/more");
	expect(client.hub.status().withoutCloudSince === null).toBe(fromCloud);
});

test("objects of another kind are left out of lists and watches, and that is said once", async () => {
	const strangers = [{ kind: "ConfigMap", apiVersion: "v1", metadata: { name: "map", namespace: "demo" }, data: {} }];
	await using test = await started(["web"], { strangers });
	const { place, client } = test;
	for (const watch of place.server.watches()) watch.event("MODIFIED", strangers[0]);
	place.cloud.apply(webService("more"));
	await client.shows("demo/more", "demo/web");
	expect(client.problems()).toEqual([]);
	// Once for each kind that is followed.
	expect(client.log.filter((line) => line.includes("objects of another kind"))).toHaveLength(KINDS);
	const skipped = client.log.filter((line) => line.startsWith("debug") && !line.endsWith("its type is unknown"));
	expect(skipped).toEqual([]);
});

test("items that do not say their kind are taken", async () => {
	const [bare] = webService("bare").map((object) => ({ ...object, kind: undefined, apiVersion: undefined }));
	await using place = await metaPlace(services("web"), { strangers: bare === undefined ? [] : [bare] });
	await using client = followMetaServer(place.server);
	await client.shows("demo/bare", "demo/web");
});

/** A watch that says nothing. */
function openStream(): ReadableStream<string> {
	return new ReadableStream({ start: (controller) => controller.enqueue("\n") });
}

test.each([
	["a web page", "<html></html>", /^Cannot read the list: it is not JSON, or not complete$/],
	[
		"a Status",
		'{"kind":"Status","code":200}',
		/^Cannot list Services: the answer is no list \(is a MetaServer there\?\)$/,
	],
	["a List without items", '{"kind":"ServiceList"}', /^Cannot list Services: the answer is no list/],
	[
		"half a List",
		'{"kind":"ServiceList","items":[{"metadata":',
		/^Cannot read the list: it is not JSON, or not complete$/,
	],
])("%s is no list", async (_, body, message) => {
	using server = Bun.serve({
		port: 0,
		hostname: "127.0.0.1",
		fetch: ({ url }) => new Response(url.includes("watch=true") ? openStream() : body),
	});
	await using client = followMetaServer({ url: `http://127.0.0.1:${server.port}` });
	// No faster than answers come, or it would take the server for dead.
	await jumpUntil(client, "told", () => client.hub.status().kinds[0]?.problem !== null);
	expect(client.hub.status().kinds[0]?.problem).toMatch(message);
	expect(client.hub.status().synced).toBe(false);
	expect(client.seen).toEqual([]);
});

test("a MetaServer that is gone is stale, told once, and followed again when it is back", async () => {
	await using test = await started(["web"]);
	const { place, client } = test;
	await place.server.stop();
	await passUntil(client, "stale", () => client.hub.status().kinds.every(({ staleSince }) => staleSince !== null));
	expect(client.hub.status().kinds[0]?.problem).toMatch(/^Cannot watch Services at http:\/\/127\.0\.0\.1:\d+: /);
	const refused = () => client.log.filter((line) => line.startsWith("warn") && line.includes("running there"));
	await passUntil(client, "told of all kinds", () => refused().length === KINDS);
	expect(client.hub.status().kinds[0]?.problem).toMatch(
		/^Cannot watch Services at http:\/\/127\.0\.0\.1:\d+: \w+ \(is the MetaServer running there\?\)$/,
	);
	await pass(client, 300);
	expect(client.services()).toEqual(["demo/web"]);
	expect(refused()).toHaveLength(KINDS);
	place.cloud.apply(webService("more"));
	await place.server.start();
	await passUntil(client, "followed again", () => client.services()?.length === 2);
	await passUntil(client, "not stale", () => client.hub.status().staleSince === null);
});

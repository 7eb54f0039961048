// An agent that starts beside a MetaServer which may know less than the agent did: the last snapshot stays in force.

import { expect, test } from "bun:test";
import { KINDS, webService } from "../support/follow_hub.ts";
import { followMetaServer, type MetaPlace, metaPlace, pass, passUntil, settled } from "../support/follow_metaserver.ts";
import { until } from "../support/wait.ts";

const many = (count: number) => Array.from({ length: count }, (_, index) => `s${String(index).padStart(2, "0")}`);
const services = (...names: readonly string[]) => names.flatMap((name) => webService(name));
const keys = (names: readonly string[]) => names.map((name) => `demo/${name}`);

/** What an agent would have kept on disk. */
async function snapshotOf(place: MetaPlace) {
	await using client = followMetaServer(place.server);
	await settled(place, client);
	return client.seen.at(-1);
}

test.each([
	["nothing", undefined],
	["a part of it", keys(many(8))],
])("a first list without the cloud that has %s takes nothing from the baseline", async (_, forgotten) => {
	await using place = await metaPlace(services(...many(12)));
	const baseline = await snapshotOf(place);
	place.server.set({ link: "down" });
	for (const key of forgotten ?? [undefined]) {
		place.server.forget("Service", key);
		place.server.forget("EndpointSlice", key === undefined ? undefined : `${key}-1`);
	}
	await using client = followMetaServer(place.server, { baseline });
	await until("the first snapshot", () => client.seen.length > 0);
	await pass(client, 700);
	expect(client.seen.every((cluster) => cluster.services.size === 12 && cluster.slices.size === 12)).toBe(true);
	expect(client.problems().toSorted()).toEqual(["EndpointSlices: Doubtful", "Services: Doubtful"]);
	expect(client.hub.status()).toMatchObject({ synced: true, staleSince: null });
	for (const name of many(3)) place.cloud.delete("Service", "demo", name);
	place.server.set({ link: "up" });
	await passUntil(client, "the truth", () => client.services()?.length === 9);
	expect(client.services()).toEqual(keys(many(12).slice(3)));
	await passUntil(client, "no doubt left", () => client.problems().length === 0);
});

test("what has changed since the baseline is shown at once, what is gone after a second list", async () => {
	await using place = await metaPlace(services(...many(12)));
	const baseline = await snapshotOf(place);
	place.cloud.apply(webService("s00", ["10.1.0.2"]));
	place.cloud.apply(webService("new"));
	place.cloud.delete("Service", "demo", "s11");
	await using client = followMetaServer(place.server, { baseline });
	await client.shows(...keys([...many(12), "new"]));
	expect(client.ips("demo/s00")).toEqual(["10.1.0.2"]);
	await passUntil(client, "gone", () => client.services()?.length === 12);
	expect(client.services()).not.toContain("demo/s11");
});

test("of a baseline only what is in the namespaces is taken", async () => {
	await using place = await metaPlace([...services("web"), ...webService("other", ["10.1.0.9"], "elsewhere")]);
	const baseline = await snapshotOf(place);
	await using client = followMetaServer(place.server, { baseline, namespaces: ["demo"] });
	await client.shows("demo/web");
	expect([...(client.seen[0]?.slices.keys() ?? [])]).toEqual(["demo/web"]);
});

test("without a baseline and without the cloud an empty store is not believed, a part is better than nothing", async () => {
	await using place = await metaPlace(services("web"), { link: "down" });
	await using client = followMetaServer(place.server);
	await until("all kinds watched", () => place.server.watches().length === KINDS);
	await pass(client, 10);
	const lists = place.server.requests("list").length;
	await pass(client, 60);
	// Every five seconds or so, of the kinds that nothing makes sense without: there is nothing to serve from yet.
	expect(place.server.requests("list").length - lists).toBeGreaterThan(15);
	expect(client.seen).toEqual([]);
	expect(client.hub.status().synced).toBe(false);
	expect(client.hub.status().kinds[0]?.problem).toBe(
		"Nothing is known yet, and the cloud has not answered: an empty list is not believed",
	);
	// Policies need not be there.
	expect(client.log.filter((line) => line.includes("Nothing is known yet"))).toHaveLength(KINDS - 2);
	expect(client.log.filter((line) => line === "info The cluster does not have a kind")).toHaveLength(2);
	// The watches bring it to the store; lists may still take too long for the cloud.
	place.server.set({ link: "up" });
	place.server.set({ link: "down" });
	await pass(client, 11);
	expect(client.services()).toEqual(["demo/web"]);
	expect(client.hub.status().synced).toBe(true);
	expect(client.ips("demo/web")).toEqual(["10.1.0.1"]);
});

test("a MetaServer that is not there yet is told once, and read when it comes", async () => {
	await using place = await metaPlace(services("web"));
	await place.server.stop();
	await using client = followMetaServer(place.server);
	await until("told of all kinds", () => client.log.length >= KINDS);
	await pass(client, 300);
	expect(client.log.filter((line) => line.startsWith("warn"))).toEqual([
		expect.stringContaining("Cannot watch Services at http://127.0.0.1:"),
		expect.stringContaining("Cannot watch EndpointSlices at http://127.0.0.1:"),
		expect.stringContaining("Cannot watch Nodes at http://127.0.0.1:"),
		expect.stringContaining("Cannot watch Pods on edge-1 at http://127.0.0.1:"),
		expect.stringContaining("Cannot watch LocalRedirectPolicies at http://127.0.0.1:"),
		expect.stringContaining("Cannot watch BalancingPolicies at http://127.0.0.1:"),
	]);
	await place.server.start();
	await pass(client, 35);
	expect(client.services()).toEqual(["demo/web"]);
	await pass(client, 35);
	expect(client.hub.status().staleSince).toBeNull();
});

test("lists without a watch are shown, and stale", async () => {
	await using place = await metaPlace(services("web"), { refusesWatches: true });
	await using client = followMetaServer(place.server);
	await client.shows("demo/web");
	place.cloud.apply(webService("more"));
	await pass(client, 125);
	expect(client.services()).toEqual(["demo/more", "demo/web"]);
	expect(client.hub.status().staleSince).not.toBeNull();
	expect(client.hub.status().kinds[0]?.problem).toBe("Cannot watch Services: 500 no watches today");
	place.server.set({ refusesWatches: false });
	await pass(client, 65);
	expect(client.hub.status()).toMatchObject({ synced: true, staleSince: null });
});

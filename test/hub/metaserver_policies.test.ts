// Policies and Pods by a MetaServer: as far as its cloud and its store can tell.

import { expect, test } from "bun:test";
import { KINDS, webService } from "../support/follow_hub.ts";
import {
	followMetaServer,
	heard,
	type MetaFollower,
	metaPlace,
	passUntil,
	settled,
} from "../support/follow_metaserver.ts";
import { POLICY_DEFINITIONS } from "../support/hub/definition.ts";
import { addressPolicy, podPolicy, policyPod } from "../support/policies.ts";
import { until } from "../support/wait.ts";

const policies = ({ seen }: MetaFollower) => [...(seen.at(-1)?.policies.keys() ?? [])].sort().join();
const pods = ({ seen }: MetaFollower) => [...(seen.at(-1)?.pods.keys() ?? [])].sort().join();
const elsewhere = (name: string, app: string) => policyPod(name, { labels: { app }, node: "other" });
const removeDefinitions = ({ cloud }: Awaited<ReturnType<typeof metaPlace>>) => {
	for (const { metadata } of cloud.list("CustomResourceDefinition"))
		cloud.delete("CustomResourceDefinition", undefined, metadata.name);
};

test("policies, the Pods that they select and those of our own node", async () => {
	await using place = await metaPlace([
		...webService("web"),
		podPolicy("p", { app: "a" }),
		addressPolicy("LocalRedirectPolicy", "r"),
		elsewhere("a1", "a"),
		elsewhere("b1", "b"),
		policyPod("own"),
	]);
	await using client = followMetaServer(place.server);
	await passUntil(client, "shown", () => client.seen.length > 0);
	expect([policies(client), pods(client)]).toEqual(["BalancingPolicy p,LocalRedirectPolicy r", "demo/a1,demo/own"]);
	expect(client.seen[0]?.pods.size).toBe(2);
	await until("all watched", () => place.server.watches().length === KINDS + 1);
	place.cloud.apply(elsewhere("a2", "a"));
	await passUntil(client, "one more", () => pods(client) === "demo/a1,demo/a2,demo/own");
	place.cloud.apply(podPolicy("p", { app: "b" }));
	await passUntil(client, "the other ones", () => pods(client) === "demo/b1,demo/own");
	place.cloud.delete("BalancingPolicy", undefined, "p");
	await passUntil(client, "gone", () => policies(client) === "LocalRedirectPolicy r" && pods(client) === "demo/own");
	await until("one watch less", () => place.server.watches().length === KINDS);
	expect(client.problems()).toEqual([]);
});

test("selectors that are ignored are applied here", async () => {
	await using place = await metaPlace(
		[podPolicy("p", { app: "a" }), elsewhere("a1", "a"), elsewhere("b1", "b"), policyPod("own")],
		{ ignoresSelectors: true },
	);
	await using client = followMetaServer(place.server);
	await passUntil(client, "shown", () => client.seen.length > 0);
	expect(pods(client)).toBe("demo/a1,demo/own");
});

test("a cloud without the policies' definitions is nobody's trouble, and has them later", async () => {
	await using place = await metaPlace(webService("web"));
	removeDefinitions(place);
	await using client = followMetaServer(place.server);
	await passUntil(client, "shown", () => client.seen.length > 0);
	await settled(place, client);
	expect(client.problems()).toEqual([]);
	expect(client.hub.status()).toMatchObject({ synced: true, staleSince: null, withoutCloudSince: null });
	expect(client.log.filter((line) => line.startsWith("warn"))).toEqual([]);
	place.cloud.apply([...POLICY_DEFINITIONS]);
	place.cloud.apply([podPolicy("p", { app: "a" }), elsewhere("a1", "a")]);
	await passUntil(client, "the policy", () => policies(client) === "BalancingPolicy p" && pods(client) === "demo/a1");
	place.cloud.delete("BalancingPolicy", undefined, "p");
	await heard(place, client);
	await passUntil(client, "gone", () => policies(client) === "" && pods(client) === "");
});

test("without the cloud what is known stays, also from the last run", async () => {
	await using place = await metaPlace([
		...webService("web"),
		podPolicy("p", { app: "a" }),
		elsewhere("a1", "a"),
		policyPod("own"),
	]);
	const before = followMetaServer(place.server);
	await settled(place, before);
	await passUntil(before, "shown", () => pods(before) === "demo/a1,demo/own");
	const baseline = before.seen.at(-1);
	await before[Symbol.asyncDispose]();
	place.server.set({ link: "down" });
	for (const kind of ["Pod", "BalancingPolicy"]) place.server.forget(kind);
	await using client = followMetaServer(place.server, { baseline });
	await passUntil(client, "shown", () => client.seen.length > 0);
	expect([policies(client), pods(client)]).toEqual(["BalancingPolicy p", "demo/a1,demo/own"]);
	place.server.set({ link: "up" });
	place.cloud.delete("Pod", "demo", "own");
	place.cloud.delete("BalancingPolicy", undefined, "p");
	await passUntil(client, "the truth", () => policies(client) === "" && pods(client) === "");
	await passUntil(client, "no doubt left", () => client.problems().length === 0);
});

test("a start without the cloud and without a former run shows the rest, and says that Pods are unknown", async () => {
	await using place = await metaPlace([...webService("web"), podPolicy("p", { app: "a" }), elsewhere("a1", "a")]);
	{
		await using first = followMetaServer(place.server);
		await settled(place, first);
	}
	place.server.set({ link: "down" });
	place.server.forget("Pod");
	await using client = followMetaServer(place.server);
	await passUntil(client, "shown", () => client.seen.length > 0);
	expect([String(client.services()), policies(client), pods(client)]).toEqual(["demo/web", "BalancingPolicy p", ""]);
	expect(client.problems()).toContain("Pods with app=a: Doubtful");
	place.server.set({ link: "up" });
	await passUntil(client, "the Pod", () => pods(client) === "demo/a1");
});

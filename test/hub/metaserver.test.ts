// A MetaServer that tells the truth, in its own words: followed like an API server, and what it says of itself is left out.

import { expect, test } from "bun:test";
import { KINDS, temporaryFolder, webService } from "../support/follow_hub.ts";
import { followMetaServer, heard, metaPlace, passUntil, settled } from "../support/follow_metaserver.ts";
import { startHub } from "../support/hub/hub.ts";
import { until } from "../support/wait.ts";

const SLICES = "endpointslices.discovery.k8s.io";
const services = (...names: readonly string[]) => names.flatMap((name) => webService(name));
const labelled = (name: string, labels: object) => {
	const [service, slice] = webService(name);
	return [{ ...service, metadata: { name, namespace: "demo", labels } }, slice ?? {}];
};

test("what a MetaServer has is shown, and what changes comes by its watch", async () => {
	await using place = await metaPlace(services("web"));
	await using client = followMetaServer(place.server);
	await client.shows("demo/web");
	await settled(place, client);
	const lists = place.server.requests("list").length;
	place.cloud.apply(webService("web", ["10.1.0.2"]));
	place.cloud.apply(webService("more"));
	await client.shows("demo/more", "demo/web");
	await until("the new endpoint", () => client.ips("demo/web")[0] === "10.1.0.2");
	expect(place.server.requests("list")).toHaveLength(lists);
	expect(client.hub.status()).toMatchObject({
		name: `MetaServer ${place.server.url}`,
		synced: true,
		staleSince: null,
		withoutCloudSince: null,
	});
	expect(client.problems()).toEqual([]);
	expect(client.log.filter((line) => line.startsWith("warn"))).toEqual([]);
});

test("lists are asked for whole, with the selectors, and without a version", async () => {
	await using place = await metaPlace(services("web"));
	await using client = followMetaServer(place.server, { selector: "app!=db" });
	await settled(place, client);
	const [list] = place.server.requests("list", SLICES);
	expect(Object.fromEntries(list?.query ?? [])).toEqual({
		labelSelector:
			"kubernetes.io/service-name,!service.kubernetes.io/headless,!service.kubernetes.io/service-proxy-name",
	});
	expect(place.server.requests("list", "services")[0]?.query.get("labelSelector")).toBe(
		"!service.kubernetes.io/service-proxy-name,app!=db",
	);
	expect(Object.fromEntries(place.server.requests("watch", "services")[0]?.query ?? [])).toEqual({
		watch: "true",
		labelSelector: "!service.kubernetes.io/service-proxy-name,app!=db",
		timeoutSeconds: "1818",
	});
});

test("a deletion is shown when the watch and one list from the cloud say so", async () => {
	await using place = await metaPlace(services("web", "old", "new"));
	await using client = followMetaServer(place.server);
	await settled(place, client);
	const before = place.server.requests("list", "services").length;
	place.cloud.delete("Service", "demo", "old");
	await heard(place, client);
	await passUntil(client, "gone", () => client.services()?.length === 2);
	expect(client.services()).toEqual(["demo/new", "demo/web"]);
	expect(place.server.requests("list", "services")).toHaveLength(before + 1);
});

test("a watch that is broken is opened again, and what happened meanwhile is found by a list", async () => {
	await using place = await metaPlace(services("web", "old"));
	await using client = followMetaServer(place.server);
	await settled(place, client);
	const snapshots = client.seen.length;
	for (const watch of place.server.watches()) watch.reset();
	await passUntil(client, "new watches", () => place.server.requests("watch").length === 2 * KINDS);
	await settled(place, client);
	// All that is there came again as ADDED: nothing has changed.
	expect(client.seen).toHaveLength(snapshots);
	expect(client.hub.status().staleSince).toBeNull();
});

test("the API server's own Service is left alone where KubeEdge puts itself in its place, and that is said once", async () => {
	await using place = await metaPlace(services("web", "more"));
	await using client = followMetaServer(place.server);
	await settled(place, client);
	place.cloud.apply(webService("last"));
	await client.shows("demo/last", "demo/more", "demo/web");
	expect(client.seen.flatMap(({ services }) => [...services.keys()])).not.toContain("default/kubernetes");
	expect(client.ips("default/kubernetes")).toEqual([]);
	expect(client.log.filter((line) => line.includes("loopback"))).toHaveLength(1);
	expect(client.problems()).toEqual([]);
});

test("the API server's own Service is shown where it leads to the API server", async () => {
	await using place = await metaPlace(services("web"), { rewritesApiServer: false });
	await using client = followMetaServer(place.server);
	await client.shows("default/kubernetes", "demo/web");
	expect(client.ips("default/kubernetes")).toEqual(["192.0.2.1"]);
});

test("selectors that the MetaServer ignores are applied all the same, and so is a label that changes", async () => {
	const objects = [...labelled("web", { app: "web" }), ...labelled("db", { app: "db" })];
	const foreign = labelled("proxied", { app: "web", "service.kubernetes.io/service-proxy-name": "other" });
	await using place = await metaPlace([...objects, ...foreign], { ignoresSelectors: true });
	await using client = followMetaServer(place.server, { selector: "app in (web)" });
	await settled(place, client);
	expect(client.services()).toEqual(["demo/web"]);
	const lists = place.server.requests("list").length;
	place.cloud.apply(labelled("db", { app: "web" }));
	await client.shows("demo/db", "demo/web");
	place.cloud.apply(labelled("web", { app: "old" }));
	await client.shows("demo/db");
	expect(place.server.requests("list")).toHaveLength(lists);
});

test("an object that is no longer selected goes at once where the MetaServer says DELETED of it", async () => {
	await using place = await metaPlace([...labelled("web", { app: "web" }), ...labelled("db", { app: "web" })]);
	await using client = followMetaServer(place.server, { selector: "app=web" });
	await settled(place, client);
	const lists = place.server.requests("list").length;
	place.cloud.apply(labelled("db", { app: "db" }));
	await client.shows("demo/web");
	expect(place.server.requests("list")).toHaveLength(lists);
});

test("a namespace is followed alone, and its last Service can be deleted", async () => {
	await using place = await metaPlace([...services("web"), ...webService("other", ["10.1.0.9"], "elsewhere")]);
	await using client = followMetaServer(place.server, { namespaces: ["demo"] });
	await settled(place, client);
	expect(client.services()).toEqual(["demo/web"]);
	place.cloud.delete("Service", "demo", "web");
	await heard(place, client);
	await passUntil(client, "gone", () => client.services()?.length === 0);
	await passUntil(client, "no doubt left", () => client.problems().length === 0);
});

test("https is spoken with the CA and the token that a Pod is given", async () => {
	await using cloud = await startHub({
		users: { edge: { credentials: "token", rules: [{ verbs: ["list", "watch"], resources: ["*"], groups: ["*"] }] } },
	});
	cloud.apply(services("web"));
	const { authority, token } = cloud.credentials("edge");
	using folder = temporaryFolder();
	folder.write("ca.crt", authority);
	folder.write("token", `${token}\n`);
	await using client = followMetaServer({ url: cloud.url }, { folder: folder.path });
	await client.shows("default/kubernetes", "demo/web");
	expect(new Set(cloud.requests().map(({ user }) => user))).toEqual(new Set(["edge"]));
});

test("https with a certificate of somebody else's is refused, and the reason is told", async () => {
	await using cloud = await startHub();
	using folder = temporaryFolder();
	await using client = followMetaServer({ url: cloud.url }, { folder: folder.path });
	await until("told", () => client.hub.status().kinds[0]?.problem !== null);
	expect(client.hub.status().kinds[0]?.problem).toMatch(
		/^Cannot watch Services at https:\/\/127\.0\.0\.1:\d+: \w+ \(its certificate is not signed by the configured CA\)$/,
	);
});

test("a token never goes over plain HTTP", async () => {
	await using place = await metaPlace(services("web"));
	using folder = temporaryFolder();
	folder.write("token", "secret");
	await using client = followMetaServer(place.server, { folder: folder.path });
	await settled(place, client);
	expect(place.server.requests().filter(({ headers }) => headers["authorization"] !== undefined)).toEqual([]);
	expect(place.server.requests().length).toBeGreaterThan(3);
});

test("watchMetaServer() refuses a selector that is none", () => {
	expect(() => followMetaServer({ url: "http://127.0.0.1:1" }, { selector: "app in web" })).toThrow(
		'Cannot select by !service.kubernetes.io/service-proxy-name,app in web: "app in web" is no requirement: write app=web, app in (a,b), app or !app',
	);
});

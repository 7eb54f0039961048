// Following an API server over real TLS: what is asked, what is seen, and what stays the same.

import { expect, test } from "bun:test";
import { agentRights, followHub, KINDS, webService } from "../support/follow_hub.ts";
import { startHub } from "../support/hub/hub.ts";
import { until } from "../support/wait.ts";

const names = (count: number) => Array.from({ length: count }, (_, index) => `s${String(index).padStart(4, "0")}`);
const keys = (list: readonly string[]) => list.map((name) => `demo/${name}`);

test("watchKubernetes() shows the first snapshot when every kind was read, then each change", async () => {
	await using server = await startHub({ kubernetes: false });
	server.apply([...webService("web", ["10.1.0.1", "10.1.0.2"]), ...webService("api")]);
	await using client = followHub(server);
	await client.shows("demo/api", "demo/web");
	expect(client.seen).toHaveLength(1);
	expect(client.ips("demo/web")).toEqual(["10.1.0.1", "10.1.0.2"]);

	server.apply(webService("web", ["10.1.0.3"]));
	await until("the new endpoint", () => String(client.ips("demo/web")) === "10.1.0.3");
	server.delete("EndpointSlice", "demo", "web-1");
	await until("no endpoint", () => client.ips("demo/web").length === 0);
	server.delete("Service", "demo", "web");
	await client.shows("demo/api");
	expect(client.hub.status()).toMatchObject({ synced: true, staleSince: null });
	expect(client.problems()).toEqual([]);
});

test("watchKubernetes() keeps what did not change identical, and shows nothing where nothing changed", async () => {
	await using server = await startHub({ kubernetes: false });
	server.apply([...webService("web"), ...webService("api")]);
	await using client = followHub(server);
	await client.shows("demo/api", "demo/web");
	const [first] = client.seen;
	// A change of something that nobody reads.
	const [service] = webService("web");
	server.apply({ ...service, metadata: { name: "web", namespace: "demo", annotations: { note: "x" } } });
	server.apply(webService("api", ["10.1.0.9"]));
	await until("the new endpoint", () => String(client.ips("demo/api")) === "10.1.0.9");
	const last = client.seen.at(-1);
	expect(client.seen).toHaveLength(2);
	expect(last?.services).toBe(first?.services as never);
	expect(last?.slices.get("demo/web")).toBe(first?.slices.get("demo/web") as never);
	expect(last?.slices.get("demo/api")).not.toBe(first?.slices.get("demo/api") as never);
});

test("watchKubernetes() does not show anything while one kind is not read", async () => {
	await using server = await startHub({ kubernetes: false });
	server.apply(webService("web"));
	const held = server.inject({ resource: "endpointslices.discovery.k8s.io" }, { kind: "break", how: "reset" });
	await using client = followHub(server);
	await until("Services read", () => client.hub.status().kinds[0]?.synced === true);
	await until("slices tried", () => held.hits() > 0);
	expect(client.seen).toHaveLength(0);
	expect(client.hub.status().synced).toBe(false);
	held.remove();
	client.clock.jump(60_000);
	await client.shows("demo/web");
	expect(client.ips("demo/web")).toEqual(["10.1.0.1"]);
});

test("watchKubernetes() leaves to the server what is not ours: headless slices, other proxies' Services, slices of nobody", async () => {
	await using server = await startHub({ kubernetes: false });
	const label = (name: string, labels: Record<string, string>) =>
		webService(name).map((object) => {
			const metadata: object = Reflect.get(object, "metadata");
			return { ...object, metadata: { ...metadata, labels: { ...Reflect.get(metadata, "labels"), ...labels } } };
		});
	const other = { "service.kubernetes.io/service-proxy-name": "other" };
	server.apply([...webService("web"), ...label("theirs", other)]);
	await using client = followHub(server);
	await client.shows("demo/web");
	expect(client.seen.at(-1)?.slices.has("demo/theirs")).toBe(false);
	// Labels come and go while we watch.
	server.apply(label("theirs", {}));
	await client.shows("demo/theirs", "demo/web");
	await until("the slice, too", () => client.ips("demo/theirs").length === 1);
	server.apply(label("web", other));
	await client.shows("demo/theirs");
	server.apply(label("theirs", { "service.kubernetes.io/headless": "" }));
	await until("the headless slice gone", () => client.ips("demo/theirs").length === 0);
});

test("watchKubernetes() narrows by namespace and by selector, and asks for no more than that", async () => {
	await using server = await startHub({
		users: {
			edge: {
				credentials: "token",
				rules: [
					{
						verbs: ["list", "watch"],
						resources: ["services", "endpointslices", "pods"],
						namespaces: ["one", "two"],
					},
					...agentRights("services", "endpointslices", "pods"),
				],
			},
		},
	});
	const tier = (tierName: string, objects: readonly object[]) =>
		objects.map((object) => {
			const metadata: object = Reflect.get(object, "metadata");
			return { ...object, metadata: { ...metadata, labels: { ...Reflect.get(metadata, "labels"), tier: tierName } } };
		});
	server.apply([
		...tier("front", webService("a", ["10.1.0.1"], "one")),
		...tier("back", webService("b", ["10.1.0.2"], "one")),
		...tier("front", webService("c", ["10.1.0.3"], "two")),
		...tier("front", webService("d", ["10.1.0.4"], "three")),
	]);
	await using client = followHub(server, {
		kubeconfig: server.kubeconfig({ user: "edge" }),
		namespaces: ["one", "two"],
		selector: "tier in (front)",
	});
	await client.shows("one/a", "two/c");
	expect(client.ips("two/c")).toEqual(["10.1.0.3"]);
	expect(client.hub.status().kinds.map(({ title }) => title)).toEqual([
		"Services in one",
		"Services in two",
		"EndpointSlices in one",
		"EndpointSlices in two",
		"Nodes",
		"Pods in one on edge-1",
		"Pods in two on edge-1",
		"LocalRedirectPolicies",
		"BalancingPolicies",
	]);
	expect(server.requests().filter(({ code }) => code !== 200)).toEqual([]);
});

test.each([["served"], ["forbidden"], ["bad-request"]] as const)(
	"watchKubernetes() reads 1201 Services where streaming lists are %s, and asks once whether they are",
	async (initialEvents) => {
		await using server = await startHub({ kubernetes: false, features: { initialEvents } });
		const all = names(1201);
		server.apply(all.flatMap((name) => webService(name)));
		// One kind hears that there are none while the other still waits for its answer.
		const resource = "endpointslices.discovery.k8s.io";
		server.inject({ resource, where: ({ query }) => query.has("sendInitialEvents") }, { kind: "delay", ms: 50 });
		await using client = followHub(server);
		await client.shows(...keys(all));
		expect(client.seen).toHaveLength(1);
		expect(client.log.filter((line) => line.startsWith("warn"))).toEqual([]);
		const streams = server.count({ where: ({ query }) => query.has("sendInitialEvents") });
		const pages = server.requests({ verb: "list", resource: "services" });
		if (initialEvents === "served") {
			expect(streams).toBe(KINDS);
			expect(pages).toEqual([]);
			return;
		}
		// All kinds ask at the same time, before the first answer; never again.
		expect(streams).toBe(KINDS);
		expect(pages.map(({ query }) => query.get("limit"))).toEqual(["500", "500", "500"]);
		expect(pages.every(({ headers }) => headers["accept-encoding"] === "gzip")).toBe(true);
		server.compact({ watches: true });
		await server.restart();
		client.clock.jump(5000);
		server.apply(webService("new"));
		await client.shows(...keys([...all, "new"]));
		expect(server.count({ where: ({ query }) => query.has("sendInitialEvents") })).toBe(KINDS);
	},
);

test.each([24, 31, 32, 33, 36])(
	"watchKubernetes() follows a Kubernetes 1.%d: lists, changes, a restart that forgets old versions",
	async (minor) => {
		await using server = await startHub({ minor, kubernetes: false });
		server.apply(webService("web"));
		await using client = followHub(server);
		await client.shows("demo/web");
		server.apply(webService("api"));
		await client.shows("demo/api", "demo/web");
		server.delete("Service", "demo", "web");
		await client.shows("demo/api");
		await server.restart();
		server.apply(webService("new"));
		await until("the new Service", () => {
			client.clock.jump(500);
			return client.services()?.includes("demo/new") === true;
		});
		expect(client.services()).toEqual(["demo/api", "demo/new"]);
		expect(client.hub.status()).toMatchObject({ synced: true, staleSince: null });
		expect(client.problems()).toEqual([]);
	},
);

test("watchKubernetes() falls back to pages where the mark of a streaming list never comes", async () => {
	await using server = await startHub({ kubernetes: false, features: { initialEvents: "ignored" } });
	server.apply(webService("web"));
	await using client = followHub(server);
	await until("all streams open", () => server.watches().length === KINDS);
	let rounds = 0;
	await until("all watchdogs awake", () => {
		// What was sent may still be on its way at the first jump.
		if (rounds++ % 100 === 0) client.clock.jump(31_000);
		return client.log.filter((line) => /^warn .* nothing was heard for 30 s/.test(line)).length === KINDS;
	});
	client.clock.jump(5000);
	await client.shows("demo/web");
	expect(server.count({ verb: "list" })).toBe(KINDS);
});

test("watchKubernetes() reads a list again whose pages expire on the way", async () => {
	await using server = await startHub({ kubernetes: false, features: { initialEvents: "forbidden" } });
	const all = names(1200);
	server.apply(all.flatMap((name) => webService(name)));
	const slow = server.inject({ verb: "list", where: ({ query }) => query.has("continue") }, { kind: "delay", ms: 50 });
	await using client = followHub(server);
	await until("a second page asked for", () => slow.hits() > 0);
	server.compact();
	await client.shows(...keys(all));
	expect(server.requests({ verb: "list", code: 410 }).length).toBeGreaterThan(0);
});

test("watchKubernetes() reads what arrives byte by byte, with characters cut in two", async () => {
	await using server = await startHub({ kubernetes: false });
	server.shape({ chunkBytes: 1, writeBytes: 1 });
	const [service, slice] = webService("web");
	const metadata = { name: "web", namespace: "demo", annotations: { "balancing.elf.io/peer-address": "żółć 漢字 👍" } };
	server.apply([{ ...service, metadata }, slice]);
	const wrong = () => expect.stringContaining('"żółć 漢字 👍" is not a peer address');
	await using client = followHub(server);
	await client.shows("demo/web");
	expect(client.seen.at(-1)?.problems).toMatchObject([{ object: "Service demo/web", message: wrong() }]);
	server.setFeatures({ initialEvents: "forbidden" });
	await using pages = followHub(server);
	await pages.shows("demo/web");
	expect(pages.seen.at(-1)?.problems).toMatchObject([{ object: "Service demo/web", message: wrong() }]);
});

test("watchKubernetes() uses few connections, and ends them all", async () => {
	await using server = await startHub({ kubernetes: false, features: { initialEvents: "forbidden" } });
	server.apply(names(1200).flatMap((name) => webService(name)));
	{
		await using client = followHub(server);
		await until("synced", () => client.seen.length > 0 && server.watches().length === KINDS);
		expect(server.traffic().accepted).toBeLessThanOrEqual(KINDS + 1);
	}
	await until("no watch open", () => server.watches().length === 0);
});

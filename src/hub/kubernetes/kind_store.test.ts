// What a store believes, what it doubts, and what stays identical.

import { expect, test } from "bun:test";
import type { Clock } from "../../lib/clock.ts";
import { endpointsIn } from "../../model/endpoint_list.ts";
import { createClusterView } from "../kinds/cluster_view.ts";
import { type Need, needsOf } from "../kinds/needs.ts";
import { createKindStore } from "./kind_store.ts";

function needOf(kind: Need["kind"]): Need {
	const need = needsOf({ kind: "node", nodeName: "n1" }).find((each) => each.kind === kind);
	if (need === undefined) throw new Error(`Cannot find ${kind}: no such row`);
	return need;
}

function service(name: string, ip = "10.96.0.9", more: object = {}): object {
	return {
		metadata: { name, namespace: "demo", resourceVersion: "1", ...more },
		spec: { clusterIP: ip, clusterIPs: [ip], ports: [{ port: 80 }] },
	};
}

function slice(
	name: string,
	owner: string,
	ips: readonly string[],
	{ namespace = "demo", family = "IPv4" } = {},
): object {
	return {
		metadata: { name, namespace, labels: { "kubernetes.io/service-name": owner } },
		addressType: family,
		endpoints: ips.length === 0 ? null : ips.map((ip) => ({ addresses: [ip], conditions: { ready: true } })),
		ports: ips.length === 0 ? null : [{ name: "", port: 8080, protocol: "TCP" }],
	};
}

function stage(kind: Need["kind"] = "Service") {
	const time = { now: 0 };
	const clock: Clock = { now: () => time.now, sleep: async () => {} };
	const view = createClusterView();
	const store = createKindStore({ need: needOf(kind), view, clock });
	return {
		time,
		view,
		store,
		list(objects: readonly object[]) {
			const listing = store.startListing();
			for (const object of objects) listing.put(object);
			return listing;
		},
		names: () => [...view.snapshot().services.keys()].map((key) => key.slice("demo/".length)).sort(),
	};
}

const many = (count: number) => Array.from({ length: count }, (_, index) => service(`s${index}`));

test("createKindStore() shows nothing of a list before it is committed, then all at once", () => {
	const { store, list, names } = stage();
	store.put(service("a"));
	store.put(service("b"));
	const listing = list([service("b"), service("c")]);
	expect(names()).toEqual(["a", "b"]);
	expect(listing.losses()).toBe(1);
	listing.commit();
	expect(names()).toEqual(["b", "c"]);
	expect(store.size()).toBe(2);
});

test("createKindStore() takes changes that come during a streaming list into the list", () => {
	const { list, names } = stage();
	const listing = list([service("a"), service("b")]);
	listing.drop(service("a"));
	listing.put(service("c"));
	listing.commit();
	expect(names()).toEqual(["b", "c"]);
});

test("createKindStore() keeps values identical that say the same, also through a list", () => {
	const { store, view, list } = stage();
	store.put(service("a"));
	store.put(service("b"));
	const before = view.snapshot();
	store.put(service("a", "10.96.0.9", { resourceVersion: "2", annotations: { x: "y" } }));
	list([service("a"), service("b")]).commit();
	expect(view.snapshot()).toBe(before);
	store.put(service("b", "10.96.0.10"));
	const after = view.snapshot();
	expect(after).not.toBe(before);
	expect(after.services.get("demo/a")).toBe(before.services.get("demo/a"));
	expect(String(after.services.get("demo/b")?.clusterIps)).toBe("10.96.0.10");
	expect(after.slices).toBe(before.slices);
	expect(String(before.services.get("demo/b")?.clusterIps)).toBe("10.96.0.9");
});

test.each([
	[10, 4, true],
	[10, 5, false],
	[9, 0, false],
	[1000, 499, true],
	[1000, 0, true],
])("createKindStore(): a list of %d that becomes %d is doubtful: %p", (before, after, doubtful) => {
	const { list } = stage();
	list(many(before)).commit();
	expect(list(many(after)).isDoubtful()).toBe(doubtful);
});

test("createKindStore() believes deletions until more than half is gone within a minute", () => {
	const { store, list, time, names } = stage();
	list(many(20)).commit();
	for (let index = 0; index < 10; index++) expect(store.drop(service(`s${index}`))).toBe(true);
	expect(store.drop(service("s10"))).toBe(false);
	expect(names()).toHaveLength(10);
	time.now += 60_001;
	expect(store.drop(service("s10"))).toBe(true);
	expect(store.drop(service("never"))).toBe(true);
});

test("createKindStore() counts what came against what went", () => {
	const { store, list } = stage();
	list(many(20)).commit();
	for (let index = 0; index < 200; index++) {
		store.put(service(`n${index}`));
		expect(store.drop(service(`n${index}`))).toBe(true);
	}
});

test("createKindStore() leaves a bad object out with its Problem, and takes both back", () => {
	const { store, view, names } = stage();
	store.put(service("a"));
	store.put(service("bad", "no address"));
	expect(names()).toEqual(["a", "bad"]);
	expect(view.snapshot().problems.map(({ object, field }) => [object, String(field)])).toEqual([
		["Service demo/bad", "spec.clusterIPs[0]"],
	]);
	store.put({ metadata: { name: "bad", namespace: "demo" } });
	expect(names()).toEqual(["a"]);
	store.put({ metadata: {} });
	store.put(7);
	expect(view.snapshot().problems.length).toBeGreaterThan(0);
	store.drop({ metadata: {} });
	store.drop(7);
	store.drop(service("bad"));
	expect(view.snapshot().problems).toEqual([]);
});

test("createClusterView() keeps the slices of a Service sorted, and the list identical while it is the same", () => {
	const { store, view } = stage("EndpointSlice");
	store.put(slice("b", "web", ["10.0.0.2"]));
	store.put(slice("a", "web", ["10.0.0.1"]));
	store.put(slice("c", "other", ["10.0.0.3"]));
	const before = view.snapshot();
	expect(before.slices.get("demo/web")?.map(({ key }) => key)).toEqual(["demo/a", "demo/b"]);
	store.put(slice("c", "other", ["10.0.0.4"]));
	const after = view.snapshot();
	expect(after.slices.get("demo/web")).toBe(before.slices.get("demo/web"));
	store.put(slice("b", "other", ["10.0.0.2"]));
	expect(
		view
			.snapshot()
			.slices.get("demo/web")
			?.map(({ key }) => key),
	).toEqual(["demo/a"]);
	expect(
		view
			.snapshot()
			.slices.get("demo/other")
			?.map(({ key }) => key),
	).toEqual(["demo/b", "demo/c"]);
	store.drop(slice("a", "web", []));
	expect(view.snapshot().slices.has("demo/web")).toBe(false);
	expect(before.slices.get("demo/web")).toHaveLength(2);
});

test("createClusterView() never loses the last endpoints of default/kubernetes, family by family", () => {
	const { store, view } = stage("EndpointSlice");
	const place = { namespace: "default" };
	const ips = () =>
		view
			.snapshot()
			.slices.get("default/kubernetes")
			?.flatMap(({ endpoints }) => endpointsIn(endpoints).map(({ ip }) => String(ip)));
	store.put(slice("kubernetes", "kubernetes", ["10.1.0.1", "10.1.0.2"], place));
	store.put(slice("kubernetes6", "kubernetes", ["fd00::1"], { ...place, family: "IPv6" }));
	store.put(slice("kubernetes", "kubernetes", ["10.1.0.2"], place));
	expect(ips()).toEqual(["10.1.0.2", "fd00::1"]);
	store.put(slice("kubernetes", "kubernetes", [], place));
	expect(ips()).toEqual(["10.1.0.2", "fd00::1"]);
	store.drop(slice("kubernetes", "kubernetes", [], place));
	store.drop(slice("kubernetes6", "kubernetes", [], place));
	expect(ips()).toEqual(["10.1.0.2", "fd00::1"]);
	store.put(slice("renamed", "kubernetes", ["10.1.0.7"], place));
	expect(ips()).toEqual(["fd00::1", "10.1.0.7"]);
});

test("createClusterView() never loses the Service default/kubernetes", () => {
	const { store, list, view } = stage();
	const kubernetes = service("kubernetes", "10.96.0.1", { namespace: "default" });
	store.put(kubernetes);
	store.put(service("a"));
	list([]).commit();
	expect([...view.snapshot().services.keys()]).toEqual(["default/kubernetes"]);
	store.put(service("kubernetes", "10.96.0.2", { namespace: "default" }));
	expect(String(view.snapshot().services.get("default/kubernetes")?.clusterIps)).toBe("10.96.0.2");
});

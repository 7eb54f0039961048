// The hub speaks the protocol: versions, pages, watches, selectors, status, patches, users, and what it counts.

import { afterEach, describe, expect, test } from "bun:test";
import { rulesOf } from "../support/hub/access.ts";
import { ask, type Lines, request, type WatchEvent, watch } from "../support/hub/ask.ts";
import { POLICY_DEFINITIONS } from "../support/hub/definition.ts";
import { type HubOptions, startHub, type TestHub } from "../support/hub/hub.ts";
import { at, fieldsOf, listOf } from "../support/hub/object.ts";
import { until } from "../support/wait.ts";

const hubs: TestHub[] = [];
async function hubWith(options: HubOptions = {}): Promise<TestHub> {
	const hub = await startHub({ kubernetes: false, ...options });
	hubs.push(hub);
	return hub;
}
afterEach(async () => {
	for (const hub of hubs.splice(0)) await hub.close();
});

const SERVICES = "/api/v1/namespaces/demo/services";
const POLICIES = "/apis/balancing.elf.io/v1beta1/balancingpolicies";

function service(name: string, labels: Record<string, string> = {}): object {
	return {
		apiVersion: "v1",
		kind: "Service",
		metadata: { name, namespace: "demo", labels },
		spec: { ports: [{ port: 80 }] },
	};
}

function policy(name: string, more: object = {}): object {
	return {
		apiVersion: "balancing.elf.io/v1beta1",
		kind: "BalancingPolicy",
		metadata: { name, ...more },
		spec: { config: { enableOutCluster: true } },
	};
}

function names(list: unknown): readonly unknown[] {
	return listOf(at(list, "items")).map((item) => at(item, "metadata", "name"));
}

/** What a watch sends: at least so many events, and what comes until the hub ends it. */
async function allOf(hub: TestHub, lines: Lines, count: number): Promise<readonly WatchEvent[]> {
	const events = await lines.take(count);
	for (const open of hub.watches()) open.end();
	return [...events, ...(await lines.rest())];
}

/** The code alone: a watch is left at once. */
async function codeOf(hub: TestHub, path: string, user: string): Promise<number> {
	const abort = new AbortController();
	const { status } = await request(hub, path, { user, signal: abort.signal });
	abort.abort();
	return status;
}

describe("lists", () => {
	test("come by pages that are all of one version", async () => {
		const hub = await hubWith();
		hub.apply(["a", "b", "c", "d", "e"].map((name) => service(name)));
		const first = await ask(hub, `${SERVICES}?limit=2`);
		const version = first.at("metadata", "resourceVersion");
		expect([names(first.json), first.at("metadata", "remainingItemCount")]).toEqual([["a", "b"], 3]);
		hub.delete("Service", "demo", "d");
		hub.apply(service("cc"));
		const second = await ask(hub, `${SERVICES}?limit=2&continue=${first.at("metadata", "continue")}`);
		expect([names(second.json), second.at("metadata", "resourceVersion")]).toEqual([["c", "d"], version]);
		const third = await ask(hub, `${SERVICES}?limit=2&continue=${second.at("metadata", "continue")}`);
		expect([names(third.json), third.at("metadata", "continue")]).toEqual([["e"], undefined]);
	});

	test("go on after their token expired, at a newer version", async () => {
		const hub = await hubWith();
		hub.apply(["a", "b", "c"].map((name) => service(name)));
		const first = await ask(hub, `${SERVICES}?limit=1`);
		hub.compact({ pages: true });
		const old = await ask(hub, `${SERVICES}?limit=1&continue=${first.at("metadata", "continue")}`);
		expect([old.code, old.at("reason")]).toEqual([410, "Expired"]);
		hub.apply(service("aa"));
		const next = await ask(hub, `${SERVICES}?continue=${old.at("metadata", "continue")}`);
		expect(names(next.json)).toEqual(["aa", "b", "c"]);
		expect(Number(next.at("metadata", "resourceVersion"))).toBeGreaterThan(
			Number(first.at("metadata", "resourceVersion")),
		);
	});

	test("of all namespaces go on across them", async () => {
		const hub = await hubWith();
		for (const namespace of ["a", "b"])
			hub.apply(["x", "y"].map((name) => ({ ...service(name), metadata: { name, namespace } })));
		const seen: string[] = [];
		let token: unknown = "";
		do {
			const page = await ask(hub, `/api/v1/services?limit=1&continue=${token}`);
			const [item] = listOf(page.at("items"));
			seen.push(`${at(item, "metadata", "namespace")}/${at(item, "metadata", "name")}`);
			token = page.at("metadata", "continue");
		} while (token !== undefined);
		expect(seen).toEqual(["a/x", "a/y", "b/x", "b/y"]);
	});

	test("with a selector may have an empty last page, and do not count what remains", async () => {
		const hub = await hubWith();
		hub.apply([service("a", { x: "1" }), service("b", { x: "1" }), service("c")]);
		const first = await ask(hub, `${SERVICES}?limit=2&labelSelector=x`);
		expect([names(first.json), first.at("metadata", "remainingItemCount")]).toEqual([["a", "b"], undefined]);
		const last = await ask(hub, `${SERVICES}?limit=2&labelSelector=x&continue=${first.at("metadata", "continue")}`);
		expect([last.at("items"), last.at("metadata", "continue")]).toEqual([[], undefined]);
	});

	test("ignore limit at resourceVersion=0, and can be of an exact version", async () => {
		const hub = await hubWith();
		hub.apply([service("a"), service("b")]);
		const then = hub.revision();
		hub.apply(service("c"));
		expect(names((await ask(hub, `${SERVICES}?resourceVersion=0&limit=1`)).json)).toEqual(["a", "b", "c"]);
		const exact = `${SERVICES}?resourceVersion=${then}&resourceVersionMatch=Exact`;
		expect(names((await ask(hub, exact)).json)).toEqual(["a", "b"]);
		expect(names((await ask(hub, exact.replace("Exact", "NotOlderThan"))).json)).toEqual(["a", "b", "c"]);
		hub.compact();
		expect((await ask(hub, exact)).code).toBe(410);
		expect((await ask(hub, exact.replace("Exact", "NotOlderThan"))).code).toBe(200);
	});

	test.each([
		["labelSelector=x", ["a", "b"]],
		["labelSelector=!x", ["c"]],
		["labelSelector=x=1", ["a"]],
		["labelSelector=x!%3D1", ["b", "c"]],
		["labelSelector=x%20in%20(1,%203)", ["a"]],
		["labelSelector=x%20notin%20(1)", ["b", "c"]],
		["labelSelector=x,y", ["b"]],
		["fieldSelector=metadata.name=c", ["c"]],
		["fieldSelector=metadata.name!%3Dc,metadata.namespace=demo", ["a", "b"]],
		["labelSelector=x&fieldSelector=metadata.name=b", ["b"]],
	])("select by %s", async (query, expected) => {
		const hub = await hubWith();
		hub.apply([service("a", { x: "1" }), service("b", { x: "2", y: "" }), service("c")]);
		expect(names((await ask(hub, `${SERVICES}?${query}`)).json)).toEqual(expected);
	});

	test("select pods by node", async () => {
		const hub = await hubWith();
		hub.apply(
			["n1", "n2"].map((node) => ({
				apiVersion: "v1",
				kind: "Pod",
				metadata: { name: `on-${node}`, namespace: "demo" },
				spec: { nodeName: node },
			})),
		);
		expect(names((await ask(hub, "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1")).json)).toEqual(["on-n1"]);
	});

	test("are of metadata only, tables, YAML, or compressed when they are long", async () => {
		const hub = await hubWith();
		hub.apply(service("a"));
		const partial = await ask(hub, SERVICES, {
			headers: { accept: "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1" },
		});
		expect(partial.at("kind")).toBe("PartialObjectMetadataList");
		expect(Object.keys(fieldsOf(listOf(partial.at("items"))[0]))).toEqual(["kind", "apiVersion", "metadata"]);
		const table = await ask(hub, SERVICES, { headers: { accept: "application/json;as=Table;g=meta.k8s.io;v=v1" } });
		expect([table.at("kind"), listOf(at(listOf(table.at("rows"))[0], "cells"))[1]]).toEqual(["Table", "ClusterIP"]);
		expect((await ask(hub, SERVICES, { headers: { accept: "application/yaml" } })).text).toContain(
			"kind: ServiceList\n",
		);

		const small = await ask(hub, SERVICES, { headers: { "accept-encoding": "gzip" } });
		expect(small.headers.get("vary")).toBeNull();
		hub.apply(Array.from({ length: 200 }, (_, n) => service(`s${n}`, { text: "x".repeat(60) })));
		hub.resetCounters();
		const large = await ask(hub, SERVICES, { headers: { "accept-encoding": "gzip" } });
		expect([large.headers.get("vary"), listOf(large.at("items")).length]).toEqual(["Accept-Encoding", 201]);
		expect(hub.traffic().bytesOut).toBeLessThan(large.text.length / 4);
	});
});

describe("watches", () => {
	test("tell what is made, changed and removed, and nothing of what changed nothing", async () => {
		const hub = await hubWith();
		await using lines = await watch(hub, `/api/v1/services?watch=1&resourceVersion=${hub.revision()}`);
		await ask(hub, "/api/v1/namespaces", {
			method: "POST",
			body: { apiVersion: "v1", kind: "Namespace", metadata: { name: "demo" } },
		});
		await ask(hub, SERVICES, { method: "POST", body: service("w1") });
		const patch = {
			method: "PATCH",
			headers: { "content-type": "application/merge-patch+json" },
			body: { metadata: { labels: { a: "b" } } },
		};
		await ask(hub, `${SERVICES}/w1`, patch);
		await ask(hub, `${SERVICES}/w1`, patch);
		await ask(hub, `${SERVICES}/w1`, { method: "DELETE" });
		const events = await lines.take(3);
		expect(events.map(({ title }) => title)).toEqual(["ADDED w1", "MODIFIED w1", "DELETED w1"]);
		const versions = events.map(({ object }) => Number(at(object, "metadata", "resourceVersion")));
		expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
		expect(versions.at(-1)).toBe(hub.revision());
	});

	test("resume after a version, or begin with what is there", async () => {
		const hub = await hubWith();
		hub.apply([service("a"), service("b")]);
		const then = hub.revision();
		hub.apply(service("c"));
		hub.delete("Service", "demo", "a");
		await using resumed = await watch(hub, `${SERVICES}?watch=1&resourceVersion=${then}`);
		expect((await allOf(hub, resumed, 2)).map(({ title }) => title)).toEqual(["ADDED c", "DELETED a"]);
		for (const query of ["", "&resourceVersion=0"]) {
			await using lines = await watch(hub, `${SERVICES}?watch=1${query}`);
			expect((await lines.take(2)).map(({ title }) => title)).toEqual(["ADDED b", "ADDED c"]);
		}
	});

	test("mark the end of the initial events, and go on", async () => {
		const hub = await hubWith();
		hub.apply([service("a"), service("b")]);
		const path = `${SERVICES}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan`;
		await using lines = await watch(hub, `${path}&allowWatchBookmarks=true`);
		const events = await lines.take(3);
		expect(events.map(({ type }) => type)).toEqual(["ADDED", "ADDED", "BOOKMARK"]);
		expect(at(events[2]?.object, "metadata", "annotations")).toEqual({ "k8s.io/initial-events-end": "true" });
		hub.apply(service("c"));
		expect((await lines.next())?.title).toBe("ADDED c");
		await using unmarked = await watch(hub, path);
		expect((await allOf(hub, unmarked, 3)).map(({ title }) => title)).toEqual(["ADDED a", "ADDED b", "ADDED c"]);
	});

	test.each([
		[24, 422],
		[31, 422],
		[32, 200],
		[33, 422],
		[34, 200],
	])("of a server 1.%d: initial events are answered with %d", async (minor, code) => {
		const hub = await hubWith({ minor });
		const path = `${SERVICES}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=1`;
		await using lines = await watch(hub, path);
		expect(lines.answer.status).toBe(code);
	});

	test("can take sendInitialEvents for an ordinary watch", async () => {
		const hub = await hubWith({ features: { initialEvents: "ignored" } });
		hub.apply(service("a"));
		await using lines = await watch(
			hub,
			`${SERVICES}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`,
		);
		expect((await allOf(hub, lines, 1)).map(({ title }) => title)).toEqual(["ADDED a"]);
	});

	test("see an object come into a selector and leave it", async () => {
		const hub = await hubWith();
		await using lines = await watch(hub, `${SERVICES}?watch=1&labelSelector=x%3D1&resourceVersion=${hub.revision()}`);
		hub.apply(service("a"));
		hub.apply(service("a", { x: "1" }));
		hub.apply(service("a", { x: "1", y: "2" }));
		hub.apply(service("a", { x: "2" }));
		hub.apply(service("a", { x: "1" }));
		hub.delete("Service", "demo", "a");
		const events = await lines.take(5);
		expect(events.map(({ type }) => type)).toEqual(["ADDED", "MODIFIED", "DELETED", "ADDED", "DELETED"]);
		// The state that was selected, with the version that was not.
		expect(at(events[2]?.object, "metadata", "labels")).toEqual({ x: "1", y: "2" });
		expect(Number(at(events[2]?.object, "metadata", "resourceVersion"))).toBe(hub.revision() - 2);
	});

	test("end cleanly at timeoutSeconds, with a bookmark if something passed", async () => {
		const hub = await hubWith();
		hub.apply(service("a"));
		const path = `${SERVICES}?watch=1&allowWatchBookmarks=true&timeoutSeconds=1&resourceVersion=`;
		await using idle = await watch(hub, `${path}${hub.revision()}`);
		await using old = await watch(hub, `${path}${hub.revision() - 1}`);
		expect(await idle.rest()).toEqual([]);
		expect((await old.rest()).map(({ title }) => title)).toEqual(["ADDED a", "BOOKMARK"]);
	});

	test("send bookmarks now and then", async () => {
		const hub = await hubWith({ timing: { bookmarkMs: 10 } });
		await using lines = await watch(
			hub,
			`${SERVICES}?watch=1&allowWatchBookmarks=true&resourceVersion=${hub.revision()}`,
		);
		hub.skip(5);
		const [event] = await lines.take(1);
		expect([event?.type, at(event?.object, "metadata", "resourceVersion")]).toEqual(["BOOKMARK", `${hub.revision()}`]);
	});

	test("are of metadata only when that is asked", async () => {
		const hub = await hubWith();
		hub.apply(service("a"));
		await using lines = await watch(hub, "/api/v1/watch/namespaces/demo/services", {
			headers: { accept: "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1" },
		});
		const [event] = await lines.take(1);
		expect([at(event?.object, "kind"), at(event?.object, "spec")]).toEqual(["PartialObjectMetadata", undefined]);
	});

	test("lose nothing to a burst while they begin", async () => {
		const hub = await hubWith();
		hub.apply(Array.from({ length: 500 }, (_, n) => service(`s${n}`)));
		await using lines = await watch(hub, `${SERVICES}?watch=1`);
		hub.apply(Array.from({ length: 500 }, (_, n) => service(`t${n}`)));
		expect(new Set((await lines.take(1000)).map(({ title }) => title)).size).toBe(1000);
	});

	test("of definitions see a new one in three versions, and then its kind is served", async () => {
		const hub = await hubWith({ definitions: [] });
		expect((await ask(hub, POLICIES)).code).toBe(404);
		const path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions?watch=1";
		await using lines = await watch(hub, `${path}&resourceVersion=${hub.revision()}`);
		hub.apply(POLICY_DEFINITIONS);
		const events = await lines.take(6);
		expect(events.map(({ type }) => type)).toEqual(["ADDED", "MODIFIED", "MODIFIED", "ADDED", "MODIFIED", "MODIFIED"]);
		expect((await ask(hub, POLICIES)).code).toBe(200);
	});

	test("of a kind whose definition is removed: DELETED, a clean end, then 404 in text", async () => {
		const hub = await hubWith();
		hub.apply([policy("p1"), policy("p2")]);
		await using lines = await watch(hub, `${POLICIES}?watch=1&resourceVersion=${hub.revision()}`);
		await using definitions = await watch(
			hub,
			`/apis/apiextensions.k8s.io/v1/customresourcedefinitions?watch=1&resourceVersion=${hub.revision()}`,
		);
		hub.delete("CustomResourceDefinition", undefined, "balancingpolicies.balancing.elf.io");
		expect((await lines.rest()).map(({ title }) => title)).toEqual(["DELETED p1", "DELETED p2"]);
		expect((await definitions.take(2)).map(({ type }) => type)).toEqual(["MODIFIED", "DELETED"]);
		const gone = await ask(hub, POLICIES);
		// The group is still there: the other policy is in it.
		expect([gone.code, gone.at("details")]).toEqual([404, {}]);
		hub.delete("CustomResourceDefinition", undefined, "localredirectpolicies.balancing.elf.io");
		expect((await ask(hub, POLICIES)).text).toBe("404 page not found\n");
	});
});

describe("writes", () => {
	const merge = { method: "PATCH", headers: { "content-type": "application/merge-patch+json" } };

	test("of the status change only the status, and others not the status", async () => {
		const hub = await hubWith();
		hub.apply(policy("p1"));
		const status = await ask(hub, `${POLICIES}/p1/status`, {
			...merge,
			body: { status: { ok: true }, spec: { config: { enableOutCluster: false } } },
		});
		expect([
			status.at("spec", "config", "enableOutCluster"),
			status.at("status", "ok"),
			status.at("metadata", "generation"),
		]).toEqual([true, true, 1]);
		const spec = await ask(hub, `${POLICIES}/p1`, {
			...merge,
			body: { status: { ok: false }, spec: { config: { enableOutCluster: false } } },
		});
		expect([
			spec.at("spec", "config", "enableOutCluster"),
			spec.at("status", "ok"),
			spec.at("metadata", "generation"),
		]).toEqual([false, true, 2]);
	});

	test("with an old version are conflicts", async () => {
		const hub = await hubWith();
		const [old] = hub.apply(policy("p1"));
		hub.apply(policy("p1", { labels: { a: "b" } }));
		const answer = await ask(hub, `${POLICIES}/p1`, { method: "PUT", body: old ?? {} });
		expect([answer.code, answer.at("reason")]).toEqual([409, "Conflict"]);
		const current = hub.get("BalancingPolicy", undefined, "p1");
		const put = await ask(hub, `${POLICIES}/p1`, {
			method: "PUT",
			body: { ...current, spec: { config: { enableOutCluster: false } } },
		});
		expect([put.code, put.at("metadata", "generation")]).toEqual([200, 2]);
	});

	test("by JSON patch and strategic merge", async () => {
		const hub = await hubWith();
		hub.apply({
			apiVersion: "v1",
			kind: "Node",
			metadata: { name: "n", annotations: { "example.com/id": "7" } },
			status: {
				conditions: [
					{ type: "A", status: "True" },
					{ type: "B", status: "True" },
				],
			},
		});
		const json = await ask(hub, "/api/v1/nodes/n", {
			method: "PATCH",
			headers: { "content-type": "application/json-patch+json" },
			body: JSON.stringify([
				{ op: "test", path: "/metadata/annotations/example.com~1id", value: "7" },
				{ op: "replace", path: "/metadata/annotations/example.com~1id", value: "8" },
			]),
		});
		expect(json.at("metadata", "annotations")).toEqual({ "example.com/id": "8" });
		const strategic = await ask(hub, "/api/v1/nodes/n/status", {
			method: "PATCH",
			headers: { "content-type": "application/strategic-merge-patch+json" },
			body: { status: { conditions: [{ type: "B", status: "False" }] } },
		});
		expect(strategic.at("status", "conditions")).toEqual([
			{ type: "A", status: "True" },
			{ type: "B", status: "False" },
		]);
	});

	test("to be tried only change nothing", async () => {
		const hub = await hubWith();
		const before = hub.revision();
		const answer = await ask(hub, `${POLICIES}?dryRun=All`, { method: "POST", body: policy("p1") });
		expect([answer.code, answer.at("metadata", "resourceVersion"), hub.revision()]).toEqual([201, undefined, before]);
	});

	test("a finalizer holds a deleted object until it is taken away", async () => {
		const hub = await hubWith();
		hub.apply(policy("p1", { finalizers: ["example.com/hold"] }));
		await using lines = await watch(hub, `${POLICIES}?watch=1&resourceVersion=${hub.revision()}`);
		const held = await ask(hub, `${POLICIES}/p1`, { method: "DELETE" });
		expect([held.code, held.at("kind"), typeof held.at("metadata", "deletionTimestamp")]).toEqual([
			200,
			"BalancingPolicy",
			"string",
		]);
		await ask(hub, `${POLICIES}/p1`, { ...merge, body: { metadata: { finalizers: null } } });
		expect((await lines.take(2)).map(({ type }) => type)).toEqual(["MODIFIED", "DELETED"]);
		expect((await ask(hub, `${POLICIES}/p1`)).code).toBe(404);
	});

	test("a pod on a node is deleted with grace, or at once by force", async () => {
		const hub = await hubWith();
		hub.apply({ apiVersion: "v1", kind: "Pod", metadata: { name: "p", namespace: "demo" }, spec: { nodeName: "n" } });
		await using lines = await watch(hub, `/api/v1/pods?watch=1&resourceVersion=${hub.revision()}`);
		const pod = "/api/v1/namespaces/demo/pods/p";
		expect((await ask(hub, pod, { method: "DELETE" })).at("metadata", "deletionGracePeriodSeconds")).toBe(30);
		expect((await ask(hub, pod)).code).toBe(200);
		await ask(hub, pod, { method: "DELETE", body: { kind: "DeleteOptions", apiVersion: "v1", gracePeriodSeconds: 0 } });
		expect((await lines.take(2)).map(({ title }) => title)).toEqual(["MODIFIED p", "DELETED p"]);
	});

	test("of the test itself put in what no server takes", async () => {
		const hub = await hubWith();
		hub.put("Service", { metadata: { name: "bad", namespace: "demo", labels: 5 }, spec: "none" } as never);
		hub.apply({
			apiVersion: "v1",
			kind: "ConfigMap",
			metadata: { name: "big", namespace: "demo", annotations: { text: "x".repeat(5 << 20) } },
		});
		const list = await ask(hub, SERVICES);
		const [item] = listOf(list.at("items"));
		expect([at(item, "metadata", "labels"), at(item, "spec")]).toEqual([5, "none"]);
		expect((await ask(hub, "/api/v1/configmaps")).text.length).toBeGreaterThan(5 << 20);
	});

	test("of a slice keep its nulls", async () => {
		const hub = await hubWith();
		hub.apply({
			apiVersion: "discovery.k8s.io/v1",
			kind: "EndpointSlice",
			metadata: { name: "s", namespace: "demo" },
			addressType: "IPv4",
		});
		const { text } = await ask(hub, "/apis/discovery.k8s.io/v1/namespaces/demo/endpointslices/s");
		expect(text).toContain('"addressType":"IPv4","endpoints":null,"ports":null}');
	});

	test("deletecollection deletes what is selected", async () => {
		const hub = await hubWith();
		hub.apply([service("a", { x: "1" }), service("b")]);
		await ask(hub, `${SERVICES}?labelSelector=x`, { method: "DELETE" });
		expect(hub.list("Service").map(({ metadata }) => metadata.name)).toEqual(["b"]);
	});
});

describe("users", () => {
	test("have certificates or tokens, and rules", async () => {
		const rules = [
			{ verbs: ["get", "list"], resources: ["services"], groups: [""], namespaces: ["demo"] },
			{ verbs: ["get", "watch"], resources: ["nodes"], names: ["n1"] },
		];
		const hub = await hubWith({ users: { edge: { groups: ["edges"], rules }, bot: { credentials: "token", rules } } });
		for (const user of ["edge", "bot"]) {
			const paths = [SERVICES, "/api/v1/services", `${SERVICES}?watch=1`, "/api/v1/nodes", "/version"];
			const named =
				"/api/v1/nodes?watch=1&resourceVersion=0&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&fieldSelector=metadata.name%3Dn1";
			const codes = await Promise.all([...paths, named].map((path) => codeOf(hub, path, user)));
			expect(codes).toEqual([200, 403, 403, 403, 200, 200]);
		}
		const who = await ask(hub, "/apis/authentication.k8s.io/v1/selfsubjectreviews", {
			user: "edge",
			method: "POST",
			body: { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" },
		});
		expect(who.at("status", "userInfo")).toEqual({ username: "edge", groups: ["edges", "system:authenticated"] });
		const may = await ask(hub, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
			user: "edge",
			method: "POST",
			body: {
				apiVersion: "authorization.k8s.io/v1",
				kind: "SelfSubjectAccessReview",
				spec: { resourceAttributes: { verb: "list", resource: "services", namespace: "demo" } },
			},
		});
		expect(may.at("status")).toEqual({ allowed: true });
	});

	test("may what a ClusterRole says", async () => {
		const hub = await hubWith({ users: { agent: { credentials: "token", rules: [] } } });
		const [role = {}] = hub.apply(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: agent }
rules:
  - { apiGroups: [""], resources: [services, nodes], verbs: [list] }
  - { apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [list, watch] }
  - { apiGroups: [""], resources: [configmaps], resourceNames: [own], verbs: [get] }
`);
		hub.setRules("agent", rulesOf(role));
		const slices = "/apis/discovery.k8s.io/v1/endpointslices";
		const paths = ["/api/v1/services", "/api/v1/pods", slices, `${slices}?watch=1`, "/api/v1/nodes?watch=1"];
		const codes = await Promise.all(paths.map((path) => codeOf(hub, path, "agent")));
		expect(codes).toEqual([200, 403, 200, 200, 403]);
		const maps = "/api/v1/namespaces/demo/configmaps";
		expect([await codeOf(hub, `${maps}/own`, "agent"), await codeOf(hub, `${maps}/other`, "agent")]).toEqual([
			404, 403,
		]);
	});

	test("lose their rights for the next request, not for a watch that is open", async () => {
		const hub = await hubWith({ users: { edge: { groups: ["system:masters"] } } });
		await using lines = await watch(hub, `${SERVICES}?watch=1`, { user: "edge" });
		hub.setRules("edge", []);
		hub.apply(service("a"));
		expect((await lines.next())?.title).toBe("ADDED a");
		expect((await ask(hub, SERVICES, { user: "edge" })).code).toBe(403);
	});

	test("get 401 with old credentials after a rotation", async () => {
		const hub = await hubWith({ users: { bot: { credentials: "token", groups: ["system:masters"] } } });
		const { token = "" } = hub.credentials("bot");
		expect((await ask(hub, SERVICES, { token })).code).toBe(200);
		expect(hub.rotateCredentials("bot").token).not.toBe(token);
		expect((await ask(hub, SERVICES, { token })).code).toBe(401);
		expect((await ask(hub, SERVICES, { user: "bot" })).code).toBe(200);
		hub.revoke("bot");
		expect((await ask(hub, SERVICES, { user: "bot" })).code).toBe(401);
	});

	test("with a certificate as well: the old one is refused, the new one taken", async () => {
		const hub = await hubWith({ users: { edge: { groups: ["system:masters"] } } });
		const { authority, certificate = "", key = "" } = hub.credentials("edge");
		const old = () =>
			fetch(`${hub.url}${SERVICES}`, {
				tls: { ca: authority, cert: certificate, key },
				keepalive: false,
			} as RequestInit);
		expect((await old()).status).toBe(200);
		hub.rotateCredentials("edge");
		expect((await old()).status).toBe(401);
		expect((await ask(hub, SERVICES, { user: "edge" })).code).toBe(200);
	});

	test("mistrust the server after its authority changed, until they read the new one", async () => {
		const hub = await hubWith();
		const { authority, certificate = "", key = "" } = hub.credentials();
		await hub.rotateAuthority();
		const old = fetch(`${hub.url}${SERVICES}`, {
			tls: { ca: authority, cert: certificate, key },
			keepalive: false,
		} as RequestInit);
		await expect(old).rejects.toThrow(/certificate/);
		expect((await ask(hub, SERVICES)).code).toBe(200);
		await hub.rotateAuthority({ forgetOld: true });
		const { authority: next } = hub.credentials();
		const stranger = await fetch(`${hub.url}${SERVICES}`, {
			tls: { ca: next, cert: certificate, key },
			keepalive: false,
		} as RequestInit);
		expect(stranger.status).toBe(401);
	});
});

describe("counting", () => {
	test("tells requests by verb, resource and user, and bytes", async () => {
		const hub = await hubWith({ users: { bot: { credentials: "token", groups: ["system:masters"] } } });
		await ask(hub, SERVICES);
		await ask(hub, `${SERVICES}?limit=1`, { user: "bot" });
		const lines = await watch(hub, "/apis/discovery.k8s.io/v1/endpointslices?watch=1", { user: "bot" });
		expect([hub.count(), hub.count({ verb: "list" }), hub.count({ resource: "services", user: "bot" })]).toEqual([
			3, 2, 1,
		]);
		expect(hub.watches().map(({ resource, user }) => [resource, user])).toEqual([
			["endpointslices.discovery.k8s.io", "bot"],
		]);
		const [record] = hub.requests({ verb: "list", user: "bot" });
		expect([record?.code, record?.query.get("limit")]).toEqual([200, "1"]);
		const before = hub.traffic().bytesOut;
		hub.watches()[0]?.bookmark();
		expect(hub.traffic().bytesOut).toBeGreaterThan(before);
		lines.close();
		await until("the watch is gone", () => hub.watches().length === 0);
		hub.resetCounters();
		expect([hub.count(), hub.traffic().bytesIn]).toEqual([0, 0]);
	});
});

// The client against what a real kube-apiserver 1.36.2 was recorded to answer: bytes, headers, chunks and ends as they were.

import { describe, expect, test } from "bun:test";
import { endpointsIn, NO_ENDPOINTS } from "../../src/model/endpoint_list.ts";
import { type Follower, followHub, jumpUntil, KIND_OF } from "../support/follow_hub.ts";
import { type RawServer, startRawServer, whole } from "../support/raw_server.ts";
import { frame, isOpenEnded, replay, truthOf } from "../support/recorded.ts";
import { until } from "../support/wait.ts";

const OK = "200 OK\r\nContent-Type: application/json";
const PAGES = [1, 2, 3].map((page) => `031-list-services-limit5-page${page}`);

/** Recorded answers in the order in which they are given; the last list again and again, after the last watch one that stays open. */
interface Script {
	readonly lists: readonly string[];
	readonly watches?: readonly string[];
	/** To a streaming list; without it the server has none. */
	readonly stream?: string;
}

/** Behind a watch that goes on: whoever knows of it has read all that came before. */
const LAST = `${JSON.stringify({
	type: "ADDED",
	object: {
		apiVersion: "v1",
		kind: "Service",
		metadata: { namespace: "test", name: "last", resourceVersion: "9999" },
		spec: { clusterIP: "None", ports: [] },
	},
})}\n`;

interface Played extends RawServer {
	/** Answers of the script that were given to the end. */
	readonly played: readonly string[];
}

const SILENCE = `HTTP/1.1 ${OK}\r\nTransfer-Encoding: chunked\r\n\r\n`;

/** Of the kinds that the script is not about there is nothing. */
function nothing(resource: string, way: "list" | "watch", isStream: boolean): string {
	const kind = KIND_OF[resource];
	const list = { kind: `${kind}List`, apiVersion: "v1", metadata: { resourceVersion: "1" }, items: [] };
	if (way === "list") return whole(OK, JSON.stringify(list));
	const metadata = { resourceVersion: "1", annotations: { "k8s.io/initial-events-end": "true" } };
	const mark = `${JSON.stringify({ type: "BOOKMARK", object: { kind, apiVersion: "v1", metadata } })}\n`;
	return isStream ? `${SILENCE}${mark.length.toString(16)}\r\n${mark}\r\n` : SILENCE;
}

/** Plays the script for one resource. */
async function play(resource: "services" | "endpointslices" | "pods", script: Script): Promise<Played> {
	const { lists, watches = [], stream } = script;
	const left = { list: [...lists], watch: [...watches], stream: stream === undefined ? [] : [stream] };
	const played: string[] = [];

	function next(way: "list" | "watch" | "stream"): string | undefined {
		return way === "list" && left.list.length === 1 ? left.list[0] : left[way].shift();
	}

	const server = await startRawServer(({ resource: asked, kind: way, target }) => {
		const isStream = target.includes("sendInitialEvents");
		if (isStream && stream === undefined) return ({ send }) => void send(whole("422 Unprocessable Entity", "{}"));
		if (asked !== resource) return ({ send }) => void send(nothing(asked, way, isStream));
		const name = next(isStream ? "stream" : way);
		if (name === undefined) return ({ send }) => void send(SILENCE);
		return async (answer) => {
			await replay(name, answer);
			if (resource === "services" && isOpenEnded(name)) await answer.send(frame(LAST));
			played.push(name);
		};
	});
	return { ...server, played };
}

/** Versions that watches of Services resumed from. */
function resumed(server: RawServer, resource: string): readonly (string | null)[] {
	return server
		.requests({ resource, kind: "watch" })
		.map(({ target }) => new URL(target, "http://hub").searchParams)
		.filter((query) => !query.has("sendInitialEvents"))
		.map((query) => query.get("resourceVersion"));
}

/** `namespace/name IP,IP` of each Service. */
function withIps(client: Follower): readonly string[] {
	const services = [...(client.seen.at(-1)?.services.values() ?? [])];
	return services.map(({ key, clusterIps }) => `${key} ${clusterIps}`).sort();
}

const warnings = (client: Follower) => client.log.filter((line) => line.startsWith("warn"));

describe("Services", () => {
	test.each<[string, readonly string[], readonly string[]]>([
		["a list in one answer", ["020-list-services"], []],
		["an empty list", ["026-list-empty"], []],
		["a list in three pages", PAGES, []],
		["added, modified, deleted", PAGES, ["110-watch-added-modified-deleted"]],
		["events from an older version", PAGES, ["111-watch-from-old-available-rv-replays-events"]],
		["all that ever happened", PAGES, ["129-watch-rv-1-still-in-window-replays-all"]],
		["a burst in chunks as they came", PAGES, ["139-watch-burst-chunk-boundaries"]],
		["bookmarks once a minute", PAGES, ["141-watch-bookmarks-once-a-minute"]],
		["bookmarks before a clean end", PAGES, ["142-watch-bookmarks-before-timeoutseconds"]],
		["a server that is told to stop", PAGES, ["500-watch-h1-server-sigterm"]],
		["a server that is killed", PAGES, ["502-watch-h1-server-killed"]],
		["a server that drains", PAGES, ["505-watch-h1-sigterm-with-shutdown-delay-and-watch-grace"]],
		[
			"several watches, one after the other",
			PAGES,
			// Not a killed one: what the runtime throws away with the break, this server does not give again.
			["142-watch-bookmarks-before-timeoutseconds", "500-watch-h1-server-sigterm", "110-watch-added-modified-deleted"],
		],
	])("%s", async (_, lists, watches) => {
		await using server = await play("services", { lists, watches });
		await using client = followHub(server);
		const { objects, version } = truthOf(lists, watches);
		// Headless Services say None.
		const ips = (text: readonly string[] = []) => text.filter((each) => each !== "None");
		const wanted = [...objects].map(([key, { spec }]) => `${key} ${ips(spec?.clusterIPs)}`);
		await jumpUntil(client, "all played", () => [...lists, ...watches].every((name) => server.played.includes(name)));
		if (watches.some(isOpenEnded)) wanted.push("test/last ");
		await jumpUntil(client, "what was recorded", () => String(withIps(client)) === String(wanted.sort()));
		expect(client.problems()).toEqual([]);
		if (watches.length !== 1 || !/14[12]|50[025]/.test(String(watches))) return;
		await jumpUntil(client, "another watch", () => resumed(server, "services").length > 1);
		// What comes with the break itself may be thrown away by the runtime: it is asked for again.
		const broken = watches.includes("502-watch-h1-server-killed") ? [truthOf(lists, []).version] : [];
		expect([version, ...broken]).toContain(resumed(server, "services")[1] ?? "none");
	});

	test.each(["155-watchlist-old-rv-is-fine", "162-no-watch-cache-sendinitialevents"])(
		"a streaming list: %s",
		async (stream) => {
			await using server = await play("services", { lists: [], stream });
			await using client = followHub(server);
			await until("what was recorded", () => String(client.services()) === "demo/web");
			expect(server.requests({ kind: "list" })).toEqual([]);
			expect(warnings(client)).toEqual([]);
		},
	);

	test("a streaming list that cannot be had yet (ERROR 504 in the stream): asked again, by pages", async () => {
		await using server = await play("services", { lists: PAGES, stream: "125-watchlist-future-rv" });
		await using client = followHub(server);
		await jumpUntil(client, "what was recorded", () => client.services()?.length === truthOf(PAGES, []).objects.size);
	});

	test.each([
		"153-watch-rv-from-before-apiserver-restart",
		"154-watch-rv-too-old-410-error-event",
		"160-no-watch-cache-watch-compacted-rv",
	])("an ERROR 410 in a watch leads to a list that is not older, without a word: %s", async (expired) => {
		const lists = ["026-list-empty", "159-list-notolderthan-old-rv-is-fine"];
		await using server = await play("services", { lists, watches: [expired] });
		await using client = followHub(server);
		await jumpUntil(client, "the new list", () => String(client.services()) === "demo/web");
		expect(server.requests({ resource: "services", kind: "list" })[1]?.target).toContain(
			"resourceVersionMatch=NotOlderThan",
		);
		expect(warnings(client)).toEqual([]);
	});

	test("a page that has expired (410): the list is read again in one answer", async () => {
		const lists = [PAGES[0] ?? "", "156-list-continue-expired-410-with-new-token", "020-list-services"];
		await using server = await play("services", { lists });
		await using client = followHub(server);
		const wanted = String([...truthOf(["020-list-services"], []).objects.keys()].sort());
		await jumpUntil(client, "the whole list", () => String(client.services()) === wanted);
		expect(server.requests({ resource: "services", kind: "list" })[2]?.target).not.toContain("limit=");
	});

	test.each([
		["105-429-priority-and-fairness-list", "lists"],
		["107-429-max-requests-inflight", "lists"],
		["506-request-while-requests-drain-429", "lists"],
		["106-429-priority-and-fairness-watch", "watches"],
	] as const)("429 is waited out: %s", async (busy, where) => {
		const lists = where === "lists" ? [busy, ...PAGES] : PAGES;
		const watches = [...(where === "watches" ? [busy] : []), "110-watch-added-modified-deleted"];
		await using server = await play("services", { lists, watches });
		await using client = followHub(server);
		const { objects } = truthOf(PAGES, ["110-watch-added-modified-deleted"]);
		const wanted = String([...objects.keys(), "test/last"].sort());
		await jumpUntil(client, "what was recorded", () => String(client.services()) === wanted);
		await jumpUntil(client, "the 429", () => warnings(client).some((line) => line.includes("429")));
		await jumpUntil(client, "the next answer", () => server.played.includes(watches.at(-1) ?? ""));
	});

	test.each([
		["073-403-user-list-namespaced", /403/],
		["070-401-bad-token", /401 Unauthorized/],
	])("what is refused is told: %s", async (refusal, fact) => {
		await using server = await play("services", { lists: [refusal] });
		await using client = followHub(server);
		await jumpUntil(client, "a warning", () => warnings(client).length > 0);
		expect(warnings(client)[0]).toMatch(fact);
		expect(client.hub.status().kinds[0]?.problem).toMatch(fact);
		expect(client.seen).toEqual([]);
	});
});

describe("EndpointSlices", () => {
	test.each<[string, readonly string[], readonly string[]]>([
		["200-endpointslices-named-targetport-two-slices", [], []],
		["201-endpointslices-ready-unready-terminating", [], []],
		["202-endpointslices-publishnotreadyaddresses", [], []],
		["203-endpointslices-headless-hostname", [], []],
		["204-endpointslices-dual-stack", [], []],
		["205-endpointslices-hostnetwork-pods", [], []],
		["206-endpointslices-hints-prefersamezone", [], []],
		["207-endpointslices-hints-prefersamenode", [], []],
		["208-endpointslices-mirrored-from-endpoints", [], []],
		["209-endpointslices-no-pods", [], []],
		["210-endpointslices-written-by-hand", [], []],
		["034-list-limit2-endpointslices-dual-page1", ["034-list-limit2-endpointslices-dual-page2"], []],
		["209-endpointslices-no-pods", [], ["216-watch-endpointslice-life"]],
	])("%s %j %j", async (first, more, watches) => {
		const lists = [first, ...more];
		await using server = await play("endpointslices", { lists, watches });
		await using client = followHub(server);
		const wanted = new Map<string, string[]>();
		for (const { metadata, endpoints } of truthOf(lists, watches).objects.values()) {
			const service = `${metadata.namespace}/${metadata.labels?.["kubernetes.io/service-name"]}`;
			const ips = (endpoints ?? []).map(({ addresses }) => addresses[0] ?? "");
			wanted.set(service, [...(wanted.get(service) ?? []), ...ips].sort());
		}
		const shown = () => [...wanted.keys()].map((service) => [service, [...client.ips(service)].sort()]);
		await jumpUntil(client, "what was recorded", () => client.seen.length > 0 && Bun.deepEquals(shown(), [...wanted]));
		expect(client.problems()).toEqual([]);
	});

	test.each([
		["206-endpointslices-hints-prefersamezone", "demo/same-zone"],
		["207-endpointslices-hints-prefersamenode", "demo/same-node"],
	])("with hints: %s", async (recorded, service) => {
		await using server = await play("endpointslices", { lists: [recorded] });
		await using client = followHub(server);
		await jumpUntil(client, "the slice", () => client.ips(service).length > 0);
		const names = (list: readonly { readonly name: string }[] = []) => list.map(({ name }) => name);
		const [slice] = client.seen.at(-1)?.slices.get(service) ?? [];
		const shown = endpointsIn(slice?.endpoints ?? NO_ENDPOINTS);
		const [object] = truthOf([recorded], []).objects.values();
		expect(shown.map(({ nodeName, hints }) => ({ nodeName, hints }))).toEqual(
			(object?.endpoints ?? []).map(({ nodeName, hints }) => ({
				nodeName: nodeName ?? "",
				hints: { nodes: names(hints?.forNodes), zones: names(hints?.forZones) },
			})),
		);
		expect(new Set(shown.map(({ hints }) => hints?.zones[0]))).toEqual(new Set(["zone-a", "zone-b"]));
	});

	test("of pods that are ready, not ready, and going", async () => {
		await using server = await play("endpointslices", { lists: ["201-endpointslices-ready-unready-terminating"] });
		await using client = followHub(server);
		await jumpUntil(client, "the slice", () => client.ips("demo/api").length > 0);
		const endpoints =
			client.seen
				.at(-1)
				?.slices.get("demo/api")
				?.flatMap((slice) => endpointsIn(slice.endpoints)) ?? [];
		const states = endpoints.map(({ ready, serving, terminating }) => ({ ready, serving, terminating }));
		const recorded = [...truthOf(["201-endpointslices-ready-unready-terminating"], []).objects.values()];
		expect(states).toEqual(recorded.flatMap(({ endpoints: all }) => (all ?? []).map(({ conditions }) => conditions)));
		expect(new Set(states.map((state) => JSON.stringify(state))).size).toBeGreaterThan(2);
	});
});

describe("Pods", () => {
	const PAGES_OF_PODS = [1, 2].map((page) => `032-list-pods-limit2-labelselector-page${page}`);
	test.each([
		[
			"bound to our node, deleted in time, deleted at once",
			["033-list-pods-limit1-fieldselector-nodename-page1"],
			"132-watch-fieldselector-nodename-pod-bound-graceful-delete-forced-delete",
		],
		["relabelled into a selection and out of it", PAGES_OF_PODS, "130-watch-labelselector-object-enters-and-leaves"],
	])("%s", async (_, lists, watch) => {
		await using server = await play("pods", { lists, watches: [watch] });
		await using client = followHub(server);
		await jumpUntil(client, "all played", () => server.played.includes(watch));
		const wanted = [...truthOf(lists, [watch]).objects.keys()].sort();
		expect(wanted.length).toBeGreaterThan(0);
		const pods = () => [...(client.seen.at(-1)?.pods.values() ?? [])];
		const keys = () => pods().map(({ key }) => key);
		await jumpUntil(client, "what was recorded", () => String(keys().sort()) === String(wanted));
		expect(pods().every(({ ips, nodeName, uid }) => ips.length > 0 && nodeName !== "" && uid !== "")).toBe(true);
		expect(client.problems()).toEqual([]);
	});
});

// Objects and answers that no API server should give: a Problem or another try, and all else goes on.

import { describe, expect, setSystemTime, test } from "bun:test";
import { followHub, jumpUntil, KINDS, webService } from "../support/follow_hub.ts";
import type { Fault } from "../support/hub/fault.ts";
import { startHub, type TestHub } from "../support/hub/hub.ts";
import { goodList, type RawAnswer, startRawServer, whole } from "../support/raw_server.ts";
import { until } from "../support/wait.ts";

const SLICES = "endpointslices.discovery.k8s.io";
const PEER_ADDRESS = "balancing.elf.io/peer-address";
const OWNER = "kubernetes.io/service-name";

/** Anything but the name may be there. */
type Stored = Parameters<TestHub["put"]>[1];
type Body = Readonly<Record<string, unknown>>;

/** Fields beside the name and the namespace that replace those of a sound Service, or of a sound slice of demo/web. */
const WRONG_SERVICES: readonly { readonly metadata?: Body; readonly spec?: unknown }[] = [
	{ metadata: { creationTimestamp: 5 } },
	{ metadata: { creationTimestamp: "yesterday" } },
	{ metadata: { labels: "none" } },
	{ metadata: { annotations: [1] } },
	{ metadata: { annotations: { [PEER_ADDRESS]: {} } } },
	{ metadata: { annotations: { [PEER_ADDRESS]: "sideways" } } },
	...[null, "x", [], 5, true].map((spec) => ({ spec })),
	...[5, "Magic", {}, []].map((type) => ({ spec: { ...sound(), type } })),
	...["x", 5, {}, ["10.0.0.300"], [5], [null], [[]]].map((clusterIPs) => ({
		spec: { ...sound(), clusterIP: "", clusterIPs },
	})),
	...[5, {}, "10.0.0.0.1", "10.0.0.1/24"].map((clusterIP) => ({ spec: { ...sound(), clusterIP, clusterIPs: null } })),
	...["x", 5, {}, [], [null], [5], ["http"], [{}]].map((ports) => ({ spec: { ...sound(), ports } })),
	...["80", 0, -1, 65_536, 80.5, null, {}, [80], true].map((port) => ({ spec: { ...sound(), ports: [{ port }] } })),
	...[5, "ICMP", "tcp", {}].map((protocol) => ({ spec: { ...sound(), ports: [{ port: 80, protocol }] } })),
	...[5, "A_B", {}, "x".repeat(64)].map((name) => ({ spec: { ...sound(), ports: [{ port: 80, name }] } })),
	...[5, "Nowhere", []].map((internalTrafficPolicy) => ({ spec: { ...sound(), internalTrafficPolicy } })),
	...[5, "x", {}, [5], ["127.0.0.1"], ["x"]].map((externalIPs) => ({ spec: { ...sound(), externalIPs } })),
	...[5, "Nowhere", {}].map((externalTrafficPolicy) => ({
		spec: { ...sound(), externalIPs: ["192.0.2.1"], externalTrafficPolicy },
	})),
	...[30_999, "x", {}].map((healthCheckNodePort) => ({ spec: { ...sound(), healthCheckNodePort } })),
	...[5, "clientip", {}].map((sessionAffinity) => ({ spec: { ...sound(), sessionAffinity } })),
	...[5, "x", [], { clientIP: 5 }, { clientIP: { timeoutSeconds: 0 } }, { clientIP: { timeoutSeconds: "5" } }].map(
		(sessionAffinityConfig) => ({ spec: { ...sound(), sessionAffinity: "ClientIP", sessionAffinityConfig } }),
	),
	...[30_080, "x", {}].map((nodePort) => ({ spec: { ...sound(), ports: [{ port: 80, nodePort }] } })),
	...["reach", "client-identity", "close-on-remove"].flatMap((name) =>
		[5, "x", {}, ["pod"]].map((value) => ({ metadata: { annotations: { [`balancing.elf.io/${name}`]: value } } })),
	),
];

function sound(): Body {
	return { clusterIP: "10.97.0.1", clusterIPs: ["10.97.0.1"], ports: [{ port: 80 }] };
}

const ENDPOINT = { addresses: ["10.1.0.9"] };
const PORT = { name: "", port: 8080, protocol: "TCP" };
const WRONG_SLICES: readonly Body[] = [
	...[undefined, 5, "IPv5", "ipv4", null].map((addressType) => ({ addressType })),
	...["x", 5, {}, [null], [5], [[]], [{}]].map((endpoints) => ({ endpoints })),
	...["10.1.0.9", [], [5], [null], ["fd00::9"], ["10.1.0"], {}].map((addresses) => ({ endpoints: [{ addresses }] })),
	...[5, "ready", [], { ready: "yes" }, { serving: 1 }, { terminating: {} }].map((conditions) => ({
		endpoints: [{ ...ENDPOINT, conditions }],
	})),
	...[5, {}, "No Node"].map((nodeName) => ({ endpoints: [{ ...ENDPOINT, nodeName }] })),
	...[5, "x", [], { forZones: "a" }, { forZones: [5] }, { forNodes: [{ name: 5 }] }, { forZones: [{}] }].map(
		(hints) => ({
			endpoints: [{ ...ENDPOINT, hints }],
		}),
	),
	...["x", 5, {}, [null], [5], ["http"]].map((ports) => ({ ports })),
	...["80", 0, 65_536, 80.5, {}, true].map((port) => ({ ports: [{ ...PORT, port }] })),
	...[5, "A_B", {}].map((name) => ({ ports: [{ ...PORT, name }] })),
	...[5, "ICMP", {}].map((protocol) => ({ ports: [{ ...PORT, protocol }] })),
	{ metadata: { labels: { [OWNER]: "Not_A_Name" } } },
	{ metadata: { labels: { [OWNER]: 5 } } },
];

const ZONE = "topology.kubernetes.io/zone";
const WRONG_NODES: readonly { readonly metadata?: Body; readonly status?: unknown }[] = [
	...[5, {}, "a b"].map((zone) => ({ metadata: { labels: { [ZONE]: zone } } })),
	...[5, {}, "x", "fd00::1"].map((ip) => ({ metadata: { annotations: { "balancing.elf.io/nodeProxyIpv4": ip } } })),
	...["x", 5, []].map((status) => ({ status })),
	...["x", 5, {}].map((addresses) => ({ status: { addresses } })),
	...["x", 5, {}, "127.0.0.1", "0.0.0.0", undefined].map((address) => ({
		status: { addresses: [{ type: "InternalIP", address }] },
	})),
];

/** Names of the objects that were put. */
function putServices(server: TestHub): readonly string[] {
	return WRONG_SERVICES.map(({ metadata, ...body }, index) => {
		const name = `bad${index}`;
		server.put("Service", { spec: sound(), ...body, metadata: { ...metadata, name, namespace: "demo" } });
		return `Service demo/${name}`;
	});
}

function putSlices(server: TestHub): readonly string[] {
	return WRONG_SLICES.map(({ metadata, ...body }, index) => {
		const name = `bad${index}`;
		const labels = { [OWNER]: "web" };
		server.put("EndpointSlice", {
			addressType: "IPv4",
			endpoints: [ENDPOINT],
			ports: [PORT],
			...body,
			metadata: { labels, ...Object(metadata), name, namespace: "demo" },
		} as Stored);
		return `EndpointSlice demo/${name}`;
	});
}

function putNodes(server: TestHub): readonly string[] {
	return WRONG_NODES.map(({ metadata, ...body }, index) => {
		const name = `bad${index}`;
		server.put("Node", { ...body, metadata: { ...metadata, name } } as Stored);
		return `Node ${name}`;
	});
}

test("each field of Services, EndpointSlices and Nodes with a wrong value is a Problem of that object, and nobody else's", async () => {
	await using server = await startHub({ kubernetes: false });
	server.apply(webService("web"));
	await using client = followHub(server);
	await client.shows("demo/web");
	const before = client.seen.at(-1)?.services.get("demo/web");
	const wrong = [...putServices(server), ...putSlices(server), ...putNodes(server)];
	server.apply(webService("near"));
	const objects = () => [...new Set(client.seen.at(-1)?.problems.map(({ object }) => object) ?? [])].sort();
	await until("the last one", () => client.ips("demo/near").length === 1 && objects().length >= wrong.length);
	expect(objects()).toEqual([...wrong].sort());
	expect(client.seen.at(-1)?.services.get("demo/web")).toBe(before);
	expect(client.ips("demo/web")).toContain("10.1.0.1");
	expect(client.log.filter((line) => line.startsWith("warn") || line.startsWith("error"))).toEqual([]);
	// A list says what the events said.
	server.compact();
	for (const watch of server.watches()) watch.reset();
	await until("stale", () => client.hub.status().staleSince !== null);
	await jumpUntil(client, "listed anew", () => client.hub.status().staleSince === null);
	expect(objects()).toEqual([...wrong].sort());
	for (const kind of ["Service", "EndpointSlice", "Node"]) {
		const bad = server.list(kind).filter(({ metadata: { name } }) => name.startsWith("bad"));
		for (const { metadata } of bad) server.delete(kind, metadata.namespace, metadata.name);
	}
	await jumpUntil(client, "no Problem", () => objects().length === 0);
	expect(client.services()).toEqual(["demo/near", "demo/web"]);
});

/** 200 with these bytes. */
function content(pieces: readonly (string | Buffer)[], ending: "end" | "silence"): Fault {
	return { kind: "content", pieces, ending };
}

const [NEAR] = webService("near");

/** A list with this text as its first item, and a sound one after it. */
function pageOf(item: Buffer): Fault {
	const head = '{"kind":"ServiceList","apiVersion":"v1","metadata":{"resourceVersion":"900"},"items":[';
	return content([head, item, ",", JSON.stringify(NEAR), "]}"], "end");
}

/** The same as initial events. */
function streamOf(item: Buffer): Fault {
	const near = JSON.stringify({ ...NEAR, metadata: { ...Object(NEAR).metadata, resourceVersion: "1" } });
	const mark =
		'{"kind":"Service","metadata":{"resourceVersion":"900","annotations":{"k8s.io/initial-events-end":"true"}}}';
	const pieces = ['{"type":"ADDED","object":', item, `}\n{"type":"ADDED","object":${near}}\n`];
	return content([...pieces, `{"type":"BOOKMARK","object":${mark}}\n`], "silence");
}

interface Given {
	readonly name?: string | Buffer;
	readonly metadata?: string | Buffer;
	readonly spec?: string | Buffer;
}

/** A Service as text; each part as the test wrote it. */
function text({
	name = '"odd"',
	metadata = '"labels":{}',
	spec = '"clusterIP":"10.97.0.1","ports":[{"port":80}]',
}: Given): Buffer {
	const parts = [
		'{"metadata":{"resourceVersion":"1","namespace":"demo","name":',
		name,
		",",
		metadata,
		'},"spec":{',
		spec,
		"}}",
	];
	return Buffer.concat(parts.map((part) => Buffer.from(part)));
}

const DEEP = 10_000;
const nested = (open: string, close: string, depth: number) => `${open.repeat(depth)}1${close.repeat(depth)}`;
const bytes = (...values: readonly number[]) => Buffer.from(values);
/** What the name of an object with such a name is in a Problem. */
const ODD: readonly string[] = ["demo/odd"];

/** What it is, the text, the Services shown beside demo/near, and whether there is a Problem. */
const TEXTS: readonly (readonly [string, Buffer, readonly string[], boolean])[] = [
	["5 MB of annotations", text({ metadata: `"annotations":{"a":"${"x".repeat(5 << 20)}"}` }), ODD, false],
	[
		"100,000 labels",
		text({ metadata: `"labels":{${Array.from({ length: 1e5 }, (_, n) => `"l${n}":"x"`)}}` }),
		ODD,
		false,
	],
	["objects in objects", text({ metadata: `"managedFields":${nested('{"a":', "}", DEEP)}` }), ODD, false],
	["lists in lists", text({ metadata: `"managedFields":${nested("[", "]", DEEP)}` }), ODD, false],
	["ports in ports", text({ spec: `"clusterIP":"10.97.0.1","ports":${nested("[", "]", DEEP)}` }), [], true],
	["a name with NUL", text({ name: '"a\\u0000b"' }), [], true],
	["a name with an escape sequence", text({ name: '"\\u001b[31mred"' }), [], true],
	["a name with a line break", text({ name: '"a\\nb"' }), [], true],
	["a name with half a character", text({ name: '"a\\ud800"' }), [], true],
	["a name that is no UTF-8", text({ name: Buffer.concat([bytes(34), bytes(0xff, 0xfe, 0xc0), bytes(34)]) }), [], true],
	[
		"an annotation that is no UTF-8",
		text({ metadata: Buffer.concat([Buffer.from('"annotations":{"a":"'), bytes(0xff, 0xc3), Buffer.from('"}')]) }),
		ODD,
		false,
	],
	["an annotation of half a character", text({ metadata: '"annotations":{"a":"\\udfff"}' }), ODD, false],
	["raw control characters in a string", text({ metadata: '"annotations":{"a":"\\u0001\\u007f"}' }), ODD, false],
	["no name", text({ name: "null" }), [], true],
	["a name of 1 MB", text({ name: `"${"a".repeat(1 << 20)}"` }), [], true],
	["port 1e400", text({ spec: '"clusterIP":"10.97.0.1","ports":[{"port":1e400}]' }), [], true],
	["port -0", text({ spec: '"clusterIP":"10.97.0.1","ports":[{"port":-0}]' }), [], true],
	["port 8e1", text({ spec: '"clusterIP":"10.97.0.1","ports":[{"port":8e1}]' }), ODD, false],
	["a port of 400 digits", text({ spec: `"clusterIP":"10.97.0.1","ports":[{"port":${"9".repeat(400)}}]` }), [], true],
	[
		"a key twice: the last counts",
		text({ spec: '"clusterIP":"None","clusterIP":"10.97.0.1","ports":5,"ports":[{"port":80}]' }),
		ODD,
		false,
	],
	[
		"the key __proto__",
		text({
			metadata: '"__proto__":{"name":"evil","polluted":1},"labels":{"__proto__":{"polluted":1}}',
			spec: '"__proto__":{"ports":5,"polluted":1},"clusterIP":"10.97.0.1","ports":[{"port":80,"__proto__":{"port":1,"polluted":1}}]',
		}),
		ODD,
		false,
	],
	[
		"a __proto__ in place of the fields",
		text({ spec: '"__proto__":{"clusterIP":"10.97.0.1","ports":[{"port":80}]}' }),
		[],
		true,
	],
	["the name constructor", text({ name: '"constructor"' }), ["demo/constructor"], false],
	["millions of ports", text({ spec: `"clusterIP":"10.97.0.1","ports":[${"0,".repeat(2e6)}0]` }), [], true],
];

describe.each([
	["in a page", "forbidden", pageOf],
	["in a stream", "served", streamOf],
] as const)("%s", (_, initialEvents, faultOf) => {
	test.each(TEXTS)("%s", async (_title, item, shown, isProblem) => {
		await using server = await startHub({ kubernetes: false, features: { initialEvents } });
		const verb = initialEvents === "served" ? "watch" : "list";
		server.inject(
			{
				verb,
				resource: "services",
				where: ({ query }) => initialEvents === "forbidden" || query.has("sendInitialEvents"),
			},
			faultOf(item),
			1,
		);
		await using client = followHub(server);
		await client.shows("demo/near", ...shown);
		expect(client.seen).toHaveLength(1);
		const problems = client.seen[0]?.problems ?? [];
		expect(problems.length > 0).toBe(isProblem);
		// For a terminal and for a log: nothing in it does anything, and it is short.
		for (const problem of problems) {
			for (const part of Object.values(problem)) expect(part).not.toMatch(/[\p{C}\u2028\u2029]|.{500}/u);
		}
		expect(Reflect.get({}, "polluted")).toBeUndefined();
	});
});

test("an EndpointSlice with 100,000 endpoints is one of its Service's", async () => {
	await using server = await startHub({ kubernetes: false });
	const ips = Array.from({ length: 100_000 }, (_, n) => `10.${2 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`);
	server.apply([...webService("web"), ...webService("near")]);
	await using client = followHub(server);
	await client.shows("demo/near", "demo/web");
	server.put("EndpointSlice", {
		metadata: { name: "web-large", namespace: "demo", labels: { [OWNER]: "web" } },
		addressType: "IPv4",
		endpoints: ips.map((ip) => ({ addresses: [ip], conditions: { ready: true }, nodeName: "node" })),
		ports: [PORT],
	} as Stored);
	await until("all endpoints", () => client.ips("demo/web").length === 100_001);
	expect(client.problems()).toEqual([]);
	server.delete("EndpointSlice", "demo", "web-large");
	await until("the first one only", () => client.ips("demo/web").length === 1);
});

test("an object over 16 MiB ends the watch, and what was known stays", async () => {
	await using server = await startHub({ kubernetes: false });
	server.apply(webService("web"));
	await using client = followHub(server);
	await client.shows("demo/web");
	server.put("Service", {
		metadata: { name: "huge", namespace: "demo" },
		spec: { a: "x".repeat(17 << 20) },
	} as Stored);
	await until("told", () => client.log.some((line) => line.includes("a line has over 16777216 bytes")));
	expect(client.services()).toEqual(["demo/web"]);
	expect(client.hub.status().staleSince).not.toBeNull();
	server.delete("Service", "demo", "huge");
	server.compact();
	await jumpUntil(client, "followed again", () => client.hub.status().staleSince === null);
});

const OK = "200 OK\r\nContent-Type: application/json";
/** Each is the first answer to a list of Services; then what the log must say, or undefined if it is a good answer. */
const LIST_ANSWERS: readonly (readonly [string, string, RegExp | undefined])[] = [
	["301", whole("301 Moved\r\nLocation: /elsewhere", ""), /redirect/i],
	["307 to itself", whole("307 Temporary Redirect\r\nLocation: /api/v1/services", ""), /redirect/i],
	["302 to a login page", whole("302 Found\r\nLocation: http://127.0.0.1:1/login", "<html>"), /redirect/i],
	[
		"200 with HTML",
		whole("200 OK\r\nContent-Type: text/html; charset=utf-8", "<html>Log in</html>"),
		/the answer is HTML/,
	],
	["200 with text that is no JSON", whole("200 OK\r\nContent-Type: text/plain", "hello"), /not JSON/],
	["200 with a list as text/plain", whole("200 OK\r\nContent-Type: text/plain", goodList("services")), undefined],
	["200 with a list as nothing", whole("200 OK", goodList("services")), undefined],
	["103 before 200", `HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${whole(OK, goodList("services"))}`, undefined],
	["100 before 200", `HTTP/1.1 100 Continue\r\n\r\n${whole(OK, goodList("services"))}`, undefined],
	["204", "HTTP/1.1 204 No Content\r\n\r\n", /: 204/],
	["206", whole("206 Partial Content", goodList("services").slice(0, 50)), /: 206/],
	["203 from a cache", whole("203 Non-Authoritative Information", goodList("services")), /: 203/],
	["304", "HTTP/1.1 304 Not Modified\r\n\r\n", /: 304/],
	["200 with nothing", whole(OK, ""), /not JSON, or not complete/],
	["200 with null", whole(OK, "null"), /no ServiceList/],
	["200 with a list of something else", whole(OK, goodList("endpointslices")), /no ServiceList/],
	["200 with a Status", whole(OK, '{"kind":"Status","status":"Failure","code":500}'), /no ServiceList/],
	["200 with a number", whole(OK, "1e400"), /no ServiceList/],
	["200 with items that are no objects", whole(OK, '{"kind":"ServiceList","items":[1,2]}'), /an item is no object/],
	["200 without a version", whole(OK, '{"kind":"ServiceList","metadata":{},"items":[]}'), /with a resourceVersion/],
	["more closing brackets than opened", whole(OK, `${goodList("services")}]}]}`), /not JSON/],
	["an answer that is cut", whole(OK, goodList("services")).slice(0, -20), /at http/],
	["no HTTP", "220 mail.example.com ESMTP\r\n\r\n", /at http/],
	["garbage", Buffer.alloc(5000, "\u0000\u00ff\r\n\r\n", "latin1").toString("latin1"), /at http/],
	["HTTP/9.9", `HTTP/9.9 ${OK}\r\n\r\n`, /at http/],
	["two lengths", `HTTP/1.1 ${OK}\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nabcdefg`, /Cannot /],
	["a chunk of a size that is none", `HTTP/1.1 ${OK}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc`, /at http/],
	["gzip that is none", whole(`${OK}\r\nContent-Encoding: gzip`, "this is not gzip"), /at http/],
	["an encoding that nobody knows", whole(`${OK}\r\nContent-Encoding: magic`, "abc"), /Cannot /],
];

test.each(LIST_ANSWERS)("a list that is answered with %s: told, and tried again", async (_, answer, told) => {
	await using server = await startRawServer(({ resource, kind, before }) => {
		if (resource !== "services" || kind !== "list" || before > 0) return undefined;
		return async ({ send, end }) => {
			await send(Buffer.from(answer, "latin1"));
			// A client uses the connection of a good answer again.
			if (told !== undefined) end();
		};
	});
	await using client = followHub(server);
	await jumpUntil(client, "the Service", () => client.services()?.[0] === "demo/web");
	const warnings = client.log.filter((line) => line.startsWith("warn"));
	if (told === undefined) return expect(warnings).toEqual([]);
	expect(warnings[0]).toMatch(told);
	expect(server.requests().every(({ target }) => /^\/apis?\//.test(target))).toBe(true);
	await jumpUntil(client, "followed", () => client.hub.status().staleSince === null);
});

test("a list with items null, as Go has an empty one, is empty", async () => {
	const list = '{"kind":"ServiceList","metadata":{"resourceVersion":"10"},"items":null}';
	await using server = await startRawServer(({ resource, kind }) =>
		resource === "services" && kind === "list" ? ({ send }) => void send(whole(OK, list)) : undefined,
	);
	await using client = followHub(server);
	await until("the first snapshot", () => client.seen.length === 1);
	expect(client.services()).toEqual([]);
});

test.each([
	["204", "HTTP/1.1 204 No Content\r\n\r\n"],
	["200 and HTML", whole("200 OK\r\nContent-Type: text/html", "<html>Log in</html>")],
	["a redirect", whole("307 Temporary Redirect\r\nLocation: /login", "")],
	["500", whole("500 Internal Server Error", "no")],
])("a watch that is answered with %s is none: the hub is asked less and less often", async (_, answer) => {
	let good = true;
	const held: RawAnswer[] = [];
	await using server = await startRawServer(({ kind, target }) => {
		if (kind === "list" || target.includes("sendInitialEvents")) return undefined;
		return async (open) => {
			held.push(open);
			await open.send(good ? `HTTP/1.1 ${OK}\r\nTransfer-Encoding: chunked\r\n\r\n` : answer);
		};
	});
	await using client = followHub(server);
	await until("all kinds watched", () => held.length === KINDS);
	good = false;
	for (const open of held) open.end();
	await jumpUntil(
		client,
		"the longest pause",
		// 30 s, less the time that the attempt before it took; a limit for an answer is 30 s as well.
		() => client.clock.sleeps.filter((pause) => pause >= 15_000 && pause < 29_900).length > 8,
	);
	const lists = server.requests({ kind: "list", resource: "services" });
	expect(lists.length).toBeLessThan(20);
	expect(client.services()).toEqual(["demo/web"]);
	expect(client.hub.status().staleSince).not.toBeNull();
	good = true;
	await jumpUntil(client, "followed again", () => client.hub.status().staleSince === null);
});

describe("Retry-After", () => {
	const status = (seconds: number | string) =>
		`{"kind":"Status","code":429,"details":{"retryAfterSeconds":${seconds}}}`;
	/** Milliseconds: the first pause of the backoff, and what was asked before it and a quarter more, by an even chance. */
	test.each([
		["1e9", "{}", 375_000 + 2500],
		["1000000000", "{}", 375_000 + 2500],
		["9".repeat(400), "{}", 2500],
		["-5", "{}", 2500],
		["0", "{}", 2500],
		["2", "{}", 2500 + 2500],
		["soon", "{}", 2500],
		["", "{}", 2500],
		["Wed, 21 Oct 2099 07:28:00 GMT", "{}", 2500],
		["Wed, 21 Oct 1999 07:28:00 GMT", "{}", 2500],
		["-1", status(3), 3750 + 2500],
		["x", status("1e300"), 375_000 + 2500],
		["x", status("1e400"), 375_000 + 2500],
		["x", status(-7), 2500],
		["x", status('"60"'), 2500],
	])("%p with the body %p: %d ms", async (header, body, pause) => {
		await using server = await startRawServer(({ resource, kind, before }) =>
			resource === "services" && kind === "list" && before === 0
				? ({ send }) => void send(whole(`429 Too Many Requests\r\nRetry-After: ${header}`, body))
				: undefined,
		);
		await using client = followHub(server, { random: () => 0.5 });
		await until("the pause", () => client.clock.sleeps.includes(pause));
		client.clock.jump(pause - 500);
		expect(server.requests({ resource: "services", kind: "list" })).toHaveLength(1);
		client.clock.jump(600);
		await client.shows("demo/web");
	});
});

describe("a server that knows nothing of streaming lists and says nothing of it", () => {
	test("is asked for pages at its first bookmark", async () => {
		await using server = await startHub({ kubernetes: false, features: { initialEvents: "ignored" } });
		server.apply(webService("web"));
		await using client = followHub(server);
		await until("all streams open", () => server.watches().length === KINDS);
		for (const watch of server.watches()) watch.bookmark();
		await client.shows("demo/web");
		expect(client.log.filter((line) => line.startsWith("warn"))).toEqual([]);
		// Never again.
		server.compact();
		for (const watch of server.watches()) watch.reset();
		server.apply(webService("more"));
		await jumpUntil(client, "the change", () => client.services()?.length === 2);
		expect(server.count({ where: ({ query }) => query.has("sendInitialEvents") })).toBe(KINDS);
	});

	test("is asked for a page once it has ended the watch, however much it sends before", async () => {
		await using server = await startHub({ kubernetes: false, features: { initialEvents: "ignored" } });
		server.apply(webService("web"));
		await using client = followHub(server);
		await until("all streams open", () => server.watches().length === KINDS);
		for (const watch of server.watches()) watch.end();
		await jumpUntil(client, "the Service", () => client.services()?.length === 1);
		expect(server.count({ where: ({ query }) => query.has("sendInitialEvents") })).toBe(KINDS);
		expect(server.count({ verb: "list" })).toBe(KINDS);
	});
});

describe("the system clock", () => {
	test.each(["1970-01-01T00:00:05Z", "2001-01-01", "2105-01-01", "9999-01-01"])(
		"set to %s changes nothing",
		async (date) => {
			await using server = await startHub({ kubernetes: false });
			server.apply(webService("web"));
			await using client = followHub(server);
			await until("all kinds watched", () => server.watches().length === KINDS);
			using _back = { [Symbol.dispose]: () => setSystemTime() };
			setSystemTime(new Date(date));
			server.apply(webService("more"));
			await client.shows("demo/more", "demo/web");
			expect(client.hub.status().staleSince).toBeNull();
			// Neither silence nor a pause is measured by it.
			expect(server.requests({ resource: SLICES })).toHaveLength(1);
			await server.kill();
			await until("all kinds stale", () => client.hub.status().kinds.every(({ staleSince }) => staleSince !== null));
			const { kinds } = client.hub.status();
			expect(
				kinds.map(({ lastEvent, staleSince }) =>
					[lastEvent, staleSince].every((time) => Number.isFinite(time?.getTime())),
				),
			).toEqual(Array(KINDS).fill(true));
			setSystemTime(new Date("2030-01-01"));
			await server.restart();
			await jumpUntil(client, "followed again", () => client.hub.status().staleSince === null);
			expect(client.services()).toEqual(["demo/more", "demo/web"]);
		},
	);
});

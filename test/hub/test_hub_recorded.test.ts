// The hub answers as kube-apiserver 1.36.2 was recorded to answer: codes, types, and Status objects word by word.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ask, watch } from "../support/hub/ask.ts";
import { startHub, type TestHub } from "../support/hub/hub.ts";
import recorded from "./recorded_answers.json" with { type: "json" };

interface Recorded {
	readonly name: string;
	readonly method: string;
	readonly target: string;
	readonly user?: string;
	readonly accept?: string;
	readonly contentType?: string;
	readonly body?: string;
	readonly code: number;
	readonly type: string;
	readonly headers?: Readonly<Record<string, string>>;
	/** Of JSON. */
	readonly answer?: object;
	readonly text?: string;
	/** False: the recorded server speaks formats that the hub does not, and says so. */
	readonly sameMessage?: boolean;
}

const UID = "78de8c58-e969-4914-93f3-2e872caa3e88";
const STATE = `
apiVersion: v1
kind: Service
metadata: { name: web, namespace: demo, uid: ${UID}, labels: { tier: front } }
spec:
  clusterIP: 10.96.35.90
  selector: { app: web }
  ports: [{ name: http, port: 80, targetPort: http }]
---
{ apiVersion: v1, kind: Node, metadata: { name: node-a } }
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: { name: leader, namespace: demo, uid: b4e56e2a-a01c-4ae7-a4f9-cd6554959be1 }
spec: { holderIdentity: example-1 }
`;
const POLICIES = `
apiVersion: balancing.elf.io/v1beta1
kind: BalancingPolicy
metadata: { name: p1, uid: 96cb6da7-a078-4f0b-a8d3-0da97fa8fa48 }
spec: { config: { enableOutCluster: true } }
`;
/** Recorded before the definitions, or the lease, were there. */
const BARE = /crd-not-installed|after-crd-delete|lease-get-404/;

let hub: TestHub;
let bare: TestHub;
beforeAll(async () => {
	const users = { "example-user": { credentials: "token", rules: [] } } as const;
	hub = await startHub({ users, timing: { futureMs: 50 } });
	bare = await startHub({ definitions: [] });
	hub.apply(STATE);
	hub.apply(POLICIES);
	await ask(hub, "/apis/balancing.elf.io/v1beta1/balancingpolicies/p-ssa?fieldManager=example-a", {
		method: "PATCH",
		headers: { "content-type": "application/apply-patch+yaml" },
		body: "{apiVersion: balancing.elf.io/v1beta1, kind: BalancingPolicy, metadata: {name: p-ssa}, spec: {config: {enableOutCluster: true}}}",
	});
});
afterAll(async () => {
	await hub.close();
	await bare.close();
});

/** Versions of the moment are not the recorded ones. */
function timeless(value: unknown): unknown {
	const text = JSON.stringify(value)
		.replace(/current: \d+/, "current: N")
		.replace(/"resourceVersion":"\d+"/g, '"resourceVersion":"N"');
	return JSON.parse(text);
}

function withoutMessage(value: unknown): unknown {
	return { ...(value as object), message: undefined };
}

test.each((recorded as readonly Recorded[]).map((each) => [each.name, each] as const))(
	"the hub answers like a real server: %s",
	async (name, each) => {
		const server = BARE.test(name) ? bare : hub;
		const { accept, contentType, user, body, method } = each;
		const answer = await ask(server, each.target, {
			method,
			...(user === "bad" ? { token: "bad" } : user !== undefined && { user }),
			...(body !== undefined && { body }),
			headers: {
				...(accept !== undefined && { accept }),
				...(contentType !== undefined && { "content-type": contentType }),
			},
		});
		expect(answer.code).toBe(each.code);
		expect(answer.headers.get("content-type")).toBe(each.type);
		for (const [header, value] of Object.entries(each.headers ?? {})) expect(answer.headers.get(header)).toBe(value);
		if (each.text !== undefined) expect(answer.text).toBe(each.text);
		if (each.answer === undefined) return;
		const shown = each.sameMessage === false ? withoutMessage(answer.json) : answer.json;
		const wanted = each.sameMessage === false ? withoutMessage(each.answer) : each.answer;
		expect(timeless(shown)).toEqual(timeless(wanted));
	},
);

describe("objects look as recorded", () => {
	/** 240: the least that makes a Service, and all that the server adds, in its order. */
	test("a created Service", async () => {
		const body = {
			apiVersion: "v1",
			kind: "Service",
			metadata: { name: "minimal" },
			spec: { selector: { app: "x" }, ports: [{ port: 80 }] },
		};
		const { code, text } = await ask(hub, "/api/v1/namespaces/demo/services", {
			method: "POST",
			body,
			headers: { "user-agent": "example/1.0" },
		});
		expect(code).toBe(201);
		const shown = text
			.replace(/"uid":"[-\da-f]{36}"/, '"uid":"U"')
			.replace(/"resourceVersion":"\d+"/, '"resourceVersion":"773"')
			.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, "2026-11-20T12:51:28Z")
			.replace(/"10\.96\.\d+\.\d+"/g, '"10.96.239.65"')
			.replace(/"fieldsV1":.*\}\}\]\},"spec"/, '"fieldsV1":{}}]},"spec"');
		expect(shown).toBe(
			`${'{"kind":"Service","apiVersion":"v1","metadata":{"name":"minimal","namespace":"demo","uid":"U","resourceVersion":"773","creationTimestamp":"2026-11-20T12:51:28Z","managedFields":[{"manager":"example","operation":"Update","apiVersion":"v1","time":"2026-11-20T12:51:28Z","fieldsType":"FieldsV1","fieldsV1":{}}]},"spec":{"ports":[{"protocol":"TCP","port":80,"targetPort":80}],"selector":{"app":"x"},"clusterIP":"10.96.239.65","clusterIPs":["10.96.239.65"],"type":"ClusterIP","sessionAffinity":"None","ipFamilies":["IPv4"],"ipFamilyPolicy":"SingleStack","internalTrafficPolicy":"Cluster"},"status":{"loadBalancer":{}}}'}\n`,
		);
	});

	test("an empty list of a built-in and of a custom kind", async () => {
		const built = await ask(hub, "/api/v1/namespaces/kube-public/services");
		expect(built.text.replace(/\d+/g, (n, place) => (place > 40 ? "531" : n))).toBe(
			'{"kind":"ServiceList","apiVersion":"v1","metadata":{"resourceVersion":"531"},"items":[]}\n',
		);
		const custom = await ask(hub, "/apis/balancing.elf.io/v1beta1/localredirectpolicies");
		expect(custom.text.replace(/"resourceVersion":"\d+"/, '"resourceVersion":"896"')).toBe(
			'{"apiVersion":"balancing.elf.io/v1beta1","items":[],"kind":"LocalRedirectPolicyList","metadata":{"continue":"","resourceVersion":"896"}}\n',
		);
	});

	test.each([
		[
			"/api/v1/services",
			'{"kind":"Service","apiVersion":"v1","metadata":{"resourceVersion":"7"},"spec":{},"status":{"loadBalancer":{}}}',
		],
		[
			"/api/v1/nodes",
			'{"kind":"Node","apiVersion":"v1","metadata":{"resourceVersion":"7"},"spec":{},"status":{"daemonEndpoints":{"kubeletEndpoint":{"Port":0}},"nodeInfo":{"machineID":"","systemUUID":"","bootID":"","kernelVersion":"","osImage":"","containerRuntimeVersion":"","kubeletVersion":"","kubeProxyVersion":"","operatingSystem":"","architecture":""}}}',
		],
	])("a bookmark of %s", async (path, object) => {
		await using lines = await watch(hub, `${path}?watch=1&resourceVersion=${hub.revision()}&allowWatchBookmarks=true`);
		hub.watches().at(-1)?.bookmark(7);
		expect((await lines.next())?.line).toBe(`{"type":"BOOKMARK","object":${object}}`);
	});

	test("the marker after initial events", async () => {
		const path =
			"/api/v1/namespaces/kube-public/services?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
		await using lines = await watch(hub, path);
		const line = (await lines.next())?.line.replace(/"resourceVersion":"\d+"/, '"resourceVersion":"598"');
		expect(line).toBe(
			'{"type":"BOOKMARK","object":{"kind":"Service","apiVersion":"v1","metadata":{"resourceVersion":"598","annotations":{"k8s.io/initial-events-end":"true"}},"spec":{},"status":{"loadBalancer":{}}}}',
		);
	});

	test("a watch of the past and of the future", async () => {
		await using past = await watch(hub, "/api/v1/services?watch=1&resourceVersion=0");
		await past.take(1);
		hub.compact({ watches: true });
		const floor = hub.revision();
		await using old = await watch(hub, "/api/v1/services?watch=1&resourceVersion=1");
		const [event] = await old.rest();
		expect(event?.line).toBe(
			`{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version: 1 (${floor})","reason":"Expired","code":410}}`,
		);
		await using future = await watch(
			hub,
			"/api/v1/services?watch=1&resourceVersion=99999999&sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
		);
		expect((await future.rest()).map(({ line }) => line)).toEqual([
			`{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Timeout: Too large resource version: 99999999, current: ${floor}","reason":"Timeout","details":{"causes":[{"reason":"ResourceVersionTooLarge","message":"Too large resource version"}],"retryAfterSeconds":1},"code":504}}`,
		]);
	});
});

// The hub calls webhooks as kube-apiserver 1.36.2 was recorded to do (numbers of the recordings in brackets).

import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { ask } from "../support/hub/ask.ts";
import { createAuthority } from "../support/hub/certificates.ts";
import { startHub, type TestHub } from "../support/hub/hub.ts";
import { at, type Fields, fieldsOf } from "../support/hub/object.ts";

const POLICIES = "/apis/balancing.elf.io/v1beta1/balancingpolicies";
type Saying = (review: unknown) => Response | Promise<Response>;

let hub: TestHub;
let server: Bun.Server<undefined>;
let says: Readonly<Record<string, Saying>> = {};
let reviews: unknown[] = [];
let ca = "";

beforeAll(async () => {
	const authority = createAuthority("balancing-test-webhook");
	const { certificate: cert, key } = authority.server(["IP:127.0.0.1", "DNS:hook.ns.svc"]);
	ca = Buffer.from(authority.certificate).toString("base64");
	server = Bun.serve({
		hostname: "127.0.0.1",
		port: 0,
		tls: { cert, key },
		async fetch(request) {
			const review = await request.json();
			reviews.push(review);
			return (says[new URL(request.url).pathname] ?? allow)(review);
		},
	});
	hub = await startHub({ kubernetes: false });
});
afterAll(async () => {
	await server.stop(true);
	await hub.close();
});
beforeEach(() => {
	says = {};
	reviews = [];
	for (const policy of hub.list("BalancingPolicy")) hub.delete("BalancingPolicy", undefined, policy.metadata.name);
});

function answer(review: unknown, response: object, apiVersion = "admission.k8s.io/v1"): Response {
	const uid = at(review, "request", "uid");
	return Response.json({ apiVersion, kind: "AdmissionReview", response: { uid, ...response } });
}
const allow: Saying = (review) => answer(review, { allowed: true });
const patchWith =
	(patch: string): Saying =>
	(review) =>
		answer(review, { allowed: true, patchType: "JSONPatch", patch: Buffer.from(patch).toString("base64") });

interface Hooked {
	readonly failurePolicy?: "Ignore" | "Fail";
	readonly client?: object;
	readonly rule?: object;
}

function configure({ failurePolicy = "Fail", client, rule = {} }: Hooked = {}): void {
	for (const [kind, name] of [
		["ValidatingWebhookConfiguration", "validate"],
		["MutatingWebhookConfiguration", "mutate"],
	] as const) {
		const resources = ["balancingpolicies"];
		const operations = ["CREATE", "UPDATE", "DELETE"];
		const rules = [{ operations, apiGroups: ["balancing.elf.io"], apiVersions: ["v1beta1"], resources, ...rule }];
		const url = `https://127.0.0.1:${server.port}/${name}`;
		const clientConfig = { ...(client ?? { url }), caBundle: ca };
		const webhook = {
			name: `${name}.balancing.elf.io`,
			clientConfig,
			rules,
			failurePolicy,
			timeoutSeconds: 1,
			admissionReviewVersions: ["v1"],
		};
		hub.apply({
			apiVersion: "admissionregistration.k8s.io/v1",
			kind,
			metadata: { name: "example" },
			webhooks: [webhook],
		});
	}
}

function policy(name: string, more: Fields = {}): Fields {
	return { apiVersion: "balancing.elf.io/v1beta1", kind: "BalancingPolicy", metadata: { name, ...more } };
}

async function send(method: string, path: string, body?: object, type = "application/json") {
	const content = body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": type } };
	return await ask(hub, `${POLICIES}${path}`, { method, ...content });
}

const DENIED = { code: 422, reason: "Invalid", message: "spec.frontend: port 80 is not paired with a backend port" };

test.each<[string, Saying, number, string]>([
	[
		"[410] denied with a code",
		(review) => answer(review, { allowed: false, status: DENIED }),
		422,
		`admission webhook "validate.balancing.elf.io" denied the request: ${DENIED.message}`,
	],
	[
		"[411] denied bare",
		(review) => answer(review, { allowed: false }),
		400,
		'admission webhook "validate.balancing.elf.io" denied the request without explanation',
	],
	[
		"[412] denied with a message",
		(review) => answer(review, { allowed: false, status: { message: "no" } }),
		400,
		'admission webhook "validate.balancing.elf.io" denied the request: no',
	],
	[
		"[422] another version",
		(review) => answer(review, { allowed: true }, "admission.k8s.io/v1beta1"),
		500,
		'Internal error occurred: failed calling webhook "validate.balancing.elf.io": failed to call webhook: converting',
	],
	[
		"[423] another uid",
		(review) => answer(review, { allowed: true, uid: "0" }),
		500,
		'Internal error occurred: failed calling webhook "validate.balancing.elf.io": received invalid webhook response: expected response.uid=',
	],
	[
		"[424] no response",
		() => Response.json({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview" }),
		500,
		'Internal error occurred: failed calling webhook "validate.balancing.elf.io": received invalid webhook response: webhook response was absent',
	],
	[
		"[425] HTTP 500",
		() => new Response("internal error", { status: 500 }),
		500,
		'Internal error occurred: failed calling webhook "validate.balancing.elf.io": failed to call webhook: an error on the server ("internal error") has prevented the request from succeeding',
	],
	[
		"[426] no JSON",
		() => new Response("<html>"),
		500,
		'Internal error occurred: failed calling webhook "validate.balancing.elf.io": failed to call webhook: ',
	],
	[
		"[427] silence",
		async () => await new Promise(() => {}),
		500,
		'Internal error occurred: failed calling webhook "validate.balancing.elf.io": failed to call webhook: ',
	],
])("%s", async (_, saying, code, message) => {
	says = { "/validate": saying };
	configure();
	const answered = await send("POST", "", policy("h"));
	expect([answered.code, String(answered.at("message")).slice(0, message.length)]).toEqual([code, message]);
	expect(hub.get("BalancingPolicy", undefined, "h")).toBeUndefined();
	// [430] to [435]: what is no answer is ignored if that is said, a denial never.
	configure({ failurePolicy: "Ignore" });
	expect((await send("POST", "", policy("h"))).code).toBe(code === 500 ? 201 : code);
});

test("[420, 421, 432] a patch that cannot be applied is an error, whatever the policy", async () => {
	says = { "/mutate": patchWith('[{"op":"replace","path":"/spec/nothing/here","value":1}]') };
	for (const failurePolicy of ["Fail", "Ignore"] as const) {
		configure({ failurePolicy });
		expect((await send("POST", "", policy("h"))).code).toBe(500);
	}
	says = { "/mutate": patchWith("not json") };
	configure();
	expect((await send("POST", "", policy("h"))).code).toBe(500);
});

test("[400, 415] the validating one sees what the mutating one made, and so does the store", async () => {
	says = { "/mutate": patchWith('[{"op":"add","path":"/metadata/annotations","value":{"a":"7"}}]') };
	configure();
	const answered = await send("POST", "", policy("h"));
	expect([answered.code, answered.at("metadata", "annotations")]).toEqual([201, { a: "7" }]);
	const [mutated, validated] = reviews.map((review) => fieldsOf(at(review, "request")));
	expect([
		at(mutated, "object", "metadata", "annotations"),
		at(validated, "object", "metadata", "annotations"),
	]).toEqual([undefined, { a: "7" }]);
	expect([
		validated?.["operation"],
		validated?.["oldObject"],
		validated?.["name"],
		at(validated, "options", "kind"),
	]).toEqual(["CREATE", null, "h", "CreateOptions"]);
	expect(hub.get("BalancingPolicy", undefined, "h")?.metadata.annotations).toEqual({ a: "7" });
});

test("[401, 402, 404, 406] updates, statuses and deletes are asked as they are", async () => {
	configure();
	await send("POST", "", policy("h"));
	reviews = [];
	await send("PATCH", "/h", { metadata: { labels: { a: "b" } } }, "application/merge-patch+json");
	await send("PATCH", "/h/status", { status: { a: 1 } }, "application/merge-patch+json");
	await send("PATCH", "/g?fieldManager=t", { ...policy("g") }, "application/apply-patch+yaml");
	await send("DELETE", "/h");
	const asked = reviews
		.map((review) => fieldsOf(at(review, "request")))
		.map(({ operation, name, object, oldObject }) => `${operation} ${name} ${object !== null} ${oldObject !== null}`);
	expect(asked.filter((_, index) => index % 2 === 0)).toEqual([
		"UPDATE h true true",
		"CREATE g true false",
		"DELETE h false true",
	]);
});

test("[403, 407, 413] dry runs, generated names and warnings", async () => {
	says = { "/validate": (review) => answer(review, { allowed: true, warnings: ["one", 'two "quoted"'] }) };
	configure();
	const dry = await send("POST", "?dryRun=All", policy("h"));
	expect([dry.code, dry.headers.get("warning")]).toEqual([201, '299 - "one", 299 - "two \\"quoted\\""']);
	expect([at(reviews[0], "request", "dryRun"), hub.list("BalancingPolicy").length]).toEqual([true, 0]);
	const { name: _, ...unnamed } = fieldsOf(policy("x", { generateName: "gen-" })["metadata"]);
	const named = await send("POST", "", { ...policy("x"), metadata: unnamed });
	expect([named.code, at(reviews.at(-1), "request", "name")]).toEqual([201, named.at("metadata", "name")]);
});

test("[428, 430] nobody there, other rules, other authorities, and a Service by its name", async () => {
	configure({ client: { url: "https://127.0.0.1:9/validate" } });
	expect((await send("POST", "", policy("h"))).code).toBe(500);
	configure({ client: { url: "https://127.0.0.1:9/validate" }, rule: { operations: ["UPDATE"] } });
	expect((await send("POST", "", policy("h"))).code).toBe(201);
	configure({ client: { service: { namespace: "ns", name: "hook", path: "/validate" } } });
	expect((await send("POST", "", policy("i"))).code).toBe(500);
	hub.routeService("ns/hook", [server.port ?? 0]);
	expect((await send("POST", "", policy("i"))).code).toBe(201);
	hub.routeService("ns/other", [server.port ?? 0]);
	configure({ client: { service: { namespace: "ns", name: "other", path: "/validate" } } });
	expect((await send("POST", "", policy("j"))).code).toBe(500);
	const own = ca;
	ca = Buffer.from(createAuthority("another").certificate).toString("base64");
	configure();
	ca = own;
	expect((await send("POST", "", policy("k"))).code).toBe(500);
});

test("a mutated update goes on from the version that was read", async () => {
	configure();
	await send("POST", "", policy("h"));
	says = { "/mutate": patchWith('[{"op":"add","path":"/metadata/labels","value":{"m":"1"}}]') };
	const put = await send(
		"PUT",
		"/h",
		policy("h", { resourceVersion: hub.get("BalancingPolicy", undefined, "h")?.metadata.resourceVersion }),
	);
	expect([put.code, put.at("metadata", "labels")]).toEqual([200, { m: "1" }]);
	const late = await send("PUT", "/h", policy("h", { resourceVersion: "1" }));
	expect(late.code).toBe(409);
});

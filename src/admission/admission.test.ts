// Every answer of the webhooks: recorded reviews of a real API server, reviews of every shape, and what is denied and why.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { at, fieldsOf, isFields } from "../../test/support/hub/object.ts";
import { recordedRequest } from "../../test/support/recorded.ts";
import { type Cluster, EMPTY_CLUSTER } from "../model/cluster.ts";
import { type Policy, policyKey } from "../model/policy.ts";
import { projectService } from "../model/service.ts";
import { createAdmission } from "./admission.ts";
import { projectPolicy } from "./policy_object.ts";

const RECORDED = [
	"400-webhook-validate-create-allowed",
	"401-webhook-validate-update-allowed",
	"403-webhook-validate-dryrun-create",
	"404-webhook-validate-delete-allowed",
	"406-webhook-validate-apply-create",
	"407-webhook-validate-generatename",
];
const SERVICE_ID = "balancing.elf.io/serviceId";

interface PolicyShape {
	readonly name?: string;
	readonly kind?: string;
	readonly metadata?: object;
	readonly frontend?: object;
	readonly backend?: object;
	readonly config?: object;
}

const WEB = { serviceMatcher: { namespace: "demo", serviceName: "web", toPorts: [{ port: "80", protocol: "TCP" }] } };
const VIP = { addressMatcher: { ip: "169.254.50.50", toPorts: [{ port: "5432", protocol: "TCP" }] } };
const MACHINES = { addressEndpoint: { addresses: ["192.0.2.11"], toPorts: [{ port: "5432", protocol: "TCP" }] } };
const PODS = { endpointSelector: { matchLabels: { app: "db" } }, toPorts: [{ port: "5432", protocol: "TCP" }] };

function policy({
	name = "p",
	kind = "BalancingPolicy",
	metadata,
	frontend = VIP,
	backend = MACHINES,
	config,
}: PolicyShape) {
	return {
		apiVersion: "balancing.elf.io/v1beta1",
		kind,
		metadata: { name, ...metadata },
		spec: { ...(config === undefined ? {} : { config }), frontend, backend },
	};
}

interface Asking {
	readonly object?: unknown;
	readonly oldObject?: unknown;
	readonly operation?: string;
	readonly kind?: object;
	readonly dryRun?: boolean;
	readonly subResource?: string;
	readonly apiVersion?: string;
}

function reviewOf({
	object = null,
	oldObject = null,
	operation = "CREATE",
	apiVersion = "admission.k8s.io/v1",
	...more
}: Asking) {
	const kind = { group: "balancing.elf.io", version: "v1beta1", kind: at(object, "kind") ?? at(oldObject, "kind") };
	return { apiVersion, kind: "AdmissionReview", request: { uid: "u-1", kind, operation, object, oldObject, ...more } };
}

function clusterWith(policies: readonly unknown[], services: readonly unknown[] = []): Cluster {
	const projected = policies.map((object): Policy => {
		const value = projectPolicy(String(at(object, "kind")), object)?.value;
		if (value === undefined) throw new Error(`no policy: ${JSON.stringify(object)}`);
		return value;
	});
	const found = services.map((object) => projectService(object).value).filter((service) => service !== undefined);
	return {
		...EMPTY_CLUSTER,
		policies: new Map(projected.map((each) => [policyKey(each), each])),
		services: new Map(found.map((each) => [each.key, each])),
	};
}

const OLD = "2026-01-01T00:00:00Z";
const web = {
	apiVersion: "v1",
	kind: "Service",
	metadata: { name: "web", namespace: "demo" },
	spec: { clusterIP: "10.96.0.80", clusterIPs: ["10.96.0.80"], ports: [{ port: 80, protocol: "TCP" }] },
};

function ask(path: string, body: unknown, known: Cluster | "nothing" = EMPTY_CLUSTER) {
	const cluster = known === "nothing" ? undefined : known;
	const admission = createAdmission({ cluster: () => cluster, random: () => 0.5 });
	const text = typeof body === "string" ? body : JSON.stringify(body);
	const { status, body: answer } = admission({ method: "POST", path, body: text });
	return { status, text: answer, response: status === 200 ? fieldsOf(at(JSON.parse(answer), "response")) : {} };
}

/** `allowed`, or the message, and the warnings. */
function validated(asking: Asking, cluster?: Cluster): readonly unknown[] {
	const { response } = ask("/validate", reviewOf(asking), cluster);
	return [response["allowed"] === true ? "allowed" : at(response, "status", "message"), response["warnings"] ?? []];
}

function patchIn(response: unknown): unknown {
	const text = at(response, "patch");
	return typeof text === "string" ? JSON.parse(Buffer.from(text, "base64").toString()) : undefined;
}

describe("reviews recorded from kube-apiserver 1.36.2", () => {
	test.each(RECORDED)("%s is allowed", (name) => {
		const body = recordedRequest(name);
		const services = clusterWith([], [web]);
		const { status, text } = ask("/validate", body, services);
		expect([status, at(JSON.parse(text), "apiVersion"), at(JSON.parse(text), "kind")]).toEqual([
			200,
			"admission.k8s.io/v1",
			"AdmissionReview",
		]);
		const uid = at(JSON.parse(body), "request", "uid");
		expect([typeof uid, at(JSON.parse(text), "response", "uid"), at(JSON.parse(text), "response", "allowed")]).toEqual([
			"string",
			uid,
			true,
		]);
	});

	test.each(["400-webhook-mutate-create-allowed", "415-webhook-mutate-mutated-by-jsonpatch"])(
		"%s gets an id (A-24)",
		(name) => {
			const { response } = ask("/mutate", recordedRequest(name));
			expect([response["allowed"], response["patchType"], patchIn(response)]).toEqual([
				true,
				"JSONPatch",
				[{ op: "add", path: "/metadata/annotations", value: { [SERVICE_ID]: "2147483648" } }],
			]);
		},
	);
});

describe("what is no review", () => {
	test.each([
		["POST", "/validate", "", 400],
		["POST", "/validate", "[]", 400],
		["POST", "/validate", "{}", 400],
		["POST", "/validate", '{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v2","request":{"uid":"u"}}', 400],
		["POST", "/validate", '{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}', 400],
		["POST", "/mutate", '{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{}}', 400],
		["GET", "/validate", "", 405],
		["POST", "/", "{}", 404],
		["POST", "/validate-balancing-elf-io-v1beta1-pods", "{}", 404],
	])("%s %s %s is answered with %d", (method, path, body, status) => {
		const answer = createAdmission({ cluster: () => EMPTY_CLUSTER, random: () => 0 })({ method, path, body });
		expect([answer.status, answer.type, answer.body.endsWith("\n")]).toEqual([
			status,
			"text/plain; charset=utf-8",
			true,
		]);
	});

	test("any request with a uid gets an AdmissionReview of its version", () => {
		const apiVersion = fc.constantFrom("admission.k8s.io/v1", "admission.k8s.io/v1beta1");
		const odd = fc.oneof(fc.jsonValue(), fc.constant(policy({})), fc.constant(policy({ kind: "LocalRedirectPolicy" })));
		const request = fc.record(
			{
				uid: fc.string({ minLength: 1 }),
				kind: fc.oneof(fc.jsonValue(), fc.constant({ group: "balancing.elf.io", kind: "BalancingPolicy" })),
				operation: fc.oneof(fc.jsonValue(), fc.constantFrom("CREATE", "UPDATE", "DELETE")),
				object: odd,
				oldObject: odd,
				dryRun: fc.jsonValue(),
			},
			{ requiredKeys: ["uid"] },
		);
		const path = fc.constantFrom("/validate", "/mutate", "/validate-balancing-elf-io-v1beta1-balancingpolicy");
		fc.assert(
			fc.property(apiVersion, request, path, (version, given, where) => {
				const { status, text } = ask(where, { apiVersion: version, kind: "AdmissionReview", request: given });
				const answer = JSON.parse(text);
				expect([status, answer.apiVersion, answer.kind, answer.response.uid]).toEqual([
					200,
					version,
					"AdmissionReview",
					given.uid,
				]);
				expect(answer.response.allowed || isFields(answer.response.status)).toBe(true);
			}),
			{ numRuns: 500 },
		);
	});
});

describe("validate", () => {
	test.each<[string, PolicyShape, string]>([
		[
			"no frontend",
			{ frontend: {} },
			"spec.frontend: Missing: give serviceMatcher or addressMatcher; the policy is left out",
		],
		[
			"two frontends",
			{ frontend: { ...WEB, ...VIP } },
			"spec.frontend: serviceMatcher and addressMatcher are both there: keep one of them; the policy is left out",
		],
		[
			"a wrong address among right ones",
			{ backend: { addressEndpoint: { ...MACHINES.addressEndpoint, addresses: ["192.0.2.1", "x"] } } },
			"spec.backend.addressEndpoint.addresses[1]: ",
		],
		[
			"a wrong id",
			{ metadata: { annotations: { [SERVICE_ID]: "-1" } } },
			`metadata.annotations["${SERVICE_ID}"]: "-1" is not a number`,
		],
	])("denies %s", (_, shape, message) => {
		const { response } = ask("/validate", reviewOf({ object: policy(shape) }));
		expect([response["allowed"], at(response, "status", "code"), at(response, "status", "reason")]).toEqual([
			false,
			422,
			"Invalid",
		]);
		expect(String(at(response, "status", "message"))).toStartWith(message);
	});

	test("an update that makes a bad policy no worse is allowed, one that makes it worse is not", () => {
		const bad = policy({
			backend: { addressEndpoint: { ...MACHINES.addressEndpoint, addresses: ["192.0.2.1", "x"] } },
		});
		const edited = { ...bad, spec: { ...bad.spec, config: { enableOutCluster: false } } };
		expect(validated({ operation: "UPDATE", object: edited, oldObject: bad })[0]).toBe("allowed");
		const worse = { ...bad, spec: { ...bad.spec, frontend: {} } };
		const [message] = validated({ operation: "UPDATE", object: worse, oldObject: bad });
		expect(message).toBe("spec.frontend: Missing: give serviceMatcher or addressMatcher; the policy is left out");
	});

	test.each<[string, Asking]>([
		[
			"labels of a bad policy",
			{
				operation: "UPDATE",
				object: { ...policy({ frontend: {} }), metadata: { name: "p", labels: { a: "b" } } },
				oldObject: policy({ frontend: {} }),
			},
		],
		[
			"a finalizer going from a bad policy that is being deleted",
			{
				operation: "UPDATE",
				object: policy({ frontend: {}, metadata: { deletionTimestamp: OLD } }),
				oldObject: policy({}),
			},
		],
		["a delete", { operation: "DELETE", oldObject: policy({ frontend: {} }) }],
		[
			"a status",
			{ operation: "UPDATE", subResource: "status", object: policy({ frontend: {} }), oldObject: policy({}) },
		],
	])("allows %s", (_, asking) => {
		expect(validated(asking)).toEqual(["allowed", []]);
	});

	test("another kind is allowed, with the way to be rid of the question", () => {
		const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" } };
		const { response } = ask("/validate", reviewOf({ object, kind: { group: "", version: "v1", kind: "ConfigMap" } }));
		expect([response["allowed"], response["warnings"]]).toEqual([
			true,
			["ConfigMap is not validated by Balancing: narrow the rules of its webhook configuration"],
		]);
	});

	test("without a cluster to compare with the object alone counts", () => {
		const { response } = ask(
			"/validate",
			reviewOf({ object: policy({ frontend: WEB, backend: { serviceEndpoint: PODS } }) }),
			"nothing",
		);
		expect(response).toEqual({ uid: "u-1", allowed: true });
	});
});

describe("mutate", () => {
	const annotated = (annotations: unknown) => policy({ metadata: { annotations } });

	test.each<[string, Asking, unknown]>([
		[
			"no annotations",
			{ object: policy({}) },
			[{ op: "add", path: "/metadata/annotations", value: { [SERVICE_ID]: "2147483648" } }],
		],
		[
			"null for annotations",
			{ object: annotated(null) },
			[{ op: "add", path: "/metadata/annotations", value: { [SERVICE_ID]: "2147483648" } }],
		],
		[
			"other annotations",
			{ object: annotated({ a: "b" }) },
			[{ op: "add", path: "/metadata/annotations/balancing.elf.io~1serviceId", value: "2147483648" }],
		],
		["an id of its own", { object: annotated({ [SERVICE_ID]: "41007" }) }, undefined],
		["a wrong id, which validation tells", { object: annotated({ [SERVICE_ID]: "x" }) }, undefined],
		[
			"lost its id",
			{ operation: "UPDATE", object: annotated({ a: "b" }), oldObject: annotated({ [SERVICE_ID]: "7" }) },
			[{ op: "add", path: "/metadata/annotations/balancing.elf.io~1serviceId", value: "7" }],
		],
		["a delete", { operation: "DELETE", oldObject: policy({}) }, undefined],
	])("a policy with %s", (_, asking, patch) => {
		const { response } = ask("/mutate", reviewOf(asking));
		expect([response["allowed"], patchIn(response)]).toEqual([true, patch]);
	});

	test("ids are those of no other policy, and a dry run gives none away", () => {
		const cluster = clusterWith([policy({ name: "other", metadata: { annotations: { [SERVICE_ID]: "1" } } })]);
		const admission = createAdmission({ cluster: () => cluster, random: () => 0 });
		const idFor = (dryRun: boolean) => {
			const body = JSON.stringify(reviewOf({ object: policy({}), dryRun }));
			const answer = JSON.parse(admission({ method: "POST", path: "/mutate", body }).body);
			return /"(\d+)"/.exec(JSON.stringify(patchIn(answer.response)))?.[1];
		};
		expect([idFor(true), idFor(true), idFor(false), idFor(false)]).toEqual(["2", "2", "2", "3"]);
	});

	test("a review of v1beta1 is answered in v1beta1", () => {
		const { text } = ask(
			"/mutate-balancing-elf-io-v1beta1-localredirectpolicy",
			reviewOf({
				object: policy({ kind: "LocalRedirectPolicy", backend: PODS }),
				apiVersion: "admission.k8s.io/v1beta1",
			}),
		);
		expect([JSON.parse(text).apiVersion, JSON.parse(text).response.patchType]).toEqual([
			"admission.k8s.io/v1beta1",
			"JSONPatch",
		]);
	});
});

describe("validate, with what the cluster has", () => {
	const db = policy({ name: "db", metadata: { creationTimestamp: OLD } });

	test("another policy of the same kind has the address: denied (A-23)", () => {
		// The server has given the new one a time already; its name comes first.
		const object = policy({ name: "a", metadata: { creationTimestamp: OLD } });
		const [message, warnings] = validated({ object }, clusterWith([db]));
		expect(String(message)).toMatch(/^FrontendConflict: .*169\.254\.50\.50.*BalancingPolicy db/);
		expect(warnings).toEqual([]);
	});

	test("taking an address from a younger one by an update is a warning", () => {
		const before = policy({
			name: "a",
			metadata: { creationTimestamp: "2025-01-01T00:00:00Z" },
			frontend: { addressMatcher: { ...VIP.addressMatcher, ip: "169.254.50.51" } },
		});
		const object = { ...before, spec: { ...before.spec, frontend: VIP } };
		expect(validated({ operation: "UPDATE", object, oldObject: before }, clusterWith([db, before]))).toEqual([
			"allowed",
			["BalancingPolicy db is younger and loses an address to this one"],
		]);
	});

	test("whoever loses an address is named, whatever else it has lost already", () => {
		const [port] = VIP.addressMatcher.toPorts;
		const both = {
			addressMatcher: {
				...VIP.addressMatcher,
				toPorts: [
					{ ...port, name: "a" },
					{ ...port, name: "b", port: "81" },
				],
			},
		};
		const ports = [
			{ name: "a", port: "5432", protocol: "TCP" },
			{ name: "b", port: "81", protocol: "TCP" },
		];
		const other = policy({
			name: "other",
			metadata: { creationTimestamp: "2025-01-01T00:00:00Z" },
			frontend: { addressMatcher: { ...VIP.addressMatcher, toPorts: [{ ...port, port: "81" }] } },
		});
		const loser = policy({
			name: "loser",
			metadata: { creationTimestamp: "2025-06-01T00:00:00Z" },
			frontend: both,
			backend: { addressEndpoint: { addresses: ["192.0.2.9"], toPorts: ports } },
		});
		const before = policy({
			name: "a",
			metadata: { creationTimestamp: "2025-01-01T00:00:00Z" },
			frontend: { addressMatcher: { ...VIP.addressMatcher, ip: "169.254.50.51" } },
		});
		const object = { ...before, spec: { ...before.spec, frontend: VIP } };
		expect(validated({ operation: "UPDATE", object, oldObject: before }, clusterWith([other, loser, before]))).toEqual([
			"allowed",
			["BalancingPolicy loser is younger and loses an address to this one"],
		]);
	});

	test("a redirect on the address of a balancing policy is a warning", () => {
		const object = policy({ name: "r", kind: "LocalRedirectPolicy", backend: PODS });
		expect(validated({ object }, clusterWith([db]))).toEqual([
			"allowed",
			[
				"BalancingPolicy db has 169.254.50.50 port 5432/TCP, too: a LocalRedirectPolicy goes first where it has a local Pod",
			],
		]);
	});

	test("a Service that is not there yet is a warning", () => {
		const [verdict, warnings] = validated({
			object: policy({
				frontend: WEB,
				backend: { addressEndpoint: { addresses: ["192.0.2.1"], toPorts: [{ port: "80", protocol: "TCP" }] } },
			}),
		});
		expect([verdict, String(warnings)]).toEqual(["allowed", expect.stringMatching(/^ServiceNotFound: .*demo\/web/)]);
	});

	test("ports without a partner are denied", () => {
		const backend = {
			addressEndpoint: { addresses: ["192.0.2.1"], toPorts: [{ name: "x", port: "80", protocol: "TCP" }] },
		};
		const [message] = validated({ object: policy({ backend }) });
		expect(String(message)).toMatch(/^PortsDoNotMatch: /);
		const other = { serviceMatcher: { ...WEB.serviceMatcher, toPorts: [{ port: "81", protocol: "TCP" }] } };
		const right = { addressEndpoint: { addresses: ["192.0.2.1"], toPorts: [{ port: "81", protocol: "TCP" }] } };
		const [wrongPort] = validated({ object: policy({ frontend: other, backend: right }) }, clusterWith([], [web]));
		expect(String(wrongPort)).toMatch(/^PortsDoNotMatch: .*81/);
	});

	test("backends that nobody has asked for are not missed", () => {
		const backend = { serviceEndpoint: PODS };
		const shape = { name: "q", backend, frontend: { addressMatcher: { ...VIP.addressMatcher, ip: "169.254.50.51" } } };
		expect(validated({ object: policy(shape) })).toEqual(["allowed", []]);
		// Another policy selects the same Pods, so it is known that there are none.
		const [verdict, warnings] = validated({ object: policy(shape) }, clusterWith([policy({ name: "k", backend })]));
		expect([verdict, String(warnings)]).toEqual(["allowed", expect.stringMatching(/^NoBackends: /)]);
	});
});

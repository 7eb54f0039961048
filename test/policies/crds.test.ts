// The CRDs take what the agent takes, and refuse with a word what it cannot follow: their schema and rules are run here.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { parseAllDocuments } from "yaml";
import { PORT_PATTERN } from "../../scripts/crd_schema.ts";
import { renderDefinitions } from "../../scripts/crds.ts";
import { parsePort } from "../../src/model/address.ts";
import { projectBalancingPolicy } from "../../src/model/balancing_policy.ts";
import { projectLocalRedirectPolicy } from "../../src/model/local_redirect_policy.ts";
import type { Policy, PolicyPort } from "../../src/model/policy.ts";
import { isRaw } from "../../src/model/raw.ts";
import type { Projection } from "../../src/model/report.ts";
import { holds } from "../support/hub/cel.ts";
import { parseManifests } from "../support/hub/manifest.ts";
import { at, type Fields, fieldsOf, listOf } from "../support/hub/object.ts";
import { schemaOf, shape, validate } from "../support/hub/schema.ts";
import { checkProperty } from "../support/property.ts";

setDefaultTimeout(60_000);

const TOP = join(import.meta.dir, "../..");
const KINDS = ["LocalRedirectPolicy", "BalancingPolicy"] as const;
type Kind = (typeof KINDS)[number];

const SCHEMAS: ReadonlyMap<string, Fields> = new Map(
	[...renderDefinitions().values()].flatMap(parseManifests).flatMap((definition) => {
		const schema = schemaOf(listOf(at(definition, "spec", "versions"))[0]);
		return schema === undefined ? [] : [[`${at(definition, "spec", "names", "kind")}`, schema] as const];
	}),
);

interface Verdict {
	readonly faults: readonly string[];
	readonly unknown: readonly string[];
	/** As it would be stored. */
	readonly object: unknown;
}

function review(object: unknown): Verdict {
	const schema = SCHEMAS.get(`${at(object, "kind")}`);
	if (schema === undefined) throw new Error(`No schema of ${at(object, "kind")}`);
	const unknown: string[] = [];
	const stored = shape(schema, object, unknown);
	return {
		faults: validate(schema, stored, holds).map(({ field, message }) => `${field}: ${message}`),
		unknown,
		object: stored,
	};
}

function project(object: unknown): Projection<Policy> {
	return at(object, "kind") === "BalancingPolicy" ? projectBalancingPolicy(object) : projectLocalRedirectPolicy(object);
}

function policiesIn(folder: string): readonly (readonly [string, unknown])[] {
	return readdirSync(join(TOP, folder))
		.filter((file) => file.endsWith(".yaml"))
		.flatMap((file) =>
			parseAllDocuments(readFileSync(join(TOP, folder, file), "utf8"))
				.map((document): unknown => document.toJS())
				.filter((object) => KINDS.some((kind) => at(object, "kind") === kind))
				.map((object) => [`${file} ${at(object, "metadata", "name")}`, object] as const),
		);
}

test("edge/crds is what the schema says", () => {
	const rendered = renderDefinitions();
	expect(
		readdirSync(join(TOP, "edge/crds"))
			.filter((name) => name !== "kustomization.yaml")
			.sort(),
	).toEqual([...rendered.keys()].sort());
	for (const [name, text] of rendered) expect(readFileSync(join(TOP, "edge/crds", name), "utf8")).toBe(text);
	expect([...SCHEMAS.keys()].sort()).toEqual([...KINDS].sort());
});

interface SchemaNode {
	readonly path: string;
	readonly schema: Fields;
	/** Inside of anyOf. */
	readonly isAlternative: boolean;
}

function* nodesOf(node: SchemaNode): Generator<SchemaNode, undefined> {
	yield node;
	const { path, schema, isAlternative } = node;
	for (const [key, inner] of Object.entries(fieldsOf(schema["properties"])))
		yield* nodesOf({ path: `${path}.${key}`, schema: fieldsOf(inner), isAlternative });
	for (const key of ["items", "additionalProperties"])
		if (schema[key] !== undefined) yield* nodesOf({ path: `${path}[]`, schema: fieldsOf(schema[key]), isAlternative });
	for (const inner of listOf(schema["anyOf"]))
		yield* nodesOf({ path: `${path}?`, schema: fieldsOf(inner), isAlternative: true });
}

function whatIsWrong({ path, schema, isAlternative }: SchemaNode): readonly string[] {
	const structural = isAlternative
		? ["type", "default", "description"].filter((key) => schema[key] !== undefined)
		: ["type"].filter((key) => schema[key] === undefined);
	if (!path.startsWith(".spec") || isAlternative) return structural;
	const bounds: readonly (readonly [boolean, string])[] = [
		[schema["type"] === "string", "maxLength"],
		[schema["type"] === "array", "maxItems"],
		[schema["additionalProperties"] !== undefined, "maxProperties"],
	];
	return [...structural, ...bounds.flatMap(([asks, bound]) => (asks && schema[bound] === undefined ? [bound] : []))];
}

// A server that cannot tell how long a text or a list may be takes the most that a request holds, and refuses the rules as too costly.
test.each(KINDS)("the schema of a %s is structural, and all in its spec is bounded", (kind) => {
	const nodes = [...nodesOf({ path: "", schema: fieldsOf(SCHEMAS.get(kind)), isAlternative: false })];
	expect(nodes.length).toBeGreaterThan(40);
	expect(nodes.flatMap((node) => whatIsWrong(node).map((what) => `${node.path}: ${what}`))).toEqual([]);
});

test("the pattern of ports takes what is a port, and nothing else", () => {
	const pattern = new RegExp(PORT_PATTERN);
	const differing: string[] = [];
	for (let number = 0; number <= 70_000; number++) {
		for (const text of [`${number}`, `0${number}`, `-${number}`, `${number}\n`]) {
			if (pattern.test(text) !== (parsePort(text) !== undefined)) differing.push(text);
		}
	}
	expect(differing).toEqual([]);
	expect(pattern.test("")).toBe(false);
});

const MANIFESTS = [...policiesIn("test/policies"), ...policiesIn("edge/examples")];

test("there are the manifests that users know", () => {
	expect(policiesIn("test/policies").length).toBe(10);
	expect(policiesIn("edge/examples").length).toBeGreaterThanOrEqual(4);
});

test.each(MANIFESTS)("%s is taken as it stands, with strict field validation", (_, object) => {
	const { faults, unknown, object: stored } = review(object);
	expect({ faults, unknown }).toEqual({ faults: [], unknown: [] });
	const { value, problems } = project(stored);
	expect(problems).toEqual([]);
	expect<unknown>(value).toEqual(project(object).value);
	expect(value).toBeDefined();
});

const PORT = { port: "80", protocol: "TCP" };
const SPEC: Readonly<Record<Kind, Fields>> = {
	LocalRedirectPolicy: {
		frontend: { serviceMatcher: { namespace: "demo", serviceName: "web" } },
		backend: { endpointSelector: { matchLabels: { app: "web" } }, toPorts: [PORT] },
	},
	BalancingPolicy: {
		frontend: { addressMatcher: { ip: "2001:db8::1", toPorts: [PORT] } },
		backend: { addressEndpoint: { addresses: ["192.0.2.9"], toPorts: [PORT] } },
	},
};

/** A policy with one thing changed: `path` is set to a value, or taken away. */
function changed(kind: Kind, path: string, value: unknown): unknown {
	const object: Record<string, unknown> = { kind, metadata: { name: "p" }, spec: structuredClone(SPEC[kind]) };
	const keys = path.split(".");
	let here: Record<string, unknown> = object;
	for (const key of keys.slice(0, -1)) {
		const inner = here[key];
		const next: Record<string, unknown> = isRaw(inner) ? { ...inner } : {};
		here[key] = next;
		here = next;
	}
	const last = keys.at(-1) ?? "";
	if (value === undefined) delete here[last];
	else here[last] = value;
	return object;
}

const named = (name: string, port = "80", protocol = "TCP") => ({ name, port, protocol });
const ENDPOINT = "spec.backend.serviceEndpoint";
const PAIR = "A port of the frontend has no partner: give the backend a port with the same name and protocol";
const NAMES = "Where there are several ports, each must have a name";
const many = (count: number) => Array.from({ length: count }, (_, index) => named(`p${index}`, `${index + 1}`));

describe("the API server refuses", () => {
	test.each<[Kind, string, unknown, string]>([
		["BalancingPolicy", "spec", undefined, "spec: Required value"],
		["BalancingPolicy", "spec.frontend", {}, "spec.frontend: Give either serviceMatcher or addressMatcher"],
		[
			"BalancingPolicy",
			"spec.frontend.serviceMatcher",
			{ namespace: "demo", serviceName: "web" },
			"spec.frontend: Give either serviceMatcher or addressMatcher",
		],
		["BalancingPolicy", "spec.backend", {}, "spec.backend: Give either serviceEndpoint or addressEndpoint"],
		[
			"BalancingPolicy",
			ENDPOINT,
			{ endpointSelector: { matchLabels: { a: "b" } }, toPorts: [PORT] },
			"spec.backend: Give either serviceEndpoint or addressEndpoint",
		],
		["LocalRedirectPolicy", "spec.backend.toPorts", [], "spec.backend.toPorts: Invalid value: 0: at least 1"],
		["LocalRedirectPolicy", "spec.backend.toPorts", undefined, "spec.backend.toPorts: Required value"],
		[
			"LocalRedirectPolicy",
			"spec.backend.toPorts",
			many(65),
			"spec.backend.toPorts: Too many: 65: must have at most 64 items",
		],
		["LocalRedirectPolicy", "spec.backend.toPorts", [named("a"), PORT], `spec.backend.toPorts: ${NAMES}`],
		[
			"LocalRedirectPolicy",
			"spec.backend.toPorts",
			[named("a"), named("a", "81", "UDP")],
			"spec.backend.toPorts: Two ports have the same name: give each its own",
		],
		["BalancingPolicy", "spec.frontend.addressMatcher.toPorts", [named("a")], `spec: ${PAIR}`],
		["BalancingPolicy", "spec.frontend.addressMatcher.toPorts", [{ port: "80", protocol: "UDP" }], `spec: ${PAIR}`],
		["LocalRedirectPolicy", "spec.frontend.serviceMatcher.toPorts", [named("a")], `spec: ${PAIR}`],
		[
			"LocalRedirectPolicy",
			"spec.backend.endpointSelector",
			{},
			"spec.backend.endpointSelector: An empty selector would take every Pod of the cluster: give matchLabels or matchExpressions",
		],
		[
			"LocalRedirectPolicy",
			"spec.backend.endpointSelector.matchExpressions",
			[{ key: "a", operator: "In" }],
			"spec.backend.endpointSelector.matchExpressions[0]: In and NotIn need values",
		],
		[
			"LocalRedirectPolicy",
			"spec.config.nodeLabelSelector.matchExpressions",
			[{ key: "a", operator: "Exists", values: ["b"] }],
			"spec.config.nodeLabelSelector.matchExpressions[0]: Exists and DoesNotExist take no values",
		],
		[
			"LocalRedirectPolicy",
			"spec.config.nodeLabelSelector.matchExpressions",
			[{ key: "a", operator: "Gt", values: ["1"] }],
			'spec.config.nodeLabelSelector.matchExpressions[0].operator: Unsupported value: "Gt"',
		],
		[
			"BalancingPolicy",
			"spec.frontend.addressMatcher.ip",
			"10.0.0.01",
			"spec.frontend.addressMatcher.ip: Invalid value: must validate at least one schema (anyOf)",
		],
		[
			"BalancingPolicy",
			"spec.backend.addressEndpoint.addresses",
			["192.0.2.1", "fe80::1%eth0"],
			"spec.backend.addressEndpoint.addresses[1]: Invalid value: must validate at least one schema (anyOf)",
		],
		[
			"BalancingPolicy",
			"spec.config.enableOutCluster",
			"no",
			"spec.config.enableOutCluster: Invalid value: must be of type boolean",
		],
	])("of a %s: %s = %j", (kind, path, value, expected) => {
		expect(review(changed(kind, path, value)).faults).toEqual([expected]);
	});

	test("a port that is listed twice for clients", () => {
		const toPorts = [named("a"), named("b")];
		const spec = {
			frontend: { addressMatcher: { ip: "192.0.2.1", toPorts } },
			backend: { addressEndpoint: { addresses: ["192.0.2.9"], toPorts } },
		};
		expect(review({ kind: "BalancingPolicy", metadata: { name: "p" }, spec }).faults).toEqual([
			"spec.frontend.addressMatcher.toPorts: The same port stands there twice: keep one of them",
		]);
	});

	test("another mode", () => {
		const serviceEndpoint = {
			endpointSelector: { matchLabels: { a: "b" } },
			toPorts: [PORT],
			redirectMode: "nodePort",
		};
		expect(review(changed("BalancingPolicy", "spec.backend", { serviceEndpoint })).faults).toEqual([
			'spec.backend.serviceEndpoint.redirectMode: Unsupported value: "nodePort"',
		]);
	});
});

test("the API server fills in the defaults", () => {
	const serviceEndpoint = { endpointSelector: { matchLabels: { a: "b" } }, toPorts: [PORT] };
	const { object, faults } = review(changed("BalancingPolicy", "spec.backend", { serviceEndpoint }));
	expect(faults).toEqual([]);
	expect<unknown>(at(object, "spec", "backend", "serviceEndpoint", "redirectMode")).toBe("podEndpoint");
	const config = review(changed("BalancingPolicy", "spec.config", {})).object;
	expect<unknown>(at(config, "spec", "config")).toEqual({ enableOutCluster: true });
	expect<unknown>(
		at(review(changed("BalancingPolicy", "spec.config", undefined)).object, "spec", "config"),
	).toBeUndefined();
});

test("a condition fits into the status", () => {
	const condition = {
		type: "Accepted",
		status: "False",
		reason: "FrontendConflict",
		message: "m",
		lastTransitionTime: "2026-01-02T03:04:05Z",
		observedGeneration: 2,
	};
	const object = changed("BalancingPolicy", "status", { observedGeneration: 2, conditions: [condition] });
	expect(review(object)).toEqual({ faults: [], unknown: [], object });
});

/** Mostly what is right: of many parts, each now and then wrong, few policies would be taken. */
function mostly<T, U>(good: fc.Arbitrary<T>, any: fc.Arbitrary<U>): fc.Arbitrary<T | U> {
	return fc.oneof({ weight: 12, arbitrary: good }, { weight: 1, arbitrary: any });
}

/** Few names and numbers, so that they meet. */
const anyPort = fc.record(
	{
		name: fc.constantFrom("a", "b", "A", "a_b", "1"),
		port: fc.constantFrom("80", "81", "65535", "0", "65536", "080", "http"),
		protocol: fc.constantFrom("TCP", "UDP", "SCTP"),
	},
	{ requiredKeys: ["port", "protocol"] },
);
const goodPorts = fc.oneof(
	fc.constant([PORT]),
	fc.constantFrom([named("a", "80"), named("b", "81")], [named("b", "82"), named("a", "65535"), named("c", "1")]),
	fc.constantFrom([named("a", "80", "UDP")], [named("a", "80"), named("b", "80", "UDP")], [named("a"), named("b")]),
);
const ports = mostly(goodPorts, fc.array(anyPort, { maxLength: 3 }));
const expression = fc.record(
	{
		key: fc.constantFrom("a", "example.com/a", "a b", "/a"),
		operator: fc.constantFrom("In", "NotIn", "Exists", "DoesNotExist", "Lt"),
		values: fc.array(fc.constantFrom("x", "", "x y"), { maxLength: 2 }),
	},
	{ requiredKeys: ["key", "operator"] },
);
const selector = mostly(
	fc.constantFrom(
		{ matchLabels: { app: "web" } },
		{ matchExpressions: [{ key: "a.b/c", operator: "NotIn", values: [""] }] },
	),
	fc.record(
		{
			matchLabels: fc.dictionary(fc.constantFrom("a", "b"), fc.constantFrom("x", "", "x y"), { maxKeys: 2 }),
			matchExpressions: fc.array(expression, { maxLength: 2 }),
		},
		{ requiredKeys: [] },
	),
);
const ip = mostly(
	fc.constantFrom("192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "2001:DB8:0:0:0:0:0:1"),
	fc.constantFrom("192.0.2.256", "192.0.2.01", "2001:db8::g", "localhost", "fe80::1%eth0", " 192.0.2.1", ""),
);
const label = mostly(fc.constantFrom("demo", "a-1", "1"), fc.constantFrom("Demo", "", "a.b", "-a", "a".repeat(64)));
const serviceMatcher = fc.record(
	{ namespace: label, serviceName: label, toPorts: ports },
	{ requiredKeys: ["namespace", "serviceName"] },
);
const addressMatcher = fc.record({ ip, toPorts: ports });
const frontend = mostly(
	fc.oneof(fc.record({ serviceMatcher }), fc.record({ addressMatcher })),
	fc.record({ serviceMatcher, addressMatcher }, { requiredKeys: [] }),
);
const config = fc.record({ nodeLabelSelector: selector, enableOutCluster: fc.boolean() }, { requiredKeys: [] });
const mode = mostly(fc.constantFrom("podEndpoint", "hostPort", "nodeProxy"), fc.constantFrom("other", ""));
const serviceEndpoint = fc.record(
	{ endpointSelector: selector, toPorts: ports, redirectMode: mode },
	{ requiredKeys: ["endpointSelector", "toPorts"] },
);
const addressEndpoint = fc.record({ addresses: fc.array(ip, { minLength: 1, maxLength: 1 }), toPorts: ports });
const BACKENDS: Readonly<Record<Kind, fc.Arbitrary<unknown>>> = {
	LocalRedirectPolicy: mostly(
		fc.record({ endpointSelector: selector, toPorts: ports }),
		fc.record({ endpointSelector: selector, toPorts: ports }, { requiredKeys: [] }),
	),
	BalancingPolicy: mostly(
		fc.oneof(fc.record({ serviceEndpoint }), fc.record({ addressEndpoint })),
		fc.record({ serviceEndpoint, addressEndpoint }, { requiredKeys: [] }),
	),
};

/** The planner's affair: the CRD asks for it where both sides are listed. */
function isPaired(policy: Policy): boolean {
	const to: readonly PolicyPort[] = policy.kind === "LocalRedirectPolicy" ? policy.ports : policy.backend.ports;
	return policy.frontend.ports.every(({ name, protocol }) =>
		to.some((port) => port.name === name && port.protocol === protocol),
	);
}

test.each(KINDS)("of a %s the CRD takes what the agent takes without a Problem, and nothing else", (kind) => {
	const seen = { taken: 0, refused: 0 };
	checkProperty(
		`a ${kind} in CRD and agent`,
		fc.property(
			fc.record({ config, frontend, backend: BACKENDS[kind] }, { requiredKeys: ["frontend", "backend"] }),
			(spec) => {
				const object = { kind, metadata: { name: "p" }, spec };
				const { faults, object: stored } = review(object);
				const { value, problems } = project(stored);
				const isTaken = value !== undefined && problems.length === 0 && isPaired(value);
				if ((faults.length === 0) !== isTaken)
					throw new Error(`CRD ${JSON.stringify(faults)}, agent ${JSON.stringify(problems)}`);
				if (isTaken) seen.taken++;
				else seen.refused++;
			},
		),
		20_000,
	);
	console.log(`${kind}: ${JSON.stringify(seen)}`);
	expect(seen.taken).toBeGreaterThan(1000);
	expect(seen.refused).toBeGreaterThan(1000);
});

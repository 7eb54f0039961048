// Policies of files in a snapshot, the Pods that come with them, and what stays identical.

import { describe, expect, test } from "bun:test";
import type { Cluster } from "../../model/cluster.ts";
import { labelIn } from "../../model/labels.ts";
import { createAssembler } from "./assemble.ts";
import { type Manifest, readManifest } from "./manifest_file.ts";

const NODE = "node-a";

function read(file: string, ...documents: readonly string[]): Manifest {
	const steps = readManifest(file, documents.join("---\n"), NODE);
	for (let step = steps.next(); ; step = steps.next()) if (step.done) return step.value;
}

function assemble(...manifests: readonly Manifest[]): Cluster {
	return createAssembler(NODE).assemble(manifests, []);
}

const pod = (name: string, labels: string, node = "node-b") =>
	`apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}, labels: {${labels}}}\nspec: {nodeName: ${node}}\nstatus: {podIP: 10.1.0.1}\n`;
const balancing = (name: string, selector: string, port = 80) =>
	`apiVersion: balancing.elf.io/v1beta1\nkind: BalancingPolicy\nmetadata: {name: ${name}}
spec:
  frontend: {addressMatcher: {ip: 192.0.2.1, toPorts: [{port: "${port}", protocol: TCP}]}}
  backend:
    serviceEndpoint:
      endpointSelector: {${selector}}
      toPorts: [{port: "8080", protocol: TCP}]\n`;
const redirect = (name: string, selector: string) =>
	`apiVersion: balancing.elf.io/v1beta1\nkind: LocalRedirectPolicy\nmetadata: {name: ${name}}
spec:
  frontend: {serviceMatcher: {namespace: demo, serviceName: web}}
  backend: {endpointSelector: {${selector}}, toPorts: [{port: "8080", protocol: TCP}]}\n`;
const addresses = (name: string) =>
	`apiVersion: balancing.elf.io/v1beta1\nkind: BalancingPolicy\nmetadata: {name: ${name}}
spec:
  frontend: {addressMatcher: {ip: 192.0.2.2, toPorts: [{port: "80", protocol: TCP}]}}
  backend: {addressEndpoint: {addresses: [192.0.2.9], toPorts: [{port: "80", protocol: TCP}]}}\n`;

describe("the manifests hub", () => {
	test("shows policies by kind and name", () => {
		const cluster = assemble(
			read("a.yaml", balancing("same", "matchLabels: {app: a}"), redirect("same", "matchLabels: {app: a}")),
			read("b.yaml", addresses("db")),
		);
		expect(cluster.problems).toEqual([]);
		expect<unknown>([...cluster.policies.keys()].sort()).toEqual([
			"BalancingPolicy db",
			"BalancingPolicy same",
			"LocalRedirectPolicy same",
		]);
		expect(cluster.policies.get("BalancingPolicy db")).toMatchObject({ backend: { kind: "addresses" } });
	});

	test.each<[string, string, readonly string[]]>([
		["a label", "matchLabels: {app: a}", ["a", "a-x", "own"]],
		["two labels", "matchLabels: {app: a, tier: x}", ["a-x", "own"]],
		["one of several values", "matchExpressions: [{key: app, operator: In, values: [a, b]}]", ["a", "a-x", "b", "own"]],
		["a label that is there", "matchExpressions: [{key: tier, operator: Exists}]", ["a-x", "own"]],
		["a label that is not", "matchExpressions: [{key: app, operator: DoesNotExist}]", ["bare", "own"]],
		["another value", "matchExpressions: [{key: app, operator: NotIn, values: [a]}]", ["b", "bare", "own"]],
		[
			"a label and another's absence",
			"matchLabels: {app: a}, matchExpressions: [{key: tier, operator: DoesNotExist}]",
			["a", "own"],
		],
		["nothing", "matchLabels: {app: none}", ["own"]],
	])("shows the Pods of its node and those that a policy selects: %s", (_, selector, expected) => {
		const pods = [
			pod("a", "app: a"),
			pod("a-x", "app: a, tier: x"),
			pod("b", "app: b"),
			pod("bare", ""),
			pod("own", "app: b, tier: y", NODE).replace("tier: y", "own: y"),
		];
		for (const policy of [balancing("p", selector), redirect("p", selector)]) {
			const { pods: shown, problems } = assemble(read("a.yaml", ...pods, policy));
			expect(problems).toEqual([]);
			expect([...shown.keys()].sort()).toEqual(expected.map((name) => `default/${name}`));
		}
	});

	test("shows no Pod without a policy and a node of its own", () => {
		const pods = read("a.yaml", pod("a", "app: a"), pod("lost", "app: a", '""'));
		expect([...assemble(pods).pods.keys()]).toEqual([]);
		expect([...createAssembler().assemble([pods], []).pods.keys()]).toEqual([]);
	});

	test("has the labels of its own node alone", () => {
		const node = (name: string) =>
			`apiVersion: v1\nkind: Node\nmetadata: {name: ${name}, labels: {dns-cache: "on"}}\nstatus: {addresses: [{type: InternalIP, address: 10.0.0.1}]}\n`;
		const { nodes } = assemble(read("a.yaml", node(NODE), node("node-b")));
		const labels = nodes.get(NODE)?.labels;
		expect(labels && labelIn(labels, "dns-cache")).toBe("on");
		expect(nodes.get("node-b")?.labels).toBeUndefined();
	});

	test("gives back what did not change, and notices what did", () => {
		const assembler = createAssembler(NODE);
		const files = (port: number, label: string) => [
			read("a.yaml", balancing("p", "matchLabels: {app: a}", port), redirect("r", "matchLabels: {app: b}")),
			read("b.yaml", pod("a", "app: a"), pod("b", `app: ${label}`), pod("c", "app: c")),
		];
		const first = assembler.assemble(files(80, "b"), []);
		expect([...first.pods.keys()]).toEqual(["default/a", "default/b"]);
		expect(assembler.assemble(files(80, "b"), [])).toBe(first);
		const second = assembler.assemble(files(81, "b"), []);
		expect(second).not.toBe(first);
		expect(second.pods).toBe(first.pods);
		expect(second.policies).not.toBe(first.policies);
		expect(second.policies.get("LocalRedirectPolicy r")).toBe(first.policies.get("LocalRedirectPolicy r") as never);
		const third = assembler.assemble(files(81, "z"), []);
		expect(third.policies).toBe(second.policies);
		expect([...third.pods.keys()]).toEqual(["default/a"]);
		expect(third.pods.get("default/a")).toBe(first.pods.get("default/a") as never);
	});

	test.each<[string, string, string, string]>([
		[
			"another version",
			"balancing.elf.io/v1beta1",
			"balancing.elf.io/v1",
			'"balancing.elf.io/v1" has no BalancingPolicy that is read: use balancing.elf.io/v1beta1',
		],
		[
			"another group",
			"balancing.elf.io/v1beta1",
			"balancing.efl.io/v1beta1",
			'"balancing.efl.io/v1beta1" has no BalancingPolicy that is read: use balancing.elf.io/v1beta1',
		],
		[
			"a kind in lower case",
			"BalancingPolicy",
			"balancingpolicy",
			'"balancingpolicy" is not a kind: write BalancingPolicy',
		],
	])("tells of %s", (_, from, to, message) => {
		const { policies, problems } = assemble(read("a.yaml", addresses("db").replace(from, to)));
		expect(policies.size).toBe(0);
		expect(problems.map((problem) => problem.message)).toEqual([message]);
	});

	test("names the line of a mistake, and keeps the neighbours", () => {
		const broken = addresses("db").replace("192.0.2.9", "192.0.2.300");
		const { policies, problems } = assemble(read("a.yaml", redirect("r", "matchLabels: {app: b}"), broken));
		expect([...policies.keys()]).toEqual(["LocalRedirectPolicy r"]);
		expect(problems).toMatchObject([
			{ object: "BalancingPolicy db", source: "a.yaml:13", field: "spec.backend.addressEndpoint.addresses[0]" },
		]);
	});
});

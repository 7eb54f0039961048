// Files to a snapshot: winners, slices by Service, and what stays identical.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Cluster, Service } from "../../model/cluster.ts";
import { endpointsIn, NO_ENDPOINTS } from "../../model/endpoint_list.ts";
import type { Pod } from "../../model/pod.ts";
import type { Selection } from "../../model/selection.ts";
import { createAssembler } from "./assemble.ts";
import { type Manifest, readManifest } from "./manifest_file.ts";
import { deriveSlices, MAX_SELECTED_ENDPOINTS } from "./selected_slices.ts";

setDefaultTimeout(60_000);

function read(file: string, ...documents: readonly string[]): Manifest {
	const steps = readManifest(file, documents.join("---\n"));
	for (let step = steps.next(); ; step = steps.next()) if (step.done) return step.value;
}

function assemble(...manifests: readonly Manifest[]): Cluster {
	return createAssembler().assemble(manifests, []);
}

const service = (name: string, more = "", ip = "10.0.0.1") =>
	`apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec:\n  clusterIP: ${ip}\n  ports: [{port: 80}]\n${more}`;
const slice = (name: string, of: string, ip = "10.1.0.1") =>
	`apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: ${name}, labels: {kubernetes.io/service-name: ${of}}}\naddressType: IPv4\nendpoints: [{addresses: [${ip}]}]\nports: [{port: 80}]\n`;
const pod = (name: string, ip: string, app = "web") =>
	`apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}, labels: {app: ${app}}}\nstatus: {podIP: "${ip}"}\n`;
const SELECTOR = "  selector: {app: web}\n";

const sliceKeys = (cluster: Cluster, key: string) => cluster.slices.get(key)?.map((each) => each.key);

describe("assemble()", () => {
	test("puts slices to their Services, sorted by key", () => {
		const cluster = assemble(
			read("a.yaml", slice("z", "web"), slice("b", "web"), service("web")),
			read("b.yaml", slice("c", "web"), slice("a", "none")),
		);
		expect([...cluster.services.keys()]).toEqual(["default/web"]);
		expect(sliceKeys(cluster, "default/web")).toEqual(["default/b", "default/c", "default/z"]);
		// Its Service may come later, or from another hub.
		expect(sliceKeys(cluster, "default/none")).toEqual(["default/a"]);
		expect(cluster.problems).toEqual([]);
	});

	test("uses the first of two declarations of one object", () => {
		const cluster = assemble(
			read("a.yaml", service("web", "", "10.0.0.1")),
			read("b.yaml", slice("s", "web"), service("web", "", "10.0.0.2")),
		);
		expect<unknown>(cluster.services.get("default/web")?.clusterIps).toEqual(["10.0.0.1"]);
		expect(cluster.problems).toEqual([
			{
				object: "Service default/web",
				source: "b.yaml:8",
				reason: "Duplicate",
				message: "Declared before at a.yaml:1, which is used: remove one of them",
			},
		]);
	});

	test("does not mix up kinds and namespaces", () => {
		const other = service("web").replace("{name: web}", "{name: web, namespace: other}");
		const cluster = assemble(read("a.yaml", service("web"), other, slice("web", "web"), pod("web", "10.1.0.9")));
		expect(cluster.problems).toEqual([]);
		expect([...cluster.services.keys()]).toEqual(["default/web", "other/web"]);
	});

	test("makes slices from Pods for a Service with a selector", () => {
		const cluster = assemble(
			read("a.yaml", pod("b", "10.1.0.2"), pod("a", "10.1.0.1"), pod("c", "10.1.0.3", "other")),
			read("b.yaml", service("web", SELECTOR)),
		);
		const [only] = cluster.slices.get("default/web") ?? [];
		expect<unknown>(endpointsIn(only?.endpoints ?? NO_ENDPOINTS).map(({ ip }) => ip)).toEqual(["10.1.0.1", "10.1.0.2"]);
	});

	test("does not when somebody wrote slices", () => {
		const cluster = assemble(read("a.yaml", pod("a", "10.1.0.1"), service("web", SELECTOR), slice("written", "web")));
		expect(sliceKeys(cluster, "default/web")).toEqual(["default/written"]);
	});

	test("does not without a selector, and has no entry without Pods", () => {
		const cluster = assemble(read("a.yaml", pod("a", "10.1.0.1", "x"), service("web", SELECTOR), service("plain")));
		expect(cluster.slices.size).toBe(0);
		expect(cluster.problems).toEqual([]);
	});

	test("reports a Pod without an address once, with its line, and only if it is selected", () => {
		const cluster = assemble(
			read("a.yaml", pod("a", ""), pod("b", "", "x"), service("web", SELECTOR), service("web2", SELECTOR)),
		);
		expect(cluster.problems.map(({ object, source }) => [object, source])).toEqual([["Pod default/a", "a.yaml:1"]]);
	});

	test("lists a hub's problems before those of files", () => {
		const hub = { object: "dir", reason: "Unreadable", message: "Gone" } as const;
		const cluster = createAssembler().assemble([read("a.yaml", "kind: [\n")], [hub]);
		expect(cluster.problems.map(({ object }) => object)).toEqual(["dir", "a.yaml"]);
	});
});

describe("what did not change is identical", () => {
	const base = (): Manifest[] => [
		read("a.yaml", service("web"), slice("s1", "web"), slice("s2", "web")),
		read("b.yaml", service("sel", SELECTOR, "10.0.0.2"), pod("a", "10.1.0.1"), pod("b", "10.1.0.2")),
	];

	test("the snapshot, if every file says the same again", () => {
		const assembler = createAssembler();
		const first = assembler.assemble(base(), []);
		expect(assembler.assemble(base(), [])).toBe(first);
		// Moved by a line: the snapshot has no lines but in problems.
		expect(
			assembler.assemble(
				[
					read("a.yaml", `# one more line\n${service("web")}`, slice("s1", "web"), slice("s2", "web")),
					...base().slice(1),
				],
				[],
			),
		).toBe(first);
		expect(assembler.assemble([...base()].reverse(), []).services.get("default/web")).toBe(
			first.services.get("default/web"),
		);
	});

	test("everything else, if one slice changes", () => {
		const assembler = createAssembler();
		const first = assembler.assemble(base(), []);
		const [, b] = base();
		const second = assembler.assemble(
			[read("a.yaml", service("web"), slice("s1", "web"), slice("s2", "web", "10.1.0.7")), ...(b ? [b] : [])],
			[],
		);
		expect(second).not.toBe(first);
		for (const key of ["default/web", "default/sel"]) expect(second.services.get(key)).toBe(first.services.get(key));
		expect(second.slices.get("default/sel")).toBe(first.slices.get("default/sel"));
		expect(second.slices.get("default/web")).not.toBe(first.slices.get("default/web"));
		expect(second.slices.get("default/web")?.[0]).toBe(first.slices.get("default/web")?.[0]);
		expect(second.slices.get("default/web")?.[1]).not.toBe(first.slices.get("default/web")?.[1]);
	});

	test("a Service, if only its selector changes; its slices, if it still selects the same", () => {
		const assembler = createAssembler();
		const [a, b] = base();
		if (a === undefined || b === undefined) throw new Error("no files");
		const pods = [pod("a", "10.1.0.1"), pod("b", "10.1.0.2")].map((text) =>
			text.replace("{app: web}", "{app: web, tier: x}"),
		);
		const first = assembler.assemble([a, read("b.yaml", service("sel", SELECTOR, "10.0.0.2"), ...pods)], []);
		const second = assembler.assemble(
			[a, read("b.yaml", service("sel", "  selector: {tier: x}\n", "10.0.0.2"), ...pods)],
			[],
		);
		expect(second).toBe(first);
		const third = assembler.assemble(
			[a, read("b.yaml", service("sel", "  selector: {tier: y}\n", "10.0.0.2"), ...pods)],
			[],
		);
		expect(third.services.get("default/sel")).toBe(first.services.get("default/sel"));
		expect(third.slices.has("default/sel")).toBe(false);
	});

	test("slices from Pods, if a Pod changes in what slices do not show", () => {
		const assembler = createAssembler();
		const first = assembler.assemble(base(), []);
		const [a] = base();
		const labelled = pod("a", "10.1.0.1").replace("{app: web}", "{app: web, more: x}");
		const second = assembler.assemble(
			[...(a ? [a] : []), read("b.yaml", service("sel", SELECTOR, "10.0.0.2"), labelled, pod("b", "10.1.0.2"))],
			[],
		);
		expect(second).toBe(first);
		const moved = pod("a", "10.1.0.9");
		const third = assembler.assemble(
			[...(a ? [a] : []), read("b.yaml", service("sel", SELECTOR, "10.0.0.2"), moved, pod("b", "10.1.0.2"))],
			[],
		);
		expect(third.slices.get("default/sel")).not.toBe(first.slices.get("default/sel"));
		expect(third.slices.get("default/web")).toBe(first.slices.get("default/web"));
	});

	test("is another snapshot if only problems change", () => {
		const assembler = createAssembler();
		const first = assembler.assemble(base(), []);
		const second = assembler.assemble([...base(), read("c.yaml", "kind: [\n")], []);
		expect(second).not.toBe(first);
		expect(second.problems).toHaveLength(1);
		expect(second.services.get("default/web")).toBe(first.services.get("default/web"));
	});
});

test("deriveSlices() gives back what it made from the same Service, selection and Pods", () => {
	const { entries } = read(
		"a.yaml",
		service("web", SELECTOR),
		service("other", "  selector: {app: x}\n"),
		pod("a", "10.1.0.1"),
		pod("b", "10.1.0.2", "x"),
	);
	const services = new Map<string, Service>();
	const selections = new Map<string, Selection>();
	const pods: Pod[] = [];
	for (const { declared } of entries) {
		if (declared.kind === "Pod") pods.push(declared.pod);
		if (declared.kind !== "Service" || declared.selection === undefined) continue;
		services.set(declared.service.key, declared.service);
		selections.set(declared.service.key, declared.selection);
	}
	const sorted = { services, selections, written: new Map(), pods, nodes: new Map() };
	const first = deriveSlices(sorted, new Map());
	const [a, b] = pods;
	if (a === undefined || b === undefined) throw new Error("no Pods");
	const second = deriveSlices({ ...sorted, pods: [a, { ...b, ready: false }] }, first);
	expect(second.get("default/web")).toBe(first.get("default/web") as never);
	expect(second.get("default/other")).not.toBe(first.get("default/other") as never);
	const [other] = second.get("default/other")?.sliced.slices ?? [];
	expect(endpointsIn(other?.endpoints ?? NO_ENDPOINTS)).toMatchObject([{ ready: false }]);
});

const node = (name: string, zone: string, ip = "10.0.0.1") =>
	`apiVersion: v1\nkind: Node\nmetadata: {name: ${name}, labels: {topology.kubernetes.io/zone: ${zone}}}\nstatus: {addresses: [{type: InternalIP, address: "${ip}"}]}\n`;
const onNode = (name: string, ip: string, nodeName: string) =>
	`apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}, labels: {app: web}}\nspec: {nodeName: ${nodeName}}\nstatus: {podIP: "${ip}"}\n`;
const PREFER = "  trafficDistribution: PreferSameNode\n";

describe("assemble() with Nodes", () => {
	test("has them by name, the first of two declarations", () => {
		const cluster = assemble(
			read("a.yaml", node("n2", "b"), node("n1", "a")),
			read("b.yaml", node("n1", "c"), "kind: node\napiVersion: v1\nmetadata: {name: n3}\n"),
		);
		expect<unknown>([...cluster.nodes.values()].map(({ name, zone }) => [name, zone])).toEqual([
			["n2", "b"],
			["n1", "a"],
		]);
		expect(cluster.problems).toMatchObject([
			{ source: "b.yaml:6", message: '"node" is not a kind: write Node' },
			{ object: "Node n1", source: "b.yaml:1", reason: "Duplicate" },
		]);
	});

	test("names the line of what is wrong with one", () => {
		const { problems } = assemble(read("a.yaml", node("n1", "a", "10.0.0.300")));
		expect(problems).toMatchObject([{ object: "Node n1", source: "a.yaml:4", field: "status.addresses[0].address" }]);
	});

	test("gives back what did not change, and notices what did", () => {
		const assembler = createAssembler();
		const files = (zone: string) => [
			read("a.yaml", node("n1", zone), node("n2", "b")),
			read("b.yaml", service("web", `${SELECTOR}${PREFER}`), onNode("p1", "10.1.0.1", "n1")),
			read("c.yaml", service("plain", SELECTOR, "10.0.0.2")),
		];
		const first = assembler.assemble(files("a"), []);
		expect(assembler.assemble(files("a"), [])).toBe(first);
		const second = assembler.assemble(files("z"), []);
		expect(second.nodes.get("n2")).toBe(first.nodes.get("n2") as never);
		expect(second.slices.get("default/plain")).toBe(first.slices.get("default/plain") as never);
		const hints = ({ slices }: Cluster) =>
			endpointsIn(slices.get("default/web")?.[0]?.endpoints ?? NO_ENDPOINTS)[0]?.hints;
		expect(hints(first)).toEqual({ nodes: ["n1"], zones: ["a"] });
		expect(hints(second)).toEqual({ nodes: ["n1"], zones: ["z"] });
		const third = assembler.assemble([...files("z"), read("d.yaml", service("more", "", "10.0.0.3"))], []);
		expect(third.nodes).toBe(second.nodes as never);
	});
});

test("deriveSlices() bounds what selectors may select in all", () => {
	const count = 1500;
	const text = Array.from({ length: count }, (_, index) => pod(`p${index}`, `10.1.${index >> 8}.${index & 255}`));
	const services = Array.from({ length: count }, (_, index) => service(`s${index}`, SELECTOR));
	const cluster = assemble(read("a.yaml", ...text), read("b.yaml", ...services));
	const total = [...cluster.slices.values()].reduce(
		(sum, slices) => sum + slices.reduce((more, each) => more + endpointsIn(each.endpoints).length, 0),
		0,
	);
	expect(total).toBe(Math.floor(MAX_SELECTED_ENDPOINTS / count) * count);
	expect(cluster.problems[0]).toMatchObject({
		object: "Service default/s666",
		field: "spec.selector",
		reason: "TooLarge",
	});
	expect(cluster.problems).toHaveLength(count - 666);
	const nothing = { services: new Map(), selections: new Map(), written: new Map(), pods: [], nodes: new Map() };
	expect(deriveSlices(nothing, new Map()).size).toBe(0);
});

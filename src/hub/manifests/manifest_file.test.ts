// What a file declares: kinds, Lists, lines, and neighbours of mistakes.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { MAX_PROBLEMS_PER_FILE, type Manifest, readManifest } from "./manifest_file.ts";

setDefaultTimeout(60_000);

function read(text: string): Manifest {
	const steps = readManifest("dir/web.yaml", text);
	for (let step = steps.next(); ; step = steps.next()) if (step.done) return step.value;
}

const SERVICE = (name: string) =>
	`apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec:\n  clusterIP: 10.0.0.1\n  ports:\n    - port: 80\n`;
const POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n";
const SLICE =
	"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s, labels: {kubernetes.io/service-name: a}}\naddressType: IPv4\n";

const ids = ({ entries }: Manifest) => entries.map(({ id }) => id);
const complaints = ({ problems }: Manifest) =>
	problems.map(
		({ object, source, field, reason, message }) => `${reason} ${object} ${source} ${field ?? ""}: ${message}`,
	);

describe("readManifest()", () => {
	test("reads the kinds it knows and ignores the others", () => {
		const ignored = [
			"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n",
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n",
			"apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: k}\n",
			"apiVersion: apps/v1\nkind: DeploymentList\nitems: [1, 2]\n",
			"apiVersion: example.com/v1\nkind: PodList\nitems: 5\n",
			"apiVersion: v1\nkind: ConfigMapList\nitems: [1, 2]\n",
			"null\n",
		];
		const manifest = read([SERVICE("a"), POD, SLICE, ...ignored].join("---\n"));
		expect(manifest.problems).toEqual([]);
		expect(manifest.broken).toBe(false);
		expect(manifest.entries.map(({ id, source }) => [id, source])).toEqual([
			["Service default/a", "dir/web.yaml:1"],
			["Pod default/p", "dir/web.yaml:9"],
			["EndpointSlice default/s", "dir/web.yaml:13"],
		]);
		expect(manifest.entries.map(({ declared }) => declared.kind)).toEqual(["Service", "Pod", "EndpointSlice"]);
	});

	test("reads a Service's selector with it", () => {
		const [entry] = read(`${SERVICE("a")}  selector: {app: web}\n`).entries;
		if (entry?.declared.kind !== "Service") throw new Error("no Service");
		expect(entry.declared.selection?.labels).toEqual(new Map([["app", "web"]]));
	});

	const item = (text: string) => `- ${text.trimEnd().replaceAll("\n", "\n  ")}\n`;
	test.each<[string, string, string[]]>([
		[
			"a List in block style",
			`apiVersion: v1\nitems:\n${item(SERVICE("a"))}${item(POD)}kind: List\n`,
			["Service default/a", "Pod default/p"],
		],
		[
			"a List in JSON",
			'{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"}}]}',
			["Pod default/p"],
		],
		[
			"a typed List, whose items have no kind",
			'{"apiVersion":"v1","kind":"PodList","items":[{"metadata":{"name":"p"}},{"metadata":{"name":"q"}}]}',
			["Pod default/p", "Pod default/q"],
		],
		[
			"a typed List in block style",
			"apiVersion: discovery.k8s.io/v1\nkind: EndpointSliceList\nitems:\n- metadata: {name: s, labels: {kubernetes.io/service-name: a}}\n  addressType: IPv4\n",
			["EndpointSlice default/s"],
		],
		[
			"Lists in Lists",
			`{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"PodList","items":[{"metadata":{"name":"p"}}]}]}`,
			["Pod default/p"],
		],
		[
			"anchors from item to item",
			"apiVersion: v1\nkind: List\nitems:\n- &p\n  apiVersion: v1\n  kind: Pod\n  metadata: {name: p}\n- <<: *p\n  metadata: {name: q}\n",
			["Pod default/p", "Pod default/q"],
		],
		["no items", "apiVersion: v1\nkind: List\nitems:\n", []],
	])("reads %s", (_, text, expected) => {
		const manifest = read(text);
		expect(manifest.problems).toEqual([]);
		expect(ids(manifest)).toEqual(expected);
	});

	test.each<[string, string, string, boolean]>([
		[
			"Endpoints",
			"apiVersion: v1\nkind: Endpoints\nmetadata: {name: e}\n",
			"Unsupported Endpoints default/e dir/web.yaml:11 kind: Endpoints are not read: write an EndpointSlice (discovery.k8s.io/v1) instead",
			false,
		],
		[
			"an old EndpointSlice",
			"apiVersion: discovery.k8s.io/v1beta1\nkind: EndpointSlice\nmetadata: {name: e}\n",
			'Unsupported EndpointSlice default/e dir/web.yaml:10 apiVersion: "discovery.k8s.io/v1beta1" has no EndpointSlice that is read: use discovery.k8s.io/v1',
			false,
		],
		[
			"a Service of another version",
			"apiVersion: v2\nkind: Service\nmetadata: {name: e}\n",
			'Unsupported Service default/e dir/web.yaml:10 apiVersion: "v2" has no Service that is read: use v1',
			false,
		],
		[
			"a kind in lower case",
			"apiVersion: v1\nkind: service\n",
			'InvalidObject dir/web.yaml dir/web.yaml:11 kind: "service" is not a kind: write Service',
			true,
		],
		[
			"no kind",
			"apiVersion: v1\nmetadata: {name: e}\n",
			"InvalidObject dir/web.yaml dir/web.yaml:10 kind: Missing: give the object's kind",
			true,
		],
		[
			"a kind of another type",
			"apiVersion: v1\nkind: [Service]\n",
			"InvalidObject dir/web.yaml dir/web.yaml:11 kind: a list is not a name: give the object's kind",
			true,
		],
		[
			"no apiVersion",
			"kind: Pod\nmetadata: {name: p, namespace: x}\n",
			"InvalidObject Pod x/p dir/web.yaml:10 apiVersion: Missing: give v1",
			false,
		],
		[
			"no object",
			"- 1\n- 2\n",
			"InvalidObject dir/web.yaml dir/web.yaml:10 kind: a list is not an object: give apiVersion, kind and metadata",
			true,
		],
		[
			"a List of something",
			"apiVersion: v1\nkind: List\nitems: {a: 1}\n",
			"InvalidObject dir/web.yaml dir/web.yaml:12 items: an object is not a list: give a list of objects",
			true,
		],
		[
			"YAML",
			"kind: [\n",
			"InvalidYaml dir/web.yaml dir/web.yaml:10 : Not YAML (Flow sequence in block collection must be sufficiently indented and end with a ]): correct it",
			true,
		],
		[
			"a field",
			"apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\nstatus:\n  podIPs:\n    - ip: 10.0.0.300\n",
			'InvalidObject Pod default/p dir/web.yaml:16 status.podIPs[0].ip: "10.0.0.300" is not an IP address: write it like 10.0.0.1 (no leading zeros) or fd00::1 (no zone); the address is left out',
			false,
		],
	])("reports a mistake with its line and goes on: %s", (_, text, expected, broken) => {
		const manifest = read(`${SERVICE("before")}\n---\n${text}---\n${SERVICE("after")}`);
		expect(complaints(manifest)).toEqual([expected]);
		expect(ids(manifest).filter((id) => id.startsWith("Service"))).toEqual([
			"Service default/before",
			"Service default/after",
		]);
		expect(manifest.broken).toBe(broken);
	});

	test("reports a mistake in an item of a List with its line and goes on", () => {
		const manifest = read(
			`apiVersion: v1\nkind: List\nitems:\n${item(POD)}- kind: [\n- apiVersion: v1\n  kind: Service\n  metadata:\n    name: a\n  spec:\n    clusterIP: 10.0.0.1\n    ports:\n    - port: "80"\n    - {name: b, port: 81}\n`,
		);
		expect(complaints(manifest).map((text) => text.slice(0, 72))).toEqual([
			"InvalidYaml dir/web.yaml dir/web.yaml:7 : Not YAML (Flow sequence in blo",
			'InvalidObject Service default/a dir/web.yaml:15 spec.ports[0].port: "80"',
		]);
		expect(ids(manifest)).toEqual(["Pod default/p", "Service default/a"]);
	});

	test("knows which objects are there but wrong", () => {
		const manifest = read(`${POD}---\napiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: x}\nspec: {}\n`);
		expect([...manifest.rejected]).toEqual(["Service x/a"]);
		expect(manifest.broken).toBe(false);
	});

	test("ends with Lists in Lists in Lists", () => {
		let list: unknown = { apiVersion: "v1", kind: "Pod", metadata: { name: "deep" } };
		for (let depth = 0; depth < 50; depth++)
			list = {
				apiVersion: "v1",
				kind: "List",
				items: [list, { apiVersion: "v1", kind: "Pod", metadata: { name: `p${depth}` } }],
			};
		expect(ids(read(JSON.stringify(list)))).toEqual(["p46", "p47", "p48", "p49"].map((name) => `Pod default/${name}`));
	});

	test("counts Problems past a number instead of listing them", () => {
		const { problems, broken } = read("kind: [\n---\n".repeat(1000));
		expect(problems).toHaveLength(MAX_PROBLEMS_PER_FILE + 1);
		expect(problems.at(-1)?.message).toBe("900 more problems in this file: correct these first");
		expect(broken).toBe(true);
	});

	test("lets others run between documents", () => {
		const steps = readManifest("a.yaml", [POD, POD, POD].join("---\n"));
		let yields = 0;
		while (!steps.next().done) yields++;
		expect(yields).toBe(3);
	});

	test("keeps no piece of the text alive", () => {
		// A piece of a string keeps the whole string: the heap would grow by all of the files.
		const padding = `# ${"x".repeat(4_000_000)}\n`;
		const kept: Manifest[] = [];
		Bun.gc(true);
		const before = process.memoryUsage().rss;
		for (let file = 0; file < 60; file++) {
			const long = `long-enough-not-to-be-copied-anyway-${file}`;
			const labels = `{name: ${long}, labels: {${long}: ${long}}}`;
			kept.push(
				read(`${padding}---\n${SERVICE(long)}  selector: {${long}: ${long}}\n---\n${POD.replace("{name: p}", labels)}`),
			);
			Bun.gc(true);
		}
		expect(process.memoryUsage().rss - before).toBeLessThan(120_000_000);
		expect(kept).toHaveLength(60);
	});
});

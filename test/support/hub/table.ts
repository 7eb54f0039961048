// The tables of kubectl get: columns and cells as the API server prints them.

import type { Kind } from "./kind.ts";
import { at, type Fields, fieldsOf, type KubeObject, listOf, textOf } from "./object.ts";

interface Column {
	readonly name: string;
	readonly type: string;
	readonly format: string;
	readonly description: string;
	readonly priority: number;
}

type Cell = readonly [column: Column, value: (object: KubeObject) => unknown];

function column(name: string, priority = 0, type = "string"): Column {
	return { name, type, format: name === "Name" ? "name" : "", description: `${name} of the object`, priority };
}

const NONE = "<none>";
const NAME: Cell = [column("Name"), (object) => object.metadata.name];
const AGE: Cell = [column("Age"), (object) => age(object.metadata.creationTimestamp)];

function atCell(name: string, ...path: readonly string[]): Cell {
	return [column(name), (object) => at(object, ...path) ?? NONE];
}

function joined(values: readonly unknown[]): string {
	return values.length === 0 ? NONE : values.join(",");
}

const CELLS: ReadonlyMap<string, readonly Cell[]> = new Map<string, readonly Cell[]>([
	[
		"services",
		[
			NAME,
			atCell("Type", "spec", "type"),
			[column("Cluster-IP"), (service) => textOf(at(service, "spec", "clusterIP")) || NONE],
			[column("External-IP"), externalOf],
			[
				column("Port(s)"),
				(service) =>
					joined(
						listOf(at(service, "spec", "ports"))
							.map(fieldsOf)
							.map(portText),
					),
			],
			AGE,
			[column("Selector", 1), (service) => labelsText(fieldsOf(at(service, "spec", "selector")))],
		],
	],
	[
		"endpointslices.discovery.k8s.io",
		[
			NAME,
			atCell("AddressType", "addressType"),
			[
				column("Ports"),
				(slice) =>
					some(
						listOf(slice["ports"]).map((port) => at(port, "port") ?? "*"),
						"<unset>",
					),
			],
			[column("Endpoints"), (slice) => some(addressesOf(slice), "<unset>")],
			AGE,
		],
	],
	[
		"pods",
		[
			NAME,
			[
				column("Ready"),
				(pod) => `${containers(pod).filter(({ ready }) => ready === true).length}/${specified(pod).length}`,
			],
			[
				column("Status"),
				(pod) => (pod.metadata.deletionTimestamp ? "Terminating" : (at(pod, "status", "phase") ?? "Unknown")),
			],
			[
				column("Restarts", 0, "integer"),
				(pod) => containers(pod).reduce((sum, each) => sum + Number(each["restartCount"] ?? 0), 0),
			],
			AGE,
			[column("IP", 1), (pod) => at(pod, "status", "podIP") ?? NONE],
			[column("Node", 1), (pod) => at(pod, "spec", "nodeName") ?? NONE],
		],
	],
	[
		"nodes",
		[
			NAME,
			[column("Status"), readiness],
			[column("Roles"), rolesOf],
			AGE,
			[column("Version"), (node) => at(node, "status", "nodeInfo", "kubeletVersion") ?? ""],
			[column("Internal-IP", 1), (node) => addressOf(node, "InternalIP")],
			[column("External-IP", 1), (node) => addressOf(node, "ExternalIP")],
		],
	],
	["namespaces", [NAME, atCell("Status", "status", "phase"), AGE]],
	["leases.coordination.k8s.io", [NAME, atCell("Holder", "spec", "holderIdentity"), AGE]],
	["configmaps", [NAME, [column("Data", 0, "integer"), (map) => Object.keys(fieldsOf(map["data"])).length], AGE]],
	[
		"events",
		[
			[column("Last Seen"), (event) => age(textOf(event["lastTimestamp"]) ?? event.metadata.creationTimestamp)],
			[column("Type"), (event) => event["type"] ?? ""],
			[column("Reason"), (event) => event["reason"] ?? ""],
			[
				column("Object"),
				(event) =>
					`${textOf(at(event, "involvedObject", "kind"))?.toLowerCase()}/${at(event, "involvedObject", "name")}`,
			],
			[column("Message"), (event) => event["message"] ?? ""],
		],
	],
	[
		"customresourcedefinitions.apiextensions.k8s.io",
		[NAME, [column("Created At", 0, "date"), (definition) => definition.metadata.creationTimestamp]],
	],
]);

function cellsOf(kind: Kind): readonly Cell[] {
	const known = CELLS.get(kind.group === "" ? kind.resource : `${kind.resource}.${kind.group}`);
	if (known !== undefined) return known;
	return kind.columns.length === 0 ? [NAME, AGE] : [NAME, ...kind.columns.map(customCell)];
}

function customCell(definition: Fields): Cell {
	const { name, type, priority, jsonPath } = definition;
	const find = finderOf(`${jsonPath}`);
	const shown =
		type === "date" ? (object: KubeObject) => age(textOf(find(object))) : (object: KubeObject) => find(object) ?? null;
	return [column(`${name}`, Number(priority ?? 0), type === "date" ? "string" : `${type}`), shown];
}

/** A path of fields, and of an element that has some field: `.status.conditions[?(@.type=="Ready")].status`. */
function finderOf(jsonPath: string): (object: unknown) => unknown {
	const [, list, key, value, rest] = /^(.*)\[\?\(@\.(\w+)=="([^"]*)"\)\](.*)$/.exec(jsonPath) ?? [];
	const follow = (path: string) => path.split(".").filter((step) => step !== "");
	if (list === undefined || key === undefined) return (object) => at(object, ...follow(jsonPath));
	return (object) =>
		at(
			listOf(at(object, ...follow(list))).find((each) => at(each, key) === value),
			...follow(rest ?? ""),
		);
}

export function columnsOf(kind: Kind): readonly Column[] {
	return cellsOf(kind).map(([definition]) => definition);
}

export function rowOf(object: KubeObject, kind: Kind): readonly unknown[] {
	return cellsOf(kind).map(([, value]) => value(object));
}

function age(since: string | undefined): string {
	if (since === undefined) return "<unknown>";
	const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(since)) / 1000));
	if (seconds < 120) return `${seconds}s`;
	if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
	return seconds < 172_800 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`;
}

function some(values: readonly unknown[], nothing: string): string {
	if (values.length === 0) return nothing;
	const more = values.length > 3 ? ` + ${values.length - 3} more...` : "";
	return `${values.slice(0, 3).join(",")}${more}`;
}

function addressesOf(slice: KubeObject): readonly unknown[] {
	return listOf(slice["endpoints"]).flatMap((endpoint) => listOf(at(endpoint, "addresses")));
}

function portText({ port, nodePort, protocol }: Fields): string {
	return `${port}${nodePort === undefined ? "" : `:${nodePort}`}/${protocol}`;
}

function externalOf(service: KubeObject): string {
	const { type, externalName, externalIPs } = fieldsOf(service.spec);
	if (type === "ExternalName") return `${externalName}`;
	const ingress = listOf(at(service, "status", "loadBalancer", "ingress")).map(
		(each) => at(each, "ip") ?? at(each, "hostname"),
	);
	const all = [...ingress, ...listOf(externalIPs)];
	return all.length === 0 && type === "LoadBalancer" ? "<pending>" : joined(all);
}

function labelsText(labels: Fields): string {
	return joined(Object.entries(labels).map(([key, value]) => `${key}=${value}`));
}

function containers(pod: KubeObject): readonly Fields[] {
	return listOf(at(pod, "status", "containerStatuses")).map(fieldsOf);
}

function specified(pod: KubeObject): readonly unknown[] {
	return listOf(at(pod, "spec", "containers"));
}

const ROLE = "node-role.kubernetes.io/";

function rolesOf({ metadata: { labels = {} } }: KubeObject): string {
	return joined(
		Object.keys(labels)
			.filter((label) => label.startsWith(ROLE))
			.map((label) => label.slice(ROLE.length))
			.sort(),
	);
}

function addressOf(node: KubeObject, wanted: string): unknown {
	const addresses = listOf(at(node, "status", "addresses")).map(fieldsOf);
	return addresses.find(({ type }) => type === wanted)?.["address"] ?? NONE;
}

function readiness(node: KubeObject): string {
	const ready = listOf(at(node, "status", "conditions"))
		.map(fieldsOf)
		.find(({ type }) => type === "Ready");
	if (ready === undefined) return "Unknown";
	return ready["status"] === "True" ? "Ready" : "NotReady";
}

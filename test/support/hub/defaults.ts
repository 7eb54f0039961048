// What the API server fills in, and what it refuses, in the kinds that tests write.

import { idOf, type Kind } from "./kind.ts";
import { asObject, at, defined, type Fields, fieldsOf, type KubeObject, listOf, textOf, withMeta } from "./object.ts";
import { type Rules, shape, validate } from "./schema.ts";
import { type Cause, invalidValue, required } from "./status.ts";
import type { Store } from "./store.ts";

/** The object with what it leaves out; `before` is what it replaces. */
export function complete(
	object: KubeObject,
	kind: Kind,
	from: { readonly store: Store; readonly before: KubeObject | undefined },
): KubeObject {
	switch (idOf(kind)) {
		case "services":
			return completeService(object, from.before, from.store);
		case "endpointslices.discovery.k8s.io":
			return completeSlice(object);
		case "namespaces":
			return completeNamespace(object);
		case "pods":
			return { ...object, status: { phase: "Pending", qosClass: "BestEffort", ...object.status } };
		case "nodes":
			return { ...object, spec: object.spec ?? {}, status: { ...fieldsOf(kind.empty["status"]), ...object.status } };
		default:
			return completeCustom(object, kind);
	}
}

function completeCustom(object: KubeObject, { schema }: Kind): KubeObject {
	if (schema === undefined) return object;
	const { apiVersion, kind, metadata } = object;
	return asObject({ ...fieldsOf(shape(schema, object)), apiVersion, kind, metadata }) ?? object;
}

function completeNamespace(object: KubeObject): KubeObject {
	const { name, labels } = object.metadata;
	return {
		...withMeta(object, { labels: { "kubernetes.io/metadata.name": name, ...labels } }),
		spec: { finalizers: ["kubernetes"], ...object.spec },
		status: { phase: "Active", ...object.status },
	};
}

function completeSlice(object: KubeObject): KubeObject {
	const ports = Array.isArray(object["ports"])
		? object["ports"].map((port) => ({ name: "", ...fieldsOf(port), protocol: at(port, "protocol") ?? "TCP" }))
		: null;
	return { ...object, endpoints: object["endpoints"] ?? null, ports };
}

function completeService(object: KubeObject, before: KubeObject | undefined, store: Store): KubeObject {
	const spec = fieldsOf(object.spec);
	const type = textOf(spec["type"]) ?? "ClusterIP";
	const external = type === "NodePort" || type === "LoadBalancer";
	const ports = listOf(spec["ports"]).map(fieldsOf);
	const address = type === "ExternalName" ? {} : addressesOf(spec, before, store);
	const completed = defined({
		...spec,
		ports: ports.length === 0 ? undefined : completePorts(ports, external, { before, store }),
		...address,
		type,
		...affinityOf(spec),
		...trafficOf(spec, type, external),
	});
	return { ...object, spec: inOrder(completed, SPEC_ORDER), status: completeIngress(object.status, type) };
}

/** An ingress with an address has a mode, VIP unless it is given (1.30). */
function completeIngress(status: Fields | undefined, type: string): Fields {
	const balancer = fieldsOf(status?.["loadBalancer"]);
	const ingress = balancer["ingress"];
	if (type !== "LoadBalancer" || !Array.isArray(ingress)) return { ...status, loadBalancer: balancer };
	const completed = ingress
		.map(fieldsOf)
		.map((entry) => (textOf(entry["ip"]) ? { ...entry, ipMode: entry["ipMode"] ?? "VIP" } : entry));
	return { ...status, loadBalancer: { ...balancer, ingress: completed } };
}

/** As the server's types have them. */
const SPEC_ORDER =
	"ports selector clusterIP clusterIPs type externalIPs sessionAffinity loadBalancerIP loadBalancerSourceRanges externalName externalTrafficPolicy healthCheckNodePort publishNotReadyAddresses sessionAffinityConfig ipFamilies ipFamilyPolicy allocateLoadBalancerNodePorts loadBalancerClass internalTrafficPolicy trafficDistribution".split(
		" ",
	);
const PORT_ORDER = ["name", "protocol", "appProtocol", "port", "targetPort", "nodePort"];

function inOrder(fields: Fields, order: readonly string[]): Fields {
	const known = order.filter((key) => fields[key] !== undefined).map((key) => [key, fields[key]]);
	return {
		...Object.fromEntries(known),
		...Object.fromEntries(Object.entries(fields).filter(([key]) => !order.includes(key))),
	};
}

function affinityOf({ sessionAffinity = "None", sessionAffinityConfig }: Fields): Fields {
	if (sessionAffinity !== "ClientIP") return { sessionAffinity, sessionAffinityConfig: undefined };
	return { sessionAffinity, sessionAffinityConfig: sessionAffinityConfig ?? { clientIP: { timeoutSeconds: 10800 } } };
}

function trafficOf(spec: Fields, type: string, external: boolean): Fields {
	const { externalTrafficPolicy, allocateLoadBalancerNodePorts = true, internalTrafficPolicy = "Cluster" } = spec;
	return {
		externalTrafficPolicy: external ? (externalTrafficPolicy ?? "Cluster") : externalTrafficPolicy,
		allocateLoadBalancerNodePorts: type === "LoadBalancer" ? allocateLoadBalancerNodePorts : undefined,
		internalTrafficPolicy: type === "ExternalName" ? undefined : internalTrafficPolicy,
	};
}

interface Surroundings {
	readonly before: KubeObject | undefined;
	readonly store: Store;
}

function completePorts(
	ports: readonly Fields[],
	external: boolean,
	{ before, store }: Surroundings,
): readonly Fields[] {
	const old = listOf(at(before, "spec", "ports")).map(fieldsOf);
	return ports.map((port) => {
		const protocol = port["protocol"] ?? "TCP";
		const same = old.find((each) => each["port"] === port["port"] && each["protocol"] === protocol);
		const nodePort = external ? (port["nodePort"] ?? same?.["nodePort"] ?? freeNodePort(store)) : port["nodePort"];
		return inOrder(
			defined({ ...port, protocol, targetPort: port["targetPort"] ?? port["port"], nodePort }),
			PORT_ORDER,
		);
	});
}

let nextNodePort = 30_000;

function freeNodePort(store: Store): number {
	const taken = new Set(
		store
			.snapshot("services")
			.objects.flatMap((service) => listOf(at(service, "spec", "ports")).map((port) => at(port, "nodePort"))),
	);
	do nextNodePort = nextNodePort === 32_767 ? 30_000 : nextNodePort + 1;
	while (taken.has(nextNodePort));
	return nextNodePort;
}

let nextAddress = 0;

function addressesOf(spec: Fields, before: KubeObject | undefined, store: Store): Fields {
	const given = givenAddresses(spec) ?? givenAddresses(fieldsOf(before?.spec));
	const families = familiesOf(spec, given);
	const clusterIPs = given ?? families.map((family) => freeAddress(family, store));
	return {
		clusterIP: clusterIPs[0],
		clusterIPs,
		ipFamilies: families,
		ipFamilyPolicy: spec["ipFamilyPolicy"] ?? (families.length === 2 ? "RequireDualStack" : "SingleStack"),
	};
}

/** clusterIP is the first of clusterIPs; who changes it alone means it. */
function givenAddresses({ clusterIP, clusterIPs }: Fields): readonly unknown[] | undefined {
	const list = listOf(clusterIPs);
	if (clusterIP !== undefined && clusterIP !== "" && clusterIP !== list[0]) return [clusterIP];
	return list.length === 0 ? undefined : list;
}

function familiesOf(spec: Fields, given: readonly unknown[] | undefined): readonly unknown[] {
	const asked = listOf(spec["ipFamilies"]);
	const dual = spec["ipFamilyPolicy"] === "PreferDualStack" || spec["ipFamilyPolicy"] === "RequireDualStack";
	if (asked.length > (dual ? 1 : 0)) return asked;
	if (given !== undefined && given[0] !== "None") return given.map((ip) => (`${ip}`.includes(":") ? "IPv6" : "IPv4"));
	if (!dual) return ["IPv4"];
	return asked[0] === "IPv6" ? ["IPv6", "IPv4"] : ["IPv4", "IPv6"];
}

function freeAddress(family: unknown, store: Store): string {
	const taken = new Set(
		nextAddress < 65_000
			? []
			: store.snapshot("services").objects.flatMap((service) => listOf(at(service, "spec", "clusterIPs"))),
	);
	for (;;) {
		nextAddress += 1;
		const number = 256 + (nextAddress % 65_000);
		const address = family === "IPv6" ? `fd00:10:96::${number.toString(16)}` : `10.96.${number >> 8}.${number & 255}`;
		if (!taken.has(address)) return address;
	}
}

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LABEL_RULE =
	"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN_RULE =
	"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

/** What is wrong with an object that has its defaults. */
export function faultsOf(object: KubeObject, kind: Kind, { before, rules }: FaultContext): readonly Cause[] {
	const bySchema = kind.schema === undefined ? [] : validate(kind.schema, object, rules);
	return [
		...nameFaults(object, kind),
		...(FAULTS.get(idOf(kind))?.(object, before) ?? []),
		...bySchema.map(({ field, message }) => ({ reason: "FieldValueInvalid", message, field })),
	];
}

interface FaultContext {
	readonly before: KubeObject | undefined;
	/** Undefined: rules of custom kinds are not looked at. */
	readonly rules: Rules | undefined;
}

function nameFaults({ metadata: { name } }: KubeObject, kind: Kind): readonly Cause[] {
	if (name === "") return [required("metadata.name", "name or generateName is required")];
	const label = ["services", "namespaces"].includes(idOf(kind));
	const [shape, rule] = label ? [LABEL, LABEL_RULE] : [SUBDOMAIN, SUBDOMAIN_RULE];
	return shape.test(name) && name.length <= (label ? 63 : 253)
		? []
		: [invalidValue("metadata.name", JSON.stringify(name), rule)];
}

type FaultsOf = (object: KubeObject, before: KubeObject | undefined) => readonly Cause[];

const FAULTS: ReadonlyMap<string, FaultsOf> = new Map<string, FaultsOf>([
	["services", serviceFaults],
	["endpointslices.discovery.k8s.io", sliceFaults],
]);

const TYPES = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];

function serviceFaults({ spec }: KubeObject, before: KubeObject | undefined): readonly Cause[] {
	const ports = listOf(spec?.["ports"]).map(fieldsOf);
	const bare = spec?.["clusterIP"] === "None" || spec?.["type"] === "ExternalName";
	const addresses = listOf(spec?.["clusterIPs"]);
	const old = listOf(at(before, "spec", "clusterIPs"));
	const moved = old.length > 0 && addresses[0] !== old[0] && spec?.["type"] !== "ExternalName";
	return [
		...(ports.length === 0 && !bare ? [required("spec.ports")] : []),
		...ports.flatMap((port, number) => portFaults(port, `spec.ports[${number}]`, ports.length)),
		...(moved ? [invalidValue("spec.clusterIPs[0]", JSON.stringify(addresses), "may not change once set")] : []),
		...(TYPES.includes(`${spec?.["type"]}`) ? [] : [unsupported("spec.type", spec?.["type"], TYPES)]),
	];
}

function unsupported(field: string, value: unknown, supported: readonly string[]): Cause {
	const list = supported.map((each) => `"${each}"`).join(", ");
	return {
		reason: "FieldValueNotSupported",
		message: `Unsupported value: "${value}": supported values: ${list}`,
		field,
	};
}

function portFaults({ name, port, targetPort }: Fields, field: string, count: number): readonly Cause[] {
	const range = "must be between 1 and 65535, inclusive";
	return [
		...(count > 1 && (name === undefined || name === "") ? [required(`${field}.name`)] : []),
		...(name !== undefined && !LABEL.test(`${name}`)
			? [invalidValue(`${field}.name`, JSON.stringify(name), LABEL_RULE)]
			: []),
		...(isPort(port) ? [] : [invalidValue(`${field}.port`, JSON.stringify(port ?? 0), range)]),
		...(typeof targetPort === "string" || isPort(targetPort)
			? []
			: [invalidValue(`${field}.targetPort`, JSON.stringify(targetPort ?? 0), range)]),
	];
}

function isPort(value: unknown): boolean {
	return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 65_535;
}

function sliceFaults(object: KubeObject, before: KubeObject | undefined): readonly Cause[] {
	const type = object["addressType"];
	const supported = ["IPv4", "IPv6", "FQDN"];
	if (type === undefined || type === "") return [required("addressType")];
	if (!supported.includes(`${type}`)) return [unsupported("addressType", type, supported)];
	if (before !== undefined && before["addressType"] !== type)
		return [invalidValue("addressType", JSON.stringify(type), "field is immutable")];
	return listOf(object["endpoints"]).flatMap((endpoint, number) =>
		listOf(at(endpoint, "addresses")).length === 0
			? [required(`endpoints[${number}].addresses`, "must contain at least 1 address")]
			: [],
	);
}

// Snapshots of a hub in a few words, for tests of the planner.

import type { Ip, Port, Protocol } from "../../src/model/address.ts";
import { parseIp, parsePort } from "../../src/model/address.ts";
import {
	type Cluster,
	EMPTY_CLUSTER,
	type Endpoint,
	type EndpointSlice,
	type External,
	type Node,
	type Service,
	type ServicePort,
} from "../../src/model/cluster.ts";
import { listEndpoints } from "../../src/model/endpoint_list.ts";
import { type LabelSelector, parseLabelSelector } from "../../src/model/label_selector.ts";
import { type Labels, listLabels } from "../../src/model/labels.ts";
import type { HostPort, Pod } from "../../src/model/pod.ts";
import type {
	BalancingPolicy,
	LocalRedirectPolicy,
	Policy,
	PolicyBackend,
	PolicyFrontend,
	PolicyPort,
	RedirectMode,
} from "../../src/model/policy.ts";
import { policyKey } from "../../src/model/policy.ts";
import type { HubSnapshot, Plan } from "../../src/plan/plan_types.ts";
import { renderPlan } from "../../src/plan/render.ts";

export function ip(text: string): Ip {
	const parsed = parseIp(text);
	if (parsed === undefined) throw new Error(`Not an address: ${text}`);
	return parsed;
}

export function port(number: number): Port {
	const parsed = parsePort(number);
	if (parsed === undefined) throw new Error(`Not a port: ${number}`);
	return parsed;
}

/** `http 80`, `http 80 30080`, `dns 53/UDP 30053`: name, port, node port. */
export function servicePort(text: string): ServicePort {
	const [name = "", at = "", nodePort] = text.split(" ");
	const [number, protocol = "TCP"] = at.split("/");
	return {
		name,
		port: port(Number(number)),
		protocol: protocolOf(protocol),
		...(nodePort === undefined ? {} : { nodePort: port(Number(nodePort)) }),
	};
}

interface ServiceFields extends Partial<Omit<Service, "external" | "ports" | "clusterIps">> {
	readonly ips?: readonly string[];
	readonly ports?: readonly string[];
	readonly ingress?: readonly string[];
	readonly externalIps?: readonly string[];
	readonly externalPolicy?: External["trafficPolicy"];
}

/** demo/web at 10.96.0.1:80, but for what is said. */
export function service(key: string, fields: ServiceFields = {}): Service {
	const { ips = ["10.96.0.1"], ports = ["http 80"], ingress, externalIps, externalPolicy, ...others } = fields;
	const hasExternal = ingress ?? externalIps ?? (ports.some((text) => text.split(" ").length > 2) || undefined);
	const external: External = {
		externalIps: (externalIps ?? []).map(ip),
		ingressIps: (ingress ?? []).map(ip),
		trafficPolicy: externalPolicy ?? "Cluster",
	};
	return {
		key,
		type: "ClusterIP",
		clusterIps: ips.map(ip),
		ports: ports.map(servicePort),
		internalTrafficPolicy: "Cluster",
		otherProxy: false,
		peerAddress: "frontend",
		global: false,
		created: "",
		...others,
		...(hasExternal === undefined ? {} : { external }),
	};
}

/** `10.0.0.1`, `10.0.0.2 draining`, `10.0.0.3 ready there`, `10.0.0.4 ready here zones=a,b nodes=here`: address, state, node, hints. */
export function endpoint(text: string): Endpoint {
	const words = text.split(" ");
	const [address = "", state = "ready", nodeName = ""] = words.filter((word) => !word.includes("="));
	const namesOf = (kind: string) =>
		words
			.find((word) => word.startsWith(kind))
			?.slice(kind.length)
			.split(",") ?? [];
	const hints = { zones: namesOf("zones="), nodes: namesOf("nodes=") };
	return {
		ip: ip(address),
		ready: state === "ready",
		serving: state === "ready" || state === "draining",
		terminating: state === "draining" || state === "stopping",
		nodeName,
		...(hints.zones.length + hints.nodes.length === 0 ? {} : { hints }),
	};
}

/** With ports as `http 8080`. */
export function slice(key: string, endpoints: readonly string[], ports = ["http 8080"]): EndpointSlice {
	return {
		key: `${key}-${endpoints[0]}`,
		service: key,
		addressType: endpoints[0]?.split(" ")[0]?.includes(":") ? "IPv6" : "IPv4",
		endpoints: listEndpoints(endpoints.map(endpoint)),
		ports: ports.map(servicePort),
	};
}

/** `here 192.168.0.1 fd00::1 zone=a proxy=203.0.113.1 labels=tier:edge,disk:ssd`. */
export function node(text: string): Node {
	const [name = "", ...words] = text.split(" ");
	const textOf = (kind: string) => words.find((word) => word.startsWith(kind))?.slice(kind.length);
	const labels = textOf("labels=");
	return {
		name,
		ips: words.filter((word) => !word.includes("=")).map(ip),
		zone: textOf("zone=") ?? "",
		proxyIps: textOf("proxy=")?.split(",").map(ip) ?? [],
		...(labels === undefined ? {} : { labels: labelsOf(labels) }),
	};
}

function labelsOf(text: string): Labels {
	const pairs = text
		.split(",")
		.filter(Boolean)
		.map((pair) => pair.split(":"));
	return listLabels(pairs.map(([key = "", value = ""]) => [key, value]));
}

/**
 * `demo/a ready here 10.0.0.1 fd01::1 app=web,tier=edge`: key, state (ready, unready, draining, stopping, ended), node (`-`: none),
 * addresses, labels. The rest as fields; host ports as `8080/TCP` or `192.0.2.1 8080/TCP`.
 */
export function pod(
	text: string,
	fields: Partial<Omit<Pod, "hostPorts">> & { hostPorts?: readonly string[] } = {},
): Pod {
	const [key = "", state = "ready", nodeName = "", ...words] = text.split(" ");
	const { hostPorts = [], ...others } = fields;
	const labels = words.filter((word) => word.includes("=")).join(",");
	return {
		key,
		namespace: key.slice(0, key.indexOf("/")),
		uid: `uid-${key.slice(key.indexOf("/") + 1)}`,
		labels: labelsOf(labels.replaceAll("=", ":")),
		ips: words.filter((word) => !word.includes("=")).map(ip),
		ready: state === "ready" || state === "draining",
		terminating: state === "draining" || state === "stopping",
		finished: state === "ended",
		nodeName: nodeName === "-" ? "" : nodeName,
		ports: [],
		hostPorts: hostPorts.map(hostPort),
		hostNetwork: false,
		...others,
	};
}

function hostPort(text: string): HostPort {
	const [at = "", address] = text.split(" ").reverse();
	const { port, protocol } = servicePort(` ${at}`);
	return { port, protocol, ...(address === undefined ? {} : { ip: ip(address) }) };
}

interface PolicyFields extends Partial<Pick<Policy, "created" | "closeOnRemove" | "serviceId">> {
	/** What it is for: a Service, or else an address. */
	readonly service?: string;
	readonly ip?: string;
	/** Of the frontend and of the backend, as of a Service: `http 80`. */
	readonly ports?: readonly string[];
	readonly to?: readonly string[];
	/** Selects nodes, as `tier=edge`. */
	readonly nodes?: string;
	readonly outCluster?: boolean;
}

interface RedirectFields extends PolicyFields, Partial<Pick<LocalRedirectPolicy, "qosLimit">> {
	readonly pods?: string;
}

interface BalancingFields extends PolicyFields, Partial<Pick<BalancingPolicy, "healthCheck">> {
	readonly pods?: string;
	readonly mode?: RedirectMode;
	/** In the place of Pods: `198.51.100.1`, `198.51.100.1=3` with a weight. */
	readonly addresses?: readonly string[];
}

/** Of demo/web, port http 80, to port http 8080 of Pods of app=web, but for what is said. */
export function redirect(name: string, fields: RedirectFields = {}): LocalRedirectPolicy {
	const { pods = "app=web", qosLimit, to = ["http 8080"] } = fields;
	return {
		kind: "LocalRedirectPolicy",
		...policyBase(name, fields),
		pods: selector(pods),
		ports: to.map(policyPort),
		...(qosLimit === undefined ? {} : { qosLimit }),
	};
}

/** Of demo/web, port http 80, to port http 8080 of Pods of app=web, but for what is said. */
export function balancing(name: string, fields: BalancingFields = {}): BalancingPolicy {
	const { healthCheck } = fields;
	return {
		kind: "BalancingPolicy",
		...policyBase(name, fields),
		backend: policyBackend(fields),
		...(healthCheck === undefined ? {} : { healthCheck }),
	};
}

function policyBackend({ pods = "app=web", mode = "podEndpoint", addresses, to = ["http 8080"] }: BalancingFields) {
	const ports = to.map(policyPort);
	if (addresses === undefined) return { kind: "pods", mode, pods: selector(pods), ports } satisfies PolicyBackend;
	const weighted = addresses.map((text) => {
		const [address = "", weight = "1"] = text.split("=");
		return { ip: ip(address), weight: Number(weight) };
	});
	return { kind: "addresses", addresses: weighted, ports } satisfies PolicyBackend;
}

function policyBase(name: string, fields: PolicyFields) {
	const { created = "", closeOnRemove, serviceId, nodes = "", outCluster = true } = fields;
	const ports = (fields.ports ?? ["http 80"]).map(policyPort);
	const frontend: PolicyFrontend =
		fields.ip === undefined
			? { kind: "service", service: fields.service ?? "demo/web", ports }
			: { kind: "address", ip: ip(fields.ip), ports };
	return {
		name,
		created,
		generation: 1,
		frontend,
		hosts: { nodes: selector(nodes), outCluster },
		...(closeOnRemove === undefined ? {} : { closeOnRemove }),
		...(serviceId === undefined ? {} : { serviceId }),
	};
}

function policyPort(text: string): PolicyPort {
	const { name, port, protocol } = servicePort(text);
	return { name, port, protocol };
}

function selector(text: string): LabelSelector {
	const parsed = parseLabelSelector(text);
	if (parsed.kind !== "selector") throw new Error(`Not a selector: ${parsed.message}`);
	return parsed.selector;
}

export interface Objects {
	readonly services?: readonly Service[];
	readonly slices?: readonly EndpointSlice[];
	readonly nodes?: readonly string[];
	readonly pods?: readonly Pod[];
	readonly policies?: readonly Policy[];
}

export function cluster({ services = [], slices = [], nodes = [], pods = [], policies = [] }: Objects): Cluster {
	const keys = [...new Set(slices.map((item) => item.service))];
	return {
		...EMPTY_CLUSTER,
		services: new Map(services.map((item) => [item.key, item])),
		slices: new Map(keys.map((key) => [key, slices.filter((item) => item.service === key)])),
		nodes: new Map(nodes.map((text) => [node(text).name, node(text)])),
		pods: new Map(pods.map((each) => [each.key, each])),
		policies: new Map(policies.map((each) => [policyKey(each), each])),
	};
}

export function hubsOf(...clusters: readonly Cluster[]): readonly HubSnapshot[] {
	return clusters.map((each, index) => ({ name: ["east", "west", "north"][index] ?? `hub-${index}`, cluster: each }));
}

/** The lines of a plan that begin so, without the canary's and without this beginning. */
export function linesOf(
	plan: Plan,
	kind: "FRONTEND" | "ADDRESS" | "POLICY" | "GUARD" | "PROBE" | "PROBLEM",
): readonly string[] {
	const lines = renderPlan(plan).split("\n");
	return lines.flatMap((line) =>
		line.startsWith(`${kind} `) && !line.includes("balancing/canary") ? [line.slice(kind.length + 1)] : [],
	);
}

function protocolOf(text: string): Protocol {
	if (text !== "TCP" && text !== "UDP") throw new Error(`Not a protocol: ${text}`);
	return text;
}

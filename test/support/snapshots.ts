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

/** `here 192.168.0.1 fd00::1 zone=a proxy=203.0.113.1`. */
export function node(text: string): Node {
	const [name = "", ...words] = text.split(" ");
	const textOf = (kind: string) => words.find((word) => word.startsWith(kind))?.slice(kind.length);
	return {
		name,
		ips: words.filter((word) => !word.includes("=")).map(ip),
		zone: textOf("zone=") ?? "",
		proxyIps: textOf("proxy=")?.split(",").map(ip) ?? [],
	};
}

export interface Objects {
	readonly services?: readonly Service[];
	readonly slices?: readonly EndpointSlice[];
	readonly nodes?: readonly string[];
}

export function cluster({ services = [], slices = [], nodes = [] }: Objects): Cluster {
	const keys = [...new Set(slices.map((item) => item.service))];
	return {
		...EMPTY_CLUSTER,
		services: new Map(services.map((item) => [item.key, item])),
		slices: new Map(keys.map((key) => [key, slices.filter((item) => item.service === key)])),
		nodes: new Map(nodes.map((text) => [node(text).name, node(text)])),
	};
}

export function hubsOf(...clusters: readonly Cluster[]): readonly HubSnapshot[] {
	return clusters.map((each, index) => ({ name: ["east", "west", "north"][index] ?? `hub-${index}`, cluster: each }));
}

/** The lines of a plan that begin so, without the canary's and without this beginning. */
export function linesOf(plan: Plan, kind: "FRONTEND" | "ADDRESS" | "PROBLEM"): readonly string[] {
	const lines = renderPlan(plan).split("\n");
	return lines.flatMap((line) =>
		line.startsWith(`${kind} `) && !line.includes("balancing/canary") ? [line.slice(kind.length + 1)] : [],
	);
}

function protocolOf(text: string): Protocol {
	if (text !== "TCP" && text !== "UDP") throw new Error(`Not a protocol: ${text}`);
	return text;
}

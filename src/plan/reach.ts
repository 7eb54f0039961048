// How a client here gets to the endpoints of a Service that are on other nodes.

import type { Ip, L4Address, Port } from "../model/address.ts";
import { ipFamily, l4Address } from "../model/address.ts";
import type { Endpoint, Reach, ServicePort } from "../model/cluster.ts";
import type { Family } from "./node_ports.ts";
import type { Part, Want } from "./part.ts";
import type { Self } from "./plan_types.ts";
import type { Vantage } from "./vantage.ts";

export type Way = Exclude<Reach, "auto">;

/** Whose endpoints, seen from where. */
export interface Destination {
	readonly part: Part;
	readonly want: Want;
	readonly self: Self;
}

/** Where an endpoint listens. */
export interface Target {
	readonly address: L4Address;
	readonly endpoint: Endpoint;
}

/** An endpoint that there is no way to. */
export interface Lost {
	readonly ip: Ip;
	/** The fact and the fix. */
	readonly obstacle: string;
}

/** Where connections to these endpoints are sent. */
export interface Arrival {
	readonly addresses: readonly L4Address[];
	readonly lost: readonly Lost[];
}

/** In the order in which `auto` prefers them; what is left is `pod`. */
const OFFERS = ["node-proxy", "node-port", "load-balancer"] as const;

/** As its Service in that cluster says, else as the agent has it. */
export function reachOf({ service }: Part, self: Self): Reach {
	return service.reach ?? self.reach;
}

/** Endpoints are reached as they are, without looking at nodes. */
export function isAlwaysDirect(reach: Reach, { isInside }: Vantage): boolean {
	return reach === "pod" || (reach === "auto" && isInside);
}

/** What the Service says; with `auto`, from outside its cluster, the first that is there for all that new connections go to. */
export function chooseWay(to: Destination, wanted: readonly Target[]): Way {
	const reach = reachOf(to.part, to.self);
	if (reach !== "auto") return reach;
	if (to.part.vantage.isInside) return "pod";
	const far = wanted.filter(({ endpoint }) => !isDirect(endpoint, to));
	const isOffered = (way: (typeof OFFERS)[number]): boolean => {
		const find = finderOf(way, to);
		return typeof find !== "string" && far.every(({ endpoint }) => typeof find(endpoint) !== "string");
	};
	return OFFERS.find(isOffered) ?? "pod";
}

/** Some of the addresses may be the same. */
export function arrive(to: Destination, way: Way, targets: readonly Target[]): Arrival {
	if (way === "pod") return { addresses: targets.map(({ address }) => address), lost: [] };
	const find = finderOf(way, to);
	const addresses: L4Address[] = [];
	const lost: Lost[] = [];
	for (const { address, endpoint } of targets) {
		if (isDirect(endpoint, to)) {
			addresses.push(address);
			continue;
		}
		const reached = typeof find === "string" ? find : find(endpoint);
		if (typeof reached === "string") lost.push({ ip: endpoint.ip, obstacle: reached });
		else addresses.push(...reached);
	}
	return { addresses, lost };
}

/** On our own node; no pod of a node, as default/kubernetes; or in its node's network namespace: all these need no way to pods. */
function isDirect({ nodeName, ip }: Endpoint, { part, self }: Destination): boolean {
	return nodeName === "" || nodeName === self.nodeName || part.vantage.nodeIps().has(ip);
}

/** Where connections to an endpoint are sent; text: why there is no such place. */
type Finder = (endpoint: Endpoint) => readonly L4Address[] | string;

/** Text: why nothing is found for any endpoint. */
function finderOf(way: Exclude<Way, "pod">, to: Destination): Finder | string {
	const { part, want } = to;
	const port = part.service.ports.find(
		({ name, protocol }) => name === want.port.name && protocol === want.port.protocol,
	);
	if (port === undefined) return "its Service has no such port: give it the same ports everywhere";
	if (way === "load-balancer") return findLoadBalancer(to, port);
	if (port.nodePort === undefined)
		return `port ${port.name === "" ? port.port : port.name} has no nodePort: make it a Service of type NodePort`;
	return findNode(way === "node-proxy", to, port.nodePort);
}

function findLoadBalancer({ part, want }: Destination, { port, protocol }: ServicePort): Finder | string {
	const ips = ofFamily(part.service.external?.ingressIps ?? [], want.family);
	if (ips.length === 0)
		return `status.loadBalancer has no ${want.family} ingress: make it a Service of type LoadBalancer`;
	const addresses = ips.map((ip) => l4Address(ip, port, protocol));
	return () => addresses;
}

function findNode(isProxy: boolean, { part, want }: Destination, nodePort: Port): Finder {
	const { family, port } = want;
	return ({ nodeName }) => {
		const node = part.vantage.nodes.get(nodeName);
		if (node === undefined) return `there is no Node ${nodeName}: let the hub have Nodes`;
		const ips = isProxy ? ofFamily(node.proxyIps, family) : ofFamily(node.ips, family).slice(0, 1);
		if (ips.length > 0) return ips.map((ip) => l4Address(ip, nodePort, port.protocol));
		return isProxy
			? `Node ${nodeName} has no annotation balancing.elf.io/nodeProxy${family === "IPv4" ? "Ipv4" : "Ipv6"}: set it`
			: `Node ${nodeName} has no ${family} address: give it one`;
	};
}

function ofFamily(ips: readonly Ip[], family: Family): readonly Ip[] {
	return ips.filter((ip) => ipFamily(ip) === family);
}

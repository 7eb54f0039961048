// How a client of this node gets to an endpoint: directly, or by way of its node or of the Service's ingress.

import { type Ip, ipFamily, l4Address, l4Parts, type Port } from "../../model/address.ts";
import type { Node, Reach, Service, ServicePort } from "../../model/cluster.ts";
import type { HubSnapshot, Self } from "../plan_types.ts";
import { type Candidate, type Judged, judgeEndpoints } from "./candidates.ts";
import type { ConsideredEndpoint } from "./explanation.ts";
import type { Family, World } from "./wants.ts";

/** A port of a Service, in one family, as the hub of its endpoints has it. */
interface Passage {
	readonly hub: HubSnapshot;
	readonly self: Self;
	readonly family: Family;
	readonly port: ServicePort;
	readonly nodePort: Port | undefined;
	readonly ingressIps: readonly Ip[];
}

type Way = { readonly through: readonly Ip[]; readonly port: Port } | { readonly lacks: string };

export interface Offer {
	readonly hub: HubSnapshot;
	readonly service: Service;
	readonly port: ServicePort;
}

/** Adds to each endpoint how it is reached; `note` is told in what mode those of a hub are. */
export function findWays(
	world: World,
	offer: Offer & { readonly family: Family },
	judged: readonly Judged[],
	note: (step: string) => unknown,
): readonly ConsideredEndpoint[] {
	const hubs = new Set(judged.map(({ hub }) => hub));
	return [...hubs].flatMap((hub) => {
		const some = judged.filter((each) => each.hub === hub);
		const passage = passageOf(world.self, hub, offer);
		const far = some.filter((each) => each.use !== "none" && whyDirect(each, passage) === undefined);
		const mode = resolveMode(modeOf(offer.service, world.self), passage, far);
		if (far.length > 0 && mode !== "pod") note(`Endpoints on other nodes are reached by ${mode}${inHub(world, hub)}`);
		return some.map((each) => considered(each, mode, passage));
	});
}

/** Whether its ingress addresses are where its endpoints are reached, and therefore no frontends of their own. */
export function reachesByIngress(world: World, offer: Offer, family: Family): boolean {
	if (modeOf(offer.service, world.self) === "load-balancer") return true;
	if (modeOf(offer.service, world.self) !== "auto") return false;
	const passage = passageOf(world.self, offer.hub, { ...offer, family });
	const judged = judgeEndpoints(world, { ...offer, family, local: false }, () => {});
	const far = judged.filter(
		(each) => each.hub === offer.hub && each.use !== "none" && whyDirect(each, passage) === undefined,
	);
	return far.length > 0 && resolveMode("auto", passage, far) === "load-balancer";
}

function modeOf(service: Service, self: Self): Reach {
	return service.reach ?? self.reach;
}

/** What a Service offers in the hub of its endpoints, which for a global one may be another than the asked one's. */
function passageOf(self: Self, hub: HubSnapshot, { service, port, family }: Offer & { family: Family }): Passage {
	const there = hub.cluster.services.get(service.key);
	const portThere = there?.ports.find(({ name, protocol }) => name === port.name && protocol === port.protocol);
	const ingressIps = there?.external?.ingressIps ?? [];
	return {
		hub,
		self,
		family,
		port: portThere ?? port,
		nodePort: portThere?.nodePort,
		ingressIps: ingressIps.filter((ip) => ipFamily(ip) === family),
	};
}

/** In every mode; undefined if it is not reached directly. */
function whyDirect({ endpoint }: Candidate, { hub, self }: Passage): string | undefined {
	if (endpoint.nodeName === "") return "on no node";
	if (endpoint.nodeName === self.nodeName) return "on this node";
	const nodes = [...hub.cluster.nodes.values()];
	return nodes.some(({ ips }) => ips.includes(endpoint.ip)) ? "at an address of its node" : undefined;
}

/** What `auto` means here. */
function resolveMode(mode: Reach, passage: Passage, far: readonly Judged[]): Exclude<Reach, "auto"> {
	if (mode !== "auto") return mode;
	const { nodes } = passage.hub.cluster;
	if (nodes.size === 0 || nodes.has(passage.self.nodeName)) return "pod";
	const chosen = far.filter(({ use }) => use === "new");
	const wanted = chosen.length > 0 ? chosen : far;
	const offers = (["node-proxy", "node-port", "load-balancer"] as const).find((candidate) =>
		wanted.every((each) => "through" in wayOf(each, candidate, passage)),
	);
	return offers ?? "pod";
}

function wayOf({ endpoint, address }: Candidate, mode: Exclude<Reach, "auto">, passage: Passage): Way {
	if (mode === "pod") return { through: [endpoint.ip], port: l4Parts(address).port };
	if (mode === "load-balancer")
		return passage.ingressIps.length > 0
			? { through: passage.ingressIps, port: passage.port.port }
			: { lacks: `the Service has no ${passage.family} ingress address` };
	if (passage.nodePort === undefined) return { lacks: "the Service's port has no node port" };
	const node = passage.hub.cluster.nodes.get(endpoint.nodeName);
	if (node === undefined) return { lacks: `its node ${endpoint.nodeName} is not known` };
	const ips = nodeIps(node, mode, passage.family);
	return ips.length > 0
		? { through: ips, port: passage.nodePort }
		: {
				lacks: `its node ${endpoint.nodeName} has no ${passage.family} ${mode === "node-proxy" ? "proxy " : ""}address`,
			};
}

function nodeIps({ ips, proxyIps }: Node, mode: "node-port" | "node-proxy", family: Family): readonly Ip[] {
	const ofFamily = (mode === "node-proxy" ? proxyIps : ips).filter((ip) => ipFamily(ip) === family);
	return mode === "node-proxy" ? ofFamily : ofFamily.slice(0, 1);
}

function considered(each: Judged, mode: Exclude<Reach, "auto">, passage: Passage): ConsideredEndpoint {
	const { address, endpoint, use, why } = each;
	const facts = { address, hub: each.hub.name, node: endpoint.nodeName };
	if (use === "none") return { ...facts, use, through: [], why };
	const direct = whyDirect(each, passage);
	if (mode === "pod" || direct !== undefined) {
		const how = mode === "pod" ? why : `${why}; ${direct}, so reached directly`;
		return { ...facts, use, through: [address], why: how };
	}
	const way = wayOf(each, mode, passage);
	if ("lacks" in way)
		return { ...facts, use: "none", through: [], why: `${why}; ${mode} cannot reach it: ${way.lacks}` };
	const through = way.through.map((ip) => l4Address(ip, way.port, passage.port.protocol));
	return { ...facts, use, through, why: `${why}; by ${mode}` };
}

function inHub({ hubs }: World, { name }: HubSnapshot): string {
	return hubs.length > 1 ? ` in hub ${name}` : "";
}

// How a client of this node gets to an endpoint: directly, or by way of its node or of the Service's ingress.

import { type Ip, ipFamily, type L4Address, l4Address, l4Parts, type Port } from "../../model/address.ts";
import type { Node, Reach, Service, ServicePort } from "../../model/cluster.ts";
import type { Family } from "../node_ports.ts";
import type { HubSnapshot, Self } from "../plan_types.ts";
import { type Candidate, type Choice, type Judged, judgeEndpoints } from "./candidates.ts";
import type { ConsideredEndpoint } from "./explanation.ts";
import type { World } from "./wants.ts";

/** A port of a Service, in one family, as the hub of its endpoints has it: each hub says how its own endpoints are reached. */
interface Passage {
	readonly hub: HubSnapshot;
	readonly self: Self;
	readonly family: Family;
	readonly mode: Reach;
	/** Undefined: the Service has no such port there. */
	readonly port: Port | undefined;
	readonly nodePort: Port | undefined;
	readonly ingressIps: readonly Ip[];
}

type Way = { readonly through: readonly L4Address[] } | { readonly lacks: string };

export interface Offer {
	readonly hub: HubSnapshot;
	readonly service: Service;
	readonly port: ServicePort;
}

type Asked = Offer & Pick<Choice, "family" | "local">;

/** Adds to each endpoint how it is reached; `note` is told in what mode those of a hub are. */
export function findWays(
	world: World,
	offer: Asked,
	judged: readonly Judged[],
	note: (step: string) => unknown,
): readonly ConsideredEndpoint[] {
	const hubs = new Set(judged.map(({ hub }) => hub));
	return [...hubs].flatMap((hub) => {
		const [passage, way] = [passageOf(world.self, hub, offer), modeIn(world, offer, hub)];
		const some = judged.filter((each) => each.hub === hub).map((each) => considered(each, way, passage));
		const through = new Set(some.flatMap((each) => (each.mode === undefined ? [] : [each.mode])));
		for (const mode of through) note(`Endpoints on other nodes are reached by ${mode}${inHub(world, hub)}`);
		return some.map(({ endpoint }) => endpoint);
	});
}

/** Whether its ingress addresses are where its endpoints are reached, and therefore no frontends of their own. */
export function reachesByIngress(world: World, offer: Offer, family: Family): boolean {
	return modeIn(world, { ...offer, family, local: false }, offer.hub) === "load-balancer";
}

/**
 * How a hub's endpoints on other nodes are reached. `auto`, from outside of the hub's cluster, is the first mode that it has for all that
 * new connections would go to if there were no other hub.
 */
function modeIn(world: World, offer: Asked, hub: HubSnapshot): Exclude<Reach, "auto"> {
	const { self } = world;
	const passage = passageOf(self, hub, offer);
	if (passage.mode !== "auto") return passage.mode;
	const { nodes } = hub.cluster;
	if (nodes.size === 0 || nodes.has(self.nodeName)) return "pod";
	const alone = judgeEndpoints({ ...world, hubs: [hub] }, { ...offer, hub }, () => {});
	const wanted = alone.filter((each) => each.use === "new" && whyDirect(each, passage) === undefined);
	const offers = (["node-proxy", "node-port", "load-balancer"] as const).find(
		(mode) => lackOf(mode, passage) === undefined && wanted.every((each) => "through" in wayOf(each, mode, passage)),
	);
	return offers ?? "pod";
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
		mode: modeOf(there ?? service, self),
		port: portThere?.port,
		nodePort: portThere?.nodePort,
		ingressIps: ingressIps.filter((ip) => ipFamily(ip) === family),
	};
}

/** In every mode; undefined if it is not reached directly. */
function whyDirect({ endpoint }: Candidate, { hub, self }: Passage): string | undefined {
	if (endpoint.nodeName === "") return "on no node, so reached directly";
	if (endpoint.nodeName === self.nodeName) return "on this node, so reached directly";
	const nodes = [...hub.cluster.nodes.values()];
	return nodes.some(({ ips }) => ips.includes(endpoint.ip))
		? "at an address of a node, so reached directly"
		: undefined;
}

/** Why nobody is reached that way; undefined if somebody may be. */
function lackOf(mode: Exclude<Reach, "auto">, { port, ingressIps, nodePort, family }: Passage): string | undefined {
	if (mode === "pod") return undefined;
	if (port === undefined) return "its Service there has no such port";
	if (mode === "load-balancer")
		return ingressIps.length > 0 ? undefined : `the Service has no ${family} ingress address`;
	return nodePort === undefined ? "the Service's port has no node port" : undefined;
}

function wayOf({ endpoint, address }: Candidate, mode: Exclude<Reach, "auto">, passage: Passage): Way {
	if (mode === "pod") return { through: [address] };
	const { family, nodePort, ingressIps, port, hub } = passage;
	const lacks = lackOf(mode, passage);
	if (lacks !== undefined) return { lacks };
	const { protocol } = l4Parts(address);
	const by = (ips: readonly Ip[], at: Port | undefined): Way => ({
		through: at === undefined ? [] : ips.map((ip) => l4Address(ip, at, protocol)),
	});
	if (mode === "load-balancer") return by(ingressIps, port);
	const node = hub.cluster.nodes.get(endpoint.nodeName);
	if (node === undefined) return { lacks: `its node ${endpoint.nodeName} is not known` };
	const ips = nodeIps(node, mode, family);
	const what = mode === "node-proxy" ? "proxy address" : "address";
	return ips.length > 0 ? by(ips, nodePort) : { lacks: `its node ${endpoint.nodeName} has no ${family} ${what}` };
}

function nodeIps({ ips, proxyIps }: Node, mode: "node-port" | "node-proxy", family: Family): readonly Ip[] {
	const ofFamily = (mode === "node-proxy" ? proxyIps : ips).filter((ip) => ipFamily(ip) === family);
	return mode === "node-proxy" ? ofFamily : ofFamily.slice(0, 1);
}

interface Reached {
	readonly endpoint: ConsideredEndpoint;
	/** Undefined: it is reached directly, or not wanted. */
	readonly mode?: Reach;
}

function considered(each: Judged, mode: Exclude<Reach, "auto">, passage: Passage): Reached {
	const { address, use, why } = each;
	const facts = { address, hub: each.hub.name, node: each.endpoint.nodeName };
	if (use === "none") return { endpoint: { ...facts, use, through: [], why } };
	const direct = mode === "pod" ? "" : whyDirect(each, passage);
	if (direct !== undefined)
		return { endpoint: { ...facts, use, through: [address], why: direct === "" ? why : `${why}; ${direct}` } };
	const way = wayOf(each, mode, passage);
	if ("lacks" in way)
		return {
			mode,
			endpoint: { ...facts, use: "none", through: [], why: `${why}; ${mode} cannot reach it: ${way.lacks}` },
		};
	return { mode, endpoint: { ...facts, use, through: way.through, why } };
}

function inHub({ hubs }: World, { name }: HubSnapshot): string {
	return hubs.length > 1 ? ` in hub ${name}` : "";
}

// Which policies are about an address: those that want it, and why others do not.

import { type Ip, ipFamily, type L4Address, l4Address, l4Parts } from "../../model/address.ts";
import type { Service } from "../../model/cluster.ts";
import { matchesLabels } from "../../model/label_selector.ts";
import { labelIn, NO_LABELS } from "../../model/labels.ts";
import type { Policy, PolicyHosts, PolicyPort } from "../../model/policy.ts";
import { CANARY } from "../canary.ts";
import { type Family, isNodePortsIp } from "../node_ports.ts";
import type { FrontendMode, HubSnapshot, Self } from "../plan_types.ts";
import type { Question } from "./explanation.ts";
import { redirectTargets } from "./policy_pods.ts";
import { isAt, type PortPair, pairPorts, textOf } from "./policy_ports.ts";
import { isOurs, type World } from "./wants.ts";

/** A policy that wants an address. */
export interface PolicyWant {
	readonly kind: "policy";
	/** The place of its hub. */
	readonly rank: number;
	readonly hub: HubSnapshot;
	readonly policy: Policy;
	readonly mode: FrontendMode;
	readonly address: L4Address;
	/** Of all its addresses. */
	readonly families: readonly Family[];
	/** What clients open, and where they arrive. */
	readonly front: PolicyPort;
	readonly back: PolicyPort;
}

/** What a policy makes of an address. */
type Stance =
	| { readonly kind: "wants"; readonly want: PolicyWant }
	/** It would have it, but does not hold. */
	| { readonly kind: "idle"; readonly step: string }
	/** It is about another port, or about a Service that is not there. */
	| { readonly kind: "near"; readonly step: string };

export interface Stances {
	readonly wants: readonly PolicyWant[];
	/** Why others that are for the very address do not have it. */
	readonly idle: readonly string[];
	/** What is worth being told where nobody has the address. */
	readonly near: readonly string[];
}

/** By hub, then by kind and name. */
export function stancesOf(world: World, question: Question): Stances {
	const stances = world.hubs.flatMap((hub, rank) =>
		[...hub.cluster.policies]
			.sort(([a], [b]) => (a < b ? -1 : 1))
			.flatMap(([, policy]) => stanceOf(world, { rank, hub, policy }, question) ?? []),
	);
	return {
		wants: stances.flatMap((each) => (each.kind === "wants" ? [each.want] : [])),
		idle: stances.flatMap((each) => (each.kind === "idle" ? [each.step] : [])),
		near: stances.flatMap((each) => (each.kind === "near" ? [each.step] : [])),
	};
}

type Place = Pick<PolicyWant, "rank" | "hub" | "policy">;

/** Undefined: it is about other addresses. */
function stanceOf(world: World, place: Place, question: Question): Stance | undefined {
	const { hub, policy } = place;
	const { frontend } = policy;
	const { ip, port, protocol } = question;
	const service = frontend.kind === "service" ? hub.cluster.services.get(frontend.service) : undefined;
	const who = `${policy.kind} ${policy.name}${world.hubs.length > 1 ? ` of hub ${hub.name}` : ""}`;
	const near = (why: string): Stance => ({ kind: "near", step: `${who} ${why}` });
	const idle = (why: string): Stance => ({
		kind: "idle",
		step: `${who} has ${l4Address(ip, port, protocol)}, but ${why}`,
	});
	if (frontend.kind === "service" && whyNotFound(service) !== undefined)
		return near(`is for Service ${frontend.service}, ${whyNotFound(service)} (ServiceNotFound)`);
	const ips = ipsOf(policy, service);
	if (!ips.includes(ip)) return undefined;
	const pairs = pairPorts(policy, service);
	const asked = pairs.filter(({ front }) => isAt(front, question));
	if (asked.length === 0) return near(`has ${ip}, but only with ${listPorts(pairs)}`);
	if (isReserved(frontend.kind, ip))
		return idle("it is not for users: node ports, or the agent's own check, stand there");
	const pair = asked.find((each) => each.kind === "pair") ?? asked[0];
	if (pair?.kind !== "pair") return idle(`${pair?.why} (PortsDoNotMatch)`);
	const why = whyNotHere(policy.hosts, hub, world.self) ?? whyNoTarget(place, world.self, ipFamily(ip));
	if (why !== undefined) return idle(why);
	const address = l4Address(ip, port, protocol);
	const families = ips.map(ipFamily);
	return {
		kind: "wants",
		want: { kind: "policy", ...place, mode: modeOf(policy), address, families, front: pair.front, back: pair.back },
	};
}

function whyNotFound(service: Service | undefined): string | undefined {
	if (service === undefined) return "which is not there";
	if (isOurs(service)) return undefined;
	if (service.otherProxy) return "which is another proxy's";
	return service.type === "ExternalName" ? "whose type is ExternalName" : "which is headless";
}

function ipsOf({ frontend }: Policy, service: Service | undefined): readonly Ip[] {
	if (frontend.kind === "address") return [frontend.ip];
	return (service?.clusterIps ?? []).filter((ip) => !isNodePortsIp(ip));
}

/** An address that a user gives by hand. A Service's is the cluster's to give. */
function isReserved(kind: "address" | "service", ip: Ip): boolean {
	return (
		kind === "address" && (isNodePortsIp(ip) || CANARY.frontends.some(({ address }) => l4Parts(address).ip === ip))
	);
}

function listPorts(pairs: readonly PortPair[]): string {
	return pairs.map(({ front }) => textOf(front)).join(", ") || "no port";
}

/** A host with a Node of its name is in the cluster, and the policy's nodes are chosen; others are outside. */
function whyNotHere({ nodes, outCluster }: PolicyHosts, { cluster }: HubSnapshot, self: Self): string | undefined {
	const node = cluster.nodes.get(self.nodeName);
	if (node === undefined)
		return outCluster ? undefined : `it is not for hosts outside of the cluster, and there is no Node ${self.nodeName}`;
	const { labels = NO_LABELS } = node;
	return matchesLabels(nodes, (key) => labelIn(labels, key))
		? undefined
		: `it is for other nodes: its nodeLabelSelector does not select ${self.nodeName}`;
}

/** A redirect leaves alone what it has no Pod for. */
function whyNoTarget({ policy, hub }: Place, self: Self, family: Family): string | undefined {
	if (policy.kind === "BalancingPolicy") return undefined;
	const among = (families: readonly Family[]) => redirectTargets(policy, { hub, self, families }).length > 0;
	if (among([family])) return undefined;
	return among(["IPv4", "IPv6"])
		? `no ready Pod on this node (${self.nodeName}) that it selects has an ${family} address`
		: `no Pod on this node (${self.nodeName}) that it selects is ready, with an address`;
}

const POD_MODES = {
	podEndpoint: "balancingPod",
	hostPort: "balancingHostPort",
	nodeProxy: "balancingNodeProxy",
} as const;

function modeOf(policy: Policy): FrontendMode {
	if (policy.kind === "LocalRedirectPolicy")
		return policy.frontend.kind === "service" ? "localRedirectService" : "localRedirectAddress";
	return policy.backend.kind === "addresses" ? "balancingAddress" : POD_MODES[policy.backend.mode];
}

// The Pods that a policy selects: which of them get new connections, and by what address.

import { assertNever } from "../../lib/assert_never.ts";
import { type Ip, ipFamily, type L4Address, l4Address } from "../../model/address.ts";
import { type LabelSelector, matchesLabels } from "../../model/label_selector.ts";
import { labelIn } from "../../model/labels.ts";
import type { Pod } from "../../model/pod.ts";
import type { LocalRedirectPolicy, PolicyBackend, PolicyPort, RedirectMode } from "../../model/policy.ts";
import type { Family } from "../node_ports.ts";
import type { HubSnapshot, Self } from "../plan_types.ts";
import type { ConsideredEndpoint } from "./explanation.ts";
import { isAt } from "./policy_ports.ts";

/** Sorted by key. */
export function podsSelectedBy(selector: LabelSelector, { cluster }: HubSnapshot): readonly Pod[] {
	return [...cluster.pods.values()]
		.filter(({ labels }) => matchesLabels(selector, (key) => labelIn(labels, key)))
		.sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** Those that the connections of this host are redirected to, in one of the families. */
export function redirectTargets(
	policy: LocalRedirectPolicy,
	{ hub, self, families }: { readonly hub: HubSnapshot; readonly self: Self; readonly families: readonly Family[] },
): readonly Pod[] {
	return podsSelectedBy(policy.pods, hub).filter(
		(pod) => whyNoTarget(pod, self) === undefined && pod.ips.some((ip) => families.includes(ipFamily(ip))),
	);
}

const TERMINATING = "terminating";

function whyNoTarget(pod: Pod, self: Self): string | undefined {
	if (pod.nodeName === "" || pod.nodeName !== self.nodeName) return "not on this node";
	if (pod.finished) return "it has ended";
	if (pod.terminating) return TERMINATING;
	return pod.ready ? undefined : "not ready";
}

export interface PodsAsked {
	readonly hub: HubSnapshot;
	readonly self: Self;
	readonly family: Family;
	/** Where connections arrive. */
	readonly back: PolicyPort;
}

/** As with Services, who terminates keeps the flows that it has: nobody shall miss an answer that is on its way. */
export function considerTargets(policy: LocalRedirectPolicy, asked: PodsAsked): readonly ConsideredEndpoint[] {
	return podsSelectedBy(policy.pods, asked.hub).map((pod): ConsideredEndpoint => {
		const facts = factsOf(pod, asked.hub);
		const ip = pod.ips.find((each) => ipFamily(each) === asked.family);
		const why = whyNoTarget(pod, asked.self);
		if (ip === undefined || (why !== undefined && why !== TERMINATING))
			return { ...facts, use: "none", through: [], why: why ?? `it has no ${asked.family} address` };
		const address = atPort(ip, asked.back);
		return { ...facts, address, use: why === undefined ? "new" : "flows", through: [address], why: why ?? "ready" };
	});
}

/** Of a BalancingPolicy: kube-proxy's rule for endpoints (KEP-1669), for those that there is a way to. */
export function considerPods(
	{ pods, mode }: Pick<PolicyBackend & { readonly kind: "pods" }, "pods" | "mode">,
	asked: PodsAsked,
	note: (step: string) => unknown,
): readonly ConsideredEndpoint[] {
	const found = podsSelectedBy(pods, asked.hub).map((pod) => {
		return { pod, state: stateOf(pod), way: wayTo(pod, mode, asked) };
	});
	const reached = found.filter(({ way }) => way.kind === "way");
	const isReady = reached.some(({ state }) => state === "ready");
	if (!isReady && reached.some(({ state }) => state === "draining"))
		note("No pod is ready: those that drain and still serve are used (KEP-1669)");
	const wanted = isReady ? "ready" : "draining";
	return found.map((each) => considerPod(each, { hub: asked.hub, wanted, isWeighted: mode !== "nodeProxy" }));
}

interface Choice {
	readonly hub: HubSnapshot;
	/** What new connections go to. */
	readonly wanted: State;
	/** A node's proxy stands for all Pods of the node. */
	readonly isWeighted: boolean;
}

function considerPod({ pod, state, way }: Found, { hub, wanted, isWeighted }: Choice): ConsideredEndpoint {
	const facts = factsOf(pod, hub);
	const why = DESCRIPTIONS[state];
	if (way.kind === "none") return { ...facts, use: "none", through: [], why: `${why}; ${way.lacks}` };
	const found = { ...facts, ...way.facts, through: way.through, why };
	if (state === "unready" || state === "ended") return { ...found, use: "none", through: [] };
	const { weight = 1 } = isWeighted ? pod : {};
	const weighed = weight === 1 ? found : { ...found, weight };
	if (state !== wanted) return { ...weighed, use: "flows" };
	return weight === 0 ? { ...weighed, use: "flows", why: `${why}; its weight is 0` } : { ...weighed, use: "new" };
}

interface Found {
	readonly pod: Pod;
	readonly state: State;
	readonly way: Way;
}

type State = "ready" | "draining" | "leaving" | "unready" | "ended";

const DESCRIPTIONS: Readonly<Record<State, string>> = {
	ready: "ready",
	draining: "terminating, and still ready",
	leaving: "terminating",
	unready: "not ready",
	ended: "it has ended",
};

function stateOf({ ready, terminating, finished }: Pod): State {
	if (finished) return "ended";
	if (terminating) return ready ? "draining" : "leaving";
	return ready ? "ready" : "unready";
}

type Way =
	| {
			readonly kind: "way";
			readonly through: readonly L4Address[];
			readonly facts: { readonly address?: L4Address };
	  }
	| { readonly kind: "none"; readonly lacks: string };

function wayTo(pod: Pod, mode: RedirectMode, asked: PodsAsked): Way {
	switch (mode) {
		case "podEndpoint": {
			const ip = pod.ips.find((each) => ipFamily(each) === asked.family);
			if (ip === undefined) return { kind: "none", lacks: `it has no ${asked.family} address` };
			const address = atPort(ip, asked.back);
			return { kind: "way", through: [address], facts: { address } };
		}
		case "hostPort":
			return wayByHostPort(pod, asked);
		case "nodeProxy":
			return wayByNode(pod, asked, "proxy address");
		default:
			return assertNever(mode);
	}
}

/** The port must really be open: nothing listens there otherwise. */
function wayByHostPort(pod: Pod, asked: PodsAsked): Way {
	const { back, family } = asked;
	const open = pod.hostPorts.filter((each) => isAt(each, back));
	if (open.length === 0) return { kind: "none", lacks: `it has no hostPort ${back.port}/${back.protocol}` };
	const fit = open.find(({ ip }) => ip === undefined) ?? open.find(({ ip }) => ip && ipFamily(ip) === family);
	if (fit === undefined)
		return { kind: "none", lacks: `its hostPort ${back.port}/${back.protocol} has no ${family} address` };
	return fit.ip === undefined
		? wayByNode(pod, asked, "address")
		: { kind: "way", through: [atPort(fit.ip, back)], facts: {} };
}

function wayByNode({ nodeName }: Pod, { hub, family, back }: PodsAsked, what: "address" | "proxy address"): Way {
	if (nodeName === "") return { kind: "none", lacks: "it is on no node" };
	const node = hub.cluster.nodes.get(nodeName);
	if (node === undefined) return { kind: "none", lacks: `its node ${nodeName} is not known` };
	const ips = (what === "address" ? node.ips : node.proxyIps).filter((ip) => ipFamily(ip) === family);
	if (ips.length === 0) return { kind: "none", lacks: `its node ${nodeName} has no ${family} ${what}` };
	const used = what === "address" ? ips.slice(0, 1) : [...new Set(ips)];
	return { kind: "way", through: used.map((ip) => atPort(ip, back)), facts: {} };
}

function factsOf({ key, nodeName }: Pod, { name }: HubSnapshot) {
	return { pod: key, hub: name, node: nodeName };
}

function atPort(ip: Ip, { port, protocol }: PolicyPort): L4Address {
	return l4Address(ip, port, protocol);
}

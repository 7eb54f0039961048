// Nodes, Pods and both policies by chance: few names, labels and addresses, so that they meet all the time.

import type { Dice } from "./dice.ts";
import { anyPlace, type Fields, NODE, type Place, STEADY, type SteadyPod } from "./objects.ts";

interface Entitled {
	readonly metadata: { readonly name: string; readonly namespace?: string } & Fields;
}

export type Made = Entitled & Fields & { readonly kind: string };
export type PolicyKind = "LocalRedirectPolicy" | "BalancingPolicy";

export const POLICY_KINDS: readonly PolicyKind[] = ["LocalRedirectPolicy", "BalancingPolicy"];
const API = "balancing.elf.io/v1beta1";
const NODES = [NODE, "there", "yonder"] as const;
const APPS = ["web", "dns", "db"] as const;
const PODS = 24;
const POLICIES = 8;
/** The older has what two want. */
const CREATED = ["2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z", "2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"];
/** Nobody has these; the last is a port of a cluster IP that no Service gives away. */
const VIPS = ["10.96.2.1", "10.96.2.2", "10.96.2.3", "fd00:96::2:1", "fd00:96::2:2", STEADY.ips[0]] as const;

export function anyNodeName(dice: Dice): string {
	return dice.pick(NODES);
}

/** The policies' hosts and modes look at labels, addresses and proxies; some have none. */
export function anyNode(dice: Dice, name: string): Made {
	// As many as its name is long: each has another.
	const [v4, v6] = [`10.202.250.${name.length}`, `fd00:202::fa:${name.length}`];
	const addresses = dice.pick([[v4, v6], [v4, v6], [v4], [v6], []]).map((address) => ({ type: "InternalIP", address }));
	const zone = dice.percent(30) ? { "topology.kubernetes.io/zone": dice.pick(["north", "south"]) } : {};
	const proxies = dice.percent(50) ? anyProxies(dice) : {};
	return {
		apiVersion: "v1",
		kind: "Node",
		metadata: { name, labels: { tier: dice.pick(["edge", "core"]), ...zone }, annotations: proxies },
		spec: {},
		status: { addresses },
	};
}

function anyProxies(dice: Dice): Readonly<Record<string, string>> {
	const number = 1 + dice.below(4);
	const v4 = { "balancing.elf.io/nodeProxyIpv4": `10.202.251.${number}` };
	return dice.percent(50) ? v4 : { ...v4, "balancing.elf.io/nodeProxyIpv6": `fd00:202::fb:${number}` };
}

export function anyPodPlace(dice: Dice): Place {
	return { namespace: "demo", name: `p${dice.below(PODS)}` };
}

/** Most are ready. Where it is nobody changes; all the rest may be another one's at any time. */
export function anyPod(dice: Dice, { namespace, name }: Place): Made {
	const index = Number(name.slice(1));
	const [net, host] = [dice.below(4), 1 + dice.below(30)];
	const ips = [`10.202.${net}.${host}`, `fd00:202::${net + 1}:${host.toString(16)}`];
	const tier = dice.percent(30) ? { tier: "edge" } : {};
	const deleted = dice.percent(10) ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {};
	const weight = dice.percent(30) ? { "balancing.elf.io/weight": dice.pick(["0", "2", "3", "1000", "heavy"]) } : {};
	return {
		apiVersion: "v1",
		kind: "Pod",
		metadata: {
			name,
			namespace,
			uid: uidOf(name),
			labels: { app: dice.pick(APPS), ...tier },
			annotations: weight,
			...deleted,
		},
		spec: {
			...(index % 8 === 7 ? {} : { nodeName: NODES[[0, 0, 0, 1, 0, 2][index % 6] ?? 0] }),
			...(dice.percent(10) ? { hostNetwork: true } : {}),
			containers: [{ name: "c", image: "i", ports: anyContainerPorts(dice) }],
		},
		status: anyStatus(dice, dice.pick([ips, ips, ips.slice(0, 1), ips.slice(1), []])),
	};
}

/** As API servers give it; by it a kubelet names the Pod's cgroup. */
export function uidOf(name: string): string {
	return `00000000-0000-4000-8000-${name.replace(/\D/g, "").padStart(12, "0")}`;
}

function anyContainerPorts(dice: Dice): readonly Fields[] {
	const ports: readonly Fields[] = [
		{ name: "http", containerPort: 8080, hostPort: 8080, protocol: "TCP" },
		{ name: "alt", containerPort: 8081, hostPort: 8081, protocol: "TCP" },
		{ name: "dns", containerPort: 5353, hostPort: 5353, protocol: "UDP" },
	];
	return dice.some(ports, dice.below(4));
}

function anyStatus(dice: Dice, ips: readonly string[]): Fields {
	const ready = dice.percent(80) ? "True" : "False";
	return {
		phase: dice.percent(5) ? "Succeeded" : "Running",
		...(ips[0] === undefined ? {} : { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) }),
		conditions: [{ type: "Ready", status: ready }],
	};
}

export function anyPolicyPlace(dice: Dice): { readonly kind: PolicyKind; readonly name: string } {
	return { kind: dice.pick(POLICY_KINDS), name: `p${dice.below(POLICIES)}` };
}

export function anyPolicy(dice: Dice, kind: PolicyKind, name: string): Made {
	const annotations: Record<string, string> = dice.percent(15)
		? { "balancing.elf.io/close-on-remove": dice.pick(["all", "none", "udp"]) }
		: {};
	if (kind === "LocalRedirectPolicy" && dice.percent(40))
		annotations["balancing.elf.io/redirect-qos-limit"] = dice.pick(["0", "1", "5", "1000000", "many"]);
	const backend = kind === "LocalRedirectPolicy" ? anyLocal(dice) : anyBackend(dice, annotations);
	const config = dice.percent(25) ? { config: anyConfig(dice) } : {};
	return policyOf(
		{ kind, name, annotations, created: dice.pick(CREATED) },
		{ ...config, frontend: anyFrontend(dice), backend },
	);
}

interface Head {
	readonly kind: PolicyKind;
	readonly name: string;
	readonly annotations: Readonly<Record<string, string>>;
	readonly created: string;
}

function policyOf({ kind, name, annotations, created }: Head, spec: Fields): Made {
	return { apiVersion: API, kind, metadata: { name, annotations, creationTimestamp: created }, spec };
}

function anyConfig(dice: Dice): Fields {
	return dice.pick<Fields>([
		{ nodeLabelSelector: { matchLabels: { tier: "edge" } } },
		{ nodeLabelSelector: { matchExpressions: [{ key: "tier", operator: "NotIn", values: ["edge"] }] } },
		{ enableOutCluster: false },
		{ nodeLabelSelector: { matchLabels: { tier: "core" } }, enableOutCluster: false },
	]);
}

const FRONT_PORTS: readonly Fields[] = [
	{ name: "http", port: "80", protocol: "TCP" },
	{ name: "alt", port: "8080", protocol: "TCP" },
	{ name: "dns", port: "53", protocol: "UDP" },
];
/** Ports on which every backend answers. */
const BACK_PORTS: readonly Fields[] = [
	{ name: "http", port: "8080", protocol: "TCP" },
	{ name: "alt", port: "8081", protocol: "TCP" },
	{ name: "dns", port: "5353", protocol: "UDP" },
	{ name: "dns-tcp", port: "80", protocol: "TCP" },
	{ name: "web", port: "8080", protocol: "TCP" },
];

/** Of a Service among few, or an address: free, or a cluster IP that a Service may have. */
function anyFrontend(dice: Dice): Fields {
	if (dice.percent(60)) {
		const index = dice.below(12);
		const { namespace, name } = dice.percent(90)
			? { namespace: index % 2 === 0 ? "demo" : "shop", name: `s${index}` }
			: anyPlace(dice);
		const ports = dice.percent(30) ? { toPorts: dice.some(FRONT_PORTS, 1 + dice.below(3)) } : {};
		return { serviceMatcher: { namespace, serviceName: name, ...ports } };
	}
	const ip = dice.percent(70) ? dice.pick(VIPS) : `10.96.1.${1 + dice.below(200)}`;
	// The steady Service has these itself.
	const ports = ip === STEADY.ips[0] ? FRONT_PORTS.slice(1, 2) : dice.some(FRONT_PORTS, 1 + dice.below(3));
	return { addressMatcher: { ip, toPorts: ports } };
}

/** Most often all that a frontend may need. */
function anyBackPorts(dice: Dice): readonly Fields[] {
	return dice.percent(75) ? BACK_PORTS : dice.some(BACK_PORTS, 1 + dice.below(4));
}

function anyPodSelector(dice: Dice): Fields {
	return dice.pick<Fields>([
		...APPS.map((app) => ({ matchLabels: { app } })),
		{ matchExpressions: [{ key: "app", operator: "In", values: ["web", "dns"] }] },
		{ matchLabels: { app: "web" }, matchExpressions: [{ key: "tier", operator: "DoesNotExist" }] },
		{ matchExpressions: [{ key: "tier", operator: "Exists" }] },
	]);
}

function anyLocal(dice: Dice): Fields {
	return { endpointSelector: anyPodSelector(dice), toPorts: anyBackPorts(dice) };
}

/** Weights of addresses are an annotation of the policy's. */
function anyBackend(dice: Dice, annotations: Record<string, string>): Fields {
	if (dice.percent(65)) {
		const redirectMode = dice.pick(["podEndpoint", "podEndpoint", "hostPort", "nodeProxy"]);
		return { serviceEndpoint: { endpointSelector: anyPodSelector(dice), redirectMode, toPorts: anyBackPorts(dice) } };
	}
	const pool = [1, 2, 3, 4, 5].flatMap((host) => [`10.202.0.${host}`, `fd00:202::1:${host}`]);
	const addresses = dice.some(pool, 1 + dice.below(5));
	if (dice.percent(60)) annotations["balancing.elf.io/weight"] = weightsOf(dice, addresses);
	return { addressEndpoint: { addresses, toPorts: anyBackPorts(dice) } };
}

function weightsOf(dice: Dice, addresses: readonly string[]): string {
	return addresses.map((ip) => `${ip}=${dice.pick([0, 1, 2, 3, 6, 1000])}`).join(",");
}

/** On the ports of the steady Service. */
const STEADY_PORTS: readonly Fields[] = [
	{ name: "http", port: String(STEADY.tcp.target), protocol: "TCP" },
	{ name: "dns", port: String(STEADY.udp.target), protocol: "UDP" },
];
const STEADY_MATCHER = { namespace: STEADY.namespace, serviceName: STEADY.name };
const STEADY_APP = "steady";
/** Two of each, so that they are in conflict now and then. */
const STEADY_POLICIES = ["steady-1", "steady-2"] as const;

export function anySteadyPolicyPlace(dice: Dice): { readonly kind: PolicyKind; readonly name: string } {
	return { kind: dice.pick(POLICY_KINDS), name: dice.pick(STEADY_POLICIES) };
}

/** Of the steady Service: wherever it sends its clients, they are answered. */
export function anySteadyPolicy(dice: Dice, kind: PolicyKind, name: string): Made {
	const created = dice.pick(CREATED);
	const config = dice.percent(20) ? { config: anyConfig(dice) } : {};
	const frontend = { serviceMatcher: STEADY_MATCHER };
	if (kind === "LocalRedirectPolicy") {
		const annotations: Record<string, string> = dice.percent(40)
			? { "balancing.elf.io/redirect-qos-limit": dice.pick(["1", "3", "10"]) }
			: {};
		const backend = { endpointSelector: { matchLabels: { app: STEADY_APP } }, toPorts: STEADY_PORTS };
		return policyOf({ kind, name, annotations, created }, { ...config, frontend, backend });
	}
	// Of both families, none of which may ever be without a backend.
	const some = [STEADY.v4, STEADY.v6].map((pool) => dice.some(pool, 1 + dice.below(3)));
	const weights = some.flatMap((ips) => ips.map((ip, index) => `${ip}=${(index === 0 ? 1 : 0) + dice.below(5)}`));
	const annotations = { "balancing.elf.io/weight": weights.join(",") };
	const backend = { addressEndpoint: { addresses: some.flat(), toPorts: STEADY_PORTS } };
	return policyOf({ kind, name, annotations, created }, { ...config, frontend, backend });
}

export function steadyPodPlace(name: SteadyPod): Place {
	return { namespace: STEADY.namespace, name };
}

/** On our node; ready or not, selected or not, in one family or both. */
export function anySteadyPod(dice: Dice, name: SteadyPod): Made {
	const ips = STEADY.pods[name];
	const labels = { app: dice.percent(85) ? STEADY_APP : "another" };
	const deleted = dice.percent(10) ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {};
	return {
		apiVersion: "v1",
		kind: "Pod",
		metadata: { name, namespace: STEADY.namespace, uid: uidOf(name), labels, ...deleted },
		spec: { nodeName: NODE, containers: [{ name: "c", image: "i" }] },
		status: anyStatus(dice, dice.pick([ips, ips, ips, ips.slice(0, 1), ips.slice(1)])),
	};
}

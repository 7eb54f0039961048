// Questions about a world: every address and port that stands somewhere in it, and some that do not.

import type { Ip, L4Address, Port, Protocol } from "../../src/model/address.ts";
import { l4Parts, parseIp, parsePort } from "../../src/model/address.ts";
import type { Cluster, Service } from "../../src/model/cluster.ts";
import { endpointsIn } from "../../src/model/endpoint_list.ts";
import type { Policy } from "../../src/model/policy.ts";
import { CANARY_IPV4, CANARY_IPV6 } from "../../src/plan/canary.ts";
import type { Question } from "../../src/plan/explain/explanation.ts";
import { nodePortsIp } from "../../src/plan/node_ports.ts";
import type { HubSnapshot, Self } from "../../src/plan/plan_types.ts";
import type { Random } from "./random.ts";

type Target = Pick<Question, "ip" | "port" | "protocol">;

const LOOPBACKS = ["127.0.0.1", "0.0.0.0", "::1", "::"].flatMap((text) => parseIp(text) ?? []);
const STRANGERS = ["198.51.100.9", "2001:db8::9"].flatMap((text) => parseIp(text) ?? []);
const STRANGE_PORTS = [81, 5810].flatMap((number) => parsePort(number) ?? []);
const CANARIES = [CANARY_IPV4, CANARY_IPV6].map((address: L4Address): Target => l4Parts(address));

/** So many of them, under the same seed the same ones; most concern what stands in a Service. */
export function questionsOf(
	hubs: readonly HubSnapshot[],
	self: Self,
	random: Random,
	count: number,
): readonly Question[] {
	const pick: Picker = (from) => from[Math.floor(random() * from.length)];
	const services = hubs.flatMap(({ cluster }) => [...cluster.services.values()]);
	const policies = hubs.flatMap(({ cluster }) => [...cluster.policies.values()].map((policy) => ({ policy, cluster })));
	const pods = [...new Set(hubs.flatMap(({ cluster }) => [...cluster.pods.keys()]))];
	const nodeIps = [...LOOPBACKS, ...nodeIpsOf(hubs), ...self.addresses];
	const sources: readonly (() => Target | undefined)[] = [
		...[1, 2, 3].map(() => () => pick(pick(services.map(standingTargets)) ?? [])),
		...[1, 2].map(() => () => pick(pick(services.map((service) => nodePortTargets(service, nodeIps))) ?? [])),
		...[1, 2, 3].map(() => () => pick(pick(policies.map(policyTargets)) ?? [])),
		() => anything(pick, { hubs, services, nodeIps }),
		() => (random() < 0.05 ? pick(CANARIES) : undefined),
	];
	const questions: Question[] = [];
	while (questions.length < count) {
		const target = pick(sources)?.();
		if (target !== undefined) questions.push({ client: clientOf(pick, pods), ...target });
	}
	return questions;
}

type Picker = <T>(from: readonly T[]) => T | undefined;

/** Now and then one of the Pods. */
function clientOf(pick: Picker, pods: readonly string[]): Question["client"] {
	const scope = pick(["host", "pod"] as const) ?? "host";
	const pod = pick([undefined, undefined, ...pods.slice(0, 2), pick(pods)]);
	return pod === undefined ? { scope } : { scope, pod };
}

function standingTargets(service: Service): readonly Target[] {
	return ipsOf(service).flatMap((ip) => service.ports.map(({ port, protocol }) => ({ ip, port, protocol })));
}

function nodePortTargets({ ports }: Service, nodeIps: readonly Ip[]): readonly Target[] {
	return ports.flatMap(({ nodePort, protocol }) =>
		nodePort === undefined ? [] : nodeIps.map((ip) => ({ ip, port: nodePort, protocol })),
	);
}

interface Placed {
	readonly policy: Policy;
	readonly cluster: Cluster;
}

/** The addresses of its Service with the ports of both, or its own. */
function policyTargets({ policy: { frontend }, cluster }: Placed): readonly Target[] {
	const service = frontend.kind === "service" ? cluster.services.get(frontend.service) : undefined;
	const ips = frontend.kind === "address" ? [frontend.ip] : (service?.clusterIps ?? []);
	const ports = [...frontend.ports, ...(service?.ports ?? [])];
	return ips.flatMap((ip) => ports.map(({ port, protocol }) => ({ ip, port, protocol })));
}

interface Pool {
	readonly hubs: readonly HubSnapshot[];
	readonly services: readonly Service[];
	readonly nodeIps: readonly Ip[];
}

/** Any address with any port. */
function anything(pick: Picker, pool: Pool): Target | undefined {
	const { hubs, services, nodeIps } = pool;
	const slices = hubs.flatMap(({ cluster }) => [...cluster.slices.values()].flat());
	const nodePortIps = hubs.flatMap((_, rank) => [nodePortsIp(rank, "IPv4"), nodePortsIp(rank, "IPv6")]);
	const pods = slices.flatMap(({ endpoints }) => endpointsIn(endpoints).map(({ ip }) => ip));
	const ip = pick([...STRANGERS, ...nodeIps, ...nodePortIps, ...services.flatMap(ipsOf), ...pods]);
	const theirs = services.flatMap(({ ports }) => ports.flatMap(({ port, nodePort }) => [port, nodePort ?? port]));
	const port = pick<Port>([
		...STRANGE_PORTS,
		...theirs,
		...slices.flatMap(({ ports }) => ports.map((each) => each.port)),
	]);
	const protocol = pick<Protocol>(["TCP", "UDP"]);
	return ip === undefined || port === undefined || protocol === undefined ? undefined : { ip, port, protocol };
}

function ipsOf({ clusterIps, external }: Service): readonly Ip[] {
	return [...clusterIps, ...(external?.externalIps ?? []), ...(external?.ingressIps ?? [])];
}

function nodeIpsOf(hubs: readonly HubSnapshot[]): readonly Ip[] {
	const nodes = hubs.flatMap(({ cluster }) => [...cluster.nodes.values()]);
	return nodes.flatMap(({ ips, proxyIps }) => [...ips, ...proxyIps]);
}

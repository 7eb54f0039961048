// Where a policy is opened, and to which port of its backends each of these places leads.

import { type Ip, ipFamily, type L4Address, l4Address, type Port, type Protocol } from "../../model/address.ts";
import type { Service } from "../../model/cluster.ts";
import type { Policy, PolicyFrontend, PolicyPort } from "../../model/policy.ts";
import { isCanaryIp } from "../canary.ts";
import { type Family, isNodePortsIp } from "../node_ports.ts";
import { isOurs } from "../service_addresses.ts";
import type { Complain, PolicySubject } from "./subject.ts";

export interface Place {
	readonly address: L4Address;
	readonly family: Family;
	/** A frontend's. */
	readonly name: string;
	readonly protocol: Protocol;
	/** The backends'. */
	readonly target: Port;
}

/** Distinct. What cannot be opened is complained of, and left out alone. */
export function placesOf({ policy, service }: PolicySubject, complain: Complain): readonly Place[] {
	const ips = ipsOf(policy.frontend, service, complain);
	if (ips.length === 0) return [];
	const places = new Map<L4Address, Place>();
	for (const { port, target } of pairsOf(policy, service, complain)) {
		const name = `${policy.name}:${port.name === "" ? port.port : port.name}`;
		const some = ips.map((ip) => ({ address: l4Address(ip, port.port, port.protocol), family: ipFamily(ip) }));
		if (some.some(({ address }) => places.has(address))) complainOfRepeat(policy, port, complain);
		for (const each of some)
			if (!places.has(each.address)) places.set(each.address, { ...each, name, protocol: port.protocol, target });
	}
	return [...places.values()];
}

/** The first one is used. What a Service repeats is the Service's Problem. */
function complainOfRepeat({ frontend }: Policy, { port, protocol }: Pair["port"], complain: Complain): void {
	if (frontend.ports.length === 0) return;
	complain(
		FRONTEND_PORTS[frontend.kind],
		"InvalidObject",
		`${port}/${protocol} stands here twice: the first one is used`,
	);
}

function ipsOf(frontend: PolicyFrontend, service: Service | undefined, complain: Complain): readonly Ip[] {
	if (frontend.kind === "address") {
		const reservedFor = whoseIp(frontend.ip);
		if (reservedFor === undefined) return [frontend.ip];
		const fact = `${frontend.ip} is reserved for ${reservedFor}`;
		complain("spec.frontend.addressMatcher.ip", "Unsupported", `${fact}: give the policy another address`);
		return [];
	}
	const ips = service === undefined || !isOurs(service) ? [] : service.clusterIps.filter((ip) => !isNodePortsIp(ip));
	if (ips.length === 0) {
		const fact = `Service ${frontend.service} ${whyNot(service)}`;
		complain("spec.frontend.serviceMatcher", "ServiceNotFound", fact);
	}
	return ips;
}

function whoseIp(ip: Ip): string | undefined {
	if (isNodePortsIp(ip)) return "node ports";
	return isCanaryIp(ip) ? "the agent's own check" : undefined;
}

/** The fact and the fix. */
function whyNot(service: Service | undefined): string {
	if (service === undefined) return "does not exist: create it, or correct its namespace and name";
	if (service.type === "ExternalName") return "is of type ExternalName, which has no address: use another Service";
	if (service.otherProxy) return "is left to another proxy by its label: remove the label, or use another Service";
	return "has no cluster IP: use one that is not headless";
}

interface Pair {
	readonly port: Pick<PolicyPort, "name" | "port" | "protocol">;
	readonly target: Port;
}

function pairsOf(policy: Policy, service: Service | undefined, complain: Complain): readonly Pair[] {
	const { frontend } = policy;
	const backends = backendPorts(policy);
	if (frontend.kind === "service" && frontend.ports.length === 0)
		return pair(service?.ports ?? [], (port) => partnerOf(port, backends.ports) ?? sameNumber(port, backends.ports), {
			field: backends.field,
			whose: `Service ${frontend.service}`,
			orNumber: true,
			complain,
		});
	const field = FRONTEND_PORTS[frontend.kind];
	const listed = frontend.kind === "address" ? frontend.ports : known(frontend, service, complain);
	const whose = "the frontend";
	return pair(listed, (port) => partnerOf(port, backends.ports), { field, whose, orNumber: false, complain });
}

/** Those that its Service has, too. */
function known(
	frontend: Extract<PolicyFrontend, { kind: "service" }>,
	service: Service | undefined,
	complain: Complain,
): readonly PolicyPort[] {
	return frontend.ports.filter(({ port, protocol }) => {
		if (service?.ports.some((each) => each.port === port && each.protocol === protocol)) return true;
		const fact = `Service ${frontend.service} has no port ${port}/${protocol}`;
		complain(FRONTEND_PORTS.service, "PortsDoNotMatch", `${fact}: give one of its ports; this one is left out`);
		return false;
	});
}

interface Unpaired {
	readonly field: string;
	readonly whose: string;
	/** Ports pair by number, too. */
	readonly orNumber: boolean;
	readonly complain: Complain;
}

function pair(
	ports: readonly Pair["port"][],
	find: (port: Pair["port"]) => PolicyPort | undefined,
	{ field, whose, orNumber, complain }: Unpaired,
): readonly Pair[] {
	return ports.flatMap((port) => {
		const partner = find(port);
		if (partner !== undefined) return [{ port, target: partner.port }];
		const { name, port: number, protocol } = port;
		const shown = name === "" ? `${number}/${protocol}` : `${name} (${number}/${protocol})`;
		const wanted = `${name === "" ? "no name" : `name ${name}`}${orNumber ? ` or number ${number}` : ""}`;
		const fact = `Port ${shown} of ${whose} has no partner among the backend's`;
		complain(
			field,
			"PortsDoNotMatch",
			`${fact}: give one with ${wanted} and protocol ${protocol}; this one is left out`,
		);
		return [];
	});
}

const FRONTEND_PORTS = {
	service: "spec.frontend.serviceMatcher.toPorts",
	address: "spec.frontend.addressMatcher.toPorts",
} as const;

/** What the backends offer, and where the policy says it. */
function backendPorts(policy: Policy): { readonly ports: readonly PolicyPort[]; readonly field: string } {
	if (policy.kind === "LocalRedirectPolicy") return { ports: policy.ports, field: "spec.backend.toPorts" };
	const { kind, ports } = policy.backend;
	return { ports, field: `spec.backend.${kind === "pods" ? "serviceEndpoint" : "addressEndpoint"}.toPorts` };
}

function partnerOf({ name, protocol }: Pair["port"], ports: readonly PolicyPort[]): PolicyPort | undefined {
	return ports.find((each) => each.name === name && each.protocol === protocol);
}

function sameNumber({ port, protocol }: Pair["port"], ports: readonly PolicyPort[]): PolicyPort | undefined {
	return ports.find((each) => each.port === port && each.protocol === protocol);
}

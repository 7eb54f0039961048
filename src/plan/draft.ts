// What one Service asks for, whatever other objects ask for.

import { type L4Address, l4Address, type Port } from "../model/address.ts";
import type { Service, ServicePort } from "../model/cluster.ts";
import type { Problem } from "../model/problem.ts";
import { type Backends, type Choice, chooseBackends, mostOf, type Reads } from "./endpoints.ts";
import type { Family } from "./node_ports.ts";
import type { Part, Want } from "./part.ts";
import type { Affinity, Frontend, Quarantine, Self } from "./plan_types.ts";
import { examine, type Probes } from "./probes.ts";
import { type Lost, reachOf } from "./reach.ts";
import { addressesOf, addressProblems, nodePortAddresses, type ServiceAddress } from "./service_addresses.ts";

/** Backends of one frontend, active and terminating together: what 16 bits count. */
export const MAX_BACKENDS = 65_535;

/** One for all that have none, which are nearly all. */
const NO_PROBLEMS: readonly Problem[] = [];

/** A Service of a hub. */
export interface Subject {
	readonly service: Service;
	/** The hub's. */
	readonly rank: number;
	readonly hub: string;
	/** In each of the clusters that it has endpoints in, its own among them. */
	readonly parts: readonly Part[];
}

/** What one object asks for. */
export interface Draft {
	/** Sorted by address, distinct. */
	readonly frontends: readonly Frontend[];
	readonly problems: readonly Problem[];
	/** Of the backends of its frontends, by the frontends' addresses. Absent: none. */
	readonly probes?: ReadonlyMap<L4Address, Probes>;
}

export interface ServiceDraft extends Draft {
	readonly reads: Reads;
}

interface Drafting {
	readonly subject: Subject;
	readonly self: Self;
	readonly quarantine: Quarantine;
	readonly frontends: Map<L4Address, Frontend>;
	readonly probes: Map<L4Address, Probes>;
	readonly problems: Problem[];
	readonly lost: Lost[];
	readonly reads: Reads[];
}

/** Backends of one port in one family, for all addresses that share them. */
interface Chosen {
	readonly choice: Choice;
	readonly probes: Probes;
	readonly affinity: Affinity | undefined;
}

type Chooser = (address: ServiceAddress) => Chosen;

/** Total: what cannot be done becomes a Problem. */
export function draftService(subject: Subject, self: Self, quarantine: Quarantine): ServiceDraft {
	const { service, rank } = subject;
	const frontends = new Map<L4Address, Frontend>();
	const probes = new Map<L4Address, Probes>();
	const problems = [...addressProblems(service, self)];
	const drafting: Drafting = { subject, self, quarantine, frontends, probes, problems, lost: [], reads: [] };
	const addresses = addressesOf(service, self);
	const nodePorts = nodePortAddresses(service, rank);
	for (const [index, port] of service.ports.entries()) {
		const choose = chooserOf(drafting, port);
		if (!draftPort(drafting, { addresses, port, number: port.port, choose })) problems.push(repeated(service, index));
		if (port.nodePort === undefined || nodePorts.length === 0) continue;
		if (!draftPort(drafting, { addresses: nodePorts, port, number: port.nodePort, choose }))
			problems.push(repeatedNodePort(service, index, port.nodePort));
	}
	const { lost, reads } = drafting;
	if (lost.length > 0) problems.push(unreachable(subject, self, lost));
	const said = problems.length === 0 ? NO_PROBLEMS : problems;
	const draft = { frontends: [...frontends.values()].sort(byAddress), problems: said, reads: mostOf(reads) };
	return probes.size === 0 ? draft : { ...draft, probes };
}

interface PortDraft {
	readonly addresses: readonly ServiceAddress[];
	readonly port: ServicePort;
	/** Where it is opened. */
	readonly number: Port;
	readonly choose: Chooser;
}

/** False: another port of the Service has this number. */
function draftPort(drafting: Drafting, { addresses, port, number, choose }: PortDraft): boolean {
	const { subject, frontends, probes, problems } = drafting;
	for (const place of addresses) {
		const address = l4Address(place.ip, number, port.protocol);
		if (frontends.has(address)) return false;
		const { choice, probes: some, affinity } = choose(place);
		// They are where the connections are sent then.
		if (place.mode === "ServiceLoadbalancer" && choice.way === "load-balancer") continue;
		const count = choice.active.length + choice.terminating.length;
		if (count > MAX_BACKENDS) problems.push(tooManyBackends(subject.service, address, count));
		if (some.size > 0) probes.set(address, some);
		frontends.set(address, frontendOf(subject.service, port, { ...place, address, choice, affinity }));
	}
	return true;
}

function chooserOf({ subject, self, quarantine, lost, reads }: Drafting, port: ServicePort): Chooser {
	const { service, parts } = subject;
	// Of one family and one policy, as a rule: no Map for each port of each Service.
	const chosen: (Chosen & Pick<Want, "family" | "isLocal">)[] = [];
	return ({ family, mode }) => {
		// External policy Local is for clients elsewhere: kube-proxy as well short-circuits those of its own node.
		const isLocal = mode === "ServiceClusterIP" && service.internalTrafficPolicy === "Local";
		const known = chosen.find((each) => each.family === family && each.isLocal === isLocal);
		if (known !== undefined) return known;
		const found = chooseBackends(parts, { service, family, port, isLocal }, self);
		for (const each of found.lost) lost.push(each);
		reads.push(found.reads);
		const { active, probes } = examine(found.active, service.healthCheck, quarantine);
		const choice = active === found.active ? found : { ...found, active };
		const affinity = service.affinity && { ...service.affinity, group: groupOf(subject, port, family) };
		const made = { family, isLocal, choice, probes, affinity };
		chosen.push(made);
		return made;
	};
}

/** Services of one name in several hubs have clients of their own, unless they are merged. */
function groupOf({ service, rank, hub }: Subject, port: ServicePort, family: Family): string {
	const group = `${nameOf(service, port)}/${port.protocol} ${family}`;
	if (service.global) return `${group} global`;
	return rank === 0 ? group : `${group} of ${hub}`;
}

interface Place extends ServiceAddress {
	readonly address: L4Address;
	readonly choice: Choice;
	readonly affinity: Affinity | undefined;
}

function frontendOf(service: Service, port: ServicePort, place: Place): Frontend {
	const { address, mode, choice, affinity } = place;
	const { closeOnRemove, external } = service;
	return {
		address,
		name: nameOf(service, port),
		mode,
		...limitBackends(choice),
		// UDP sockets always remember: their flows must keep their backend. TCP sockets that are to be closed must be known.
		keepsPeer: port.protocol === "UDP" || service.peerAddress === "frontend" || closeOnRemove === "all",
		...(affinity === undefined ? {} : { affinity }),
		...(closeOnRemove === undefined ? {} : { closeOnRemove }),
		...(mode === "ServiceNodeport" && external?.trafficPolicy === "Local" ? { ownNodeOnly: true } : {}),
	};
}

/** The same for all frontends that share them; active backends go before terminating ones. */
export function limitBackends({ active, terminating }: Backends): Backends {
	if (active.length + terminating.length <= MAX_BACKENDS) return { active, terminating };
	const kept = active.slice(0, MAX_BACKENDS);
	return { active: kept, terminating: terminating.slice(0, MAX_BACKENDS - kept.length) };
}

function nameOf({ key }: Service, { name, port }: ServicePort): string {
	return `${key}:${name === "" ? port : name}`;
}

function tooManyBackends(service: Service, address: L4Address, count: number): Problem {
	return {
		object: `Service ${service.key}`,
		reason: "TooLarge",
		message: tooMany(address, count),
	};
}

export function tooMany(address: L4Address, count: number): string {
	return `Frontend ${address} has ${count} backends, and ${MAX_BACKENDS} fit: the last ones by address are left out`;
}

function repeated(service: Service, index: number): Problem {
	const port = service.ports[index];
	return {
		object: `Service ${service.key}`,
		field: `spec.ports[${index}]`,
		reason: "InvalidObject",
		message: `${port?.port}/${port?.protocol} stands here twice: the first one is used`,
	};
}

function repeatedNodePort(service: Service, index: number, nodePort: Port): Problem {
	return {
		object: `Service ${service.key}`,
		field: `spec.ports[${index}].nodePort`,
		reason: "InvalidObject",
		message: `${nodePort}/${service.ports[index]?.protocol} stands here twice: the first one is used`,
	};
}

function unreachable({ service, parts }: Subject, self: Self, lost: readonly Lost[]): Problem {
	const own = parts.find((part) => part.service === service);
	const way = own === undefined ? self.reach : reachOf(own, self);
	// An endpoint is lost for each port and each kind of address.
	const { size } = new Set(lost.map(({ ip }) => ip));
	const count = size === 1 ? "One endpoint" : `${size} endpoints`;
	return {
		object: `Service ${service.key}`,
		...(service.reach === undefined ? {} : { field: 'metadata.annotations["balancing.elf.io/reach"]' }),
		reason: "Unreachable",
		message: `${count} cannot be reached by ${way}: ${lost[0]?.obstacle}, or choose another reach`,
	};
}

function byAddress(a: Frontend, b: Frontend): number {
	return a.address < b.address ? -1 : 1;
}

// One row over one family and one protocol: objects of its own, clients of its own, and what these must see.

import { type Client, outcomes } from "../support/client.ts";
import { type Family, familyNamed } from "./families.ts";
import type { Meeting } from "./meeting.ts";
import { type HostName, hostNamed, SERVED } from "./network.ts";
import {
	type EndpointOptions,
	type Fields,
	type Pair,
	type Place,
	type PortOptions,
	type ServiceOptions,
	type SliceOptions,
	serviceObject,
	sliceObjects,
} from "./objects.ts";
import { type PodOptions, type PolicyOptions, podObject, policyObject } from "./policies.ts";
import type { FamilyName, Protocol } from "./row.ts";
import type { World } from "./world.ts";

/** An address and port that clients connect to. */
export interface Target {
	readonly ip: string;
	readonly port: number;
}

/** Where a connection arrives: a pod or node, by default at its port 8080. */
export type Arrival = HostName | { readonly host: HostName | Pair; readonly port: number };

export interface TestService extends Place {
	readonly vip: Pair;
	/** Its address in the case's family. */
	at(port?: number): Target;
	object(changes?: ServiceOptions): Fields;
	/** One slice of each family with these endpoints; a name alone is a ready one. */
	slices(endpoints: readonly (HostName | EndpointOptions)[], options?: SliceOptions): readonly Fields[];
}

export interface Case extends AsyncDisposable {
	readonly world: World;
	readonly family: Family;
	readonly protocol: Protocol;
	/** Describes a Service, nothing more: one port, 80, of the case's protocol, unless the options say otherwise. */
	service(name?: string, options?: ServiceOptions): TestService;
	/** A Pod with that host's addresses, labelled `app: NAMESPACE` unless the options say otherwise. */
	pod(host: HostName, options?: PodOptions): Fields;
	/** What selects the case's Pods: `app: NAMESPACE`. */
	readonly labels: Readonly<Record<string, string>>;
	/** A LocalRedirectPolicy or a BalancingPolicy; its name is the case's own. */
	redirect(name: string, spec: Fields, options?: PolicyOptions): Fields;
	balancing(name: string, spec: Fields, options?: PolicyOptions): Fields;
	/** A port of a Service. */
	port(port: number, more?: Partial<PortOptions>): PortOptions;
	/** Creates or changes objects, and waits until the agents have written them. */
	apply(...objects: readonly (Fields | readonly Fields[])[]): Promise<void>;
	/** Deletes a Service and its slices, and waits likewise. */
	remove(service: TestService): Promise<void>;
	/** Deletes objects that were applied. */
	drop(...objects: readonly Fields[]): void;
	/** Waits until a demand is met: policies and Pods come by watches of their own, which `apply` does not wait for. */
	soon(demand: () => Promise<unknown>): Promise<void>;
	/** A client there, the same each time. */
	client(name: HostName): Client;
	target(ip: Pair | string, port: number): Target;
	/** A number that no other case has: of a node port. */
	nodePort(): number;
	/** Addresses that no other case has, out of which nothing is routed. */
	freshIps(): { readonly cluster: Pair; readonly otherCluster: Pair; readonly ingress: Pair; readonly external: Pair };
	/** Something that concerns everybody, done once for all cases of the row when they have come to it. */
	together(action: () => Promise<void>): Promise<void>;
	/** New connections from there arrive at these, at each of them, and nowhere else. */
	reach(from: readonly HostName[], target: Target, arrivals: readonly Arrival[]): Promise<void>;
	/** New connections are refused at once: ECONNREFUSED from the call itself. */
	refused(from: readonly HostName[], target: Target): Promise<void>;
	/** New connections go where the network takes them, which is nowhere: EHOSTUNREACH. */
	untouched(from: readonly HostName[], target: Target): Promise<void>;
	/** They go to a host that has no such port. */
	closed(from: readonly HostName[], target: Target): Promise<void>;
	/** All new connections from there arrive at one and the same of these: which one. */
	sticky(from: HostName, target: Target, arrivals: readonly Arrival[]): Promise<Arrival>;
}

/** Connections at a time. */
const ROUND = 12;
/** Rounds until a backend that never came is believed to be left out: of five, one in 10^19 would be. */
const ROUNDS = 16;

/** Numbers that cases share, so that none has another's. */
let taken = 0;

function fresh(block: string): Pair {
	const groups = block.replace(".", ":").replace(/:0$/, "");
	return { v4: `${block}.${taken >> 8}.${taken & 255}`, v6: `fd00:${groups}::${taken.toString(16)}` };
}

function arrivalText(arrival: Arrival, family: Family): string {
	const { host, port } = typeof arrival === "string" ? { host: arrival, port: 8080 } : arrival;
	return `${family.pick(typeof host === "string" ? hostNamed(host) : host)}|${port}`;
}

/** Ways to send that a protocol has: each must go by the same rules. */
const WAYS: Readonly<Record<Protocol, readonly string[]>> = { TCP: ["peer"], UDP: ["udp", "connected"] };

export interface CaseOptions {
	readonly id: string;
	readonly family: FamilyName;
	readonly protocol: Protocol;
	readonly meeting: Meeting;
}

function placeOf(metadata: unknown): readonly [namespace: string | undefined, name: string] {
	const { namespace, name } = metadata as { readonly namespace?: string; readonly name: string };
	return [namespace, name];
}

/** What an API server writes itself, and takes from nobody. */
function hasTimes(object: Fields): object is Fields & { readonly metadata: { readonly name: string } } {
	const { metadata } = object;
	if (typeof metadata !== "object" || metadata === null) return false;
	return "creationTimestamp" in metadata || "deletionTimestamp" in metadata;
}

/** Milliseconds. */
const SOON = 20_000;

/** The last failure is what is told. */
async function becomes(demand: () => Promise<unknown>): Promise<void> {
	const end = performance.now() + SOON;
	for (;;) {
		try {
			await demand();
			return;
		} catch (error) {
			if (performance.now() > end) throw error;
		}
	}
}

/** What a case has made; its policies are in no namespace. */
function removeAll({ hub }: World, namespace: string): void {
	for (const kind of ["LocalRedirectPolicy", "BalancingPolicy"])
		for (const { metadata } of hub.list(kind))
			if (metadata.name.startsWith(`${namespace}-`)) hub.delete(kind, undefined, metadata.name);
	for (const kind of ["Service", "EndpointSlice", "Pod"])
		for (const { metadata } of hub.list(kind))
			if (metadata.namespace === namespace) hub.delete(kind, namespace, metadata.name);
}

export function openCase(world: World, { id, protocol, meeting, ...by }: CaseOptions): Case {
	const family = familyNamed(by.family);
	const namespace = `${id}-${by.family}-${protocol}`.toLowerCase().replaceAll(/[^a-z0-9-]/g, "-");
	const clients = new Map<HostName, Client>();

	function clientIn(name: HostName): Client {
		const known = clients.get(name) ?? world.client(name);
		clients.set(name, known);
		return known;
	}

	const port = (number: number, more: Partial<PortOptions> = {}): PortOptions => ({
		name: `p${number}`,
		port: number,
		protocol,
		...more,
	});

	function service(name = "web", options: ServiceOptions = {}): TestService {
		const place = { namespace, name };
		taken += 1;
		const { vip = fresh("10.211"), ports = [port(80)] } = options;
		const served = ports.map((each, index) => ({ name: each.name, port: SERVED[index] ?? 0, protocol: each.protocol }));
		return {
			...place,
			vip,
			at: (number = 80) => ({ ip: family.dial(family.pick(vip)), port: number }),
			object: (changes = {}) => serviceObject(place, { vip, ports, ...options, ...changes }),
			slices: (endpoints, more = {}) =>
				sliceObjects(
					place,
					endpoints.map((each) => (typeof each === "string" ? { host: each } : each)),
					{ ports: served, ...more },
				),
		};
	}

	/** What became of that many connections, for each way to send. */
	async function attempt(from: HostName, target: Target, count: number): Promise<ReadonlyMap<string, string>> {
		const seen = new Map<string, string>();
		for (const way of WAYS[protocol]) {
			const answer = await clientIn(from).ask(`storm ${way} ${count} ${target.ip} ${target.port}`);
			for (const outcome of outcomes(answer).keys()) seen.set(`${way} ${outcome.slice(1)}`, way);
		}
		return seen;
	}

	function wrong(from: HostName, target: Target, facts: { wanted: string; got: readonly string[] }): Error {
		const { wanted, got } = facts;
		return new Error(
			`From ${from}, ${target.ip} port ${target.port}/${protocol}: wanted ${wanted}, got ${got.join(", ") || "nothing"}`,
		);
	}

	async function meets(from: readonly HostName[], target: Target, outcome: string): Promise<void> {
		for (const name of from) {
			const got = [...(await attempt(name, target, 1)).keys()];
			if (got.some((each) => !each.endsWith(` ${outcome}`))) throw wrong(name, target, { wanted: outcome, got });
		}
	}

	/** As the test of Kubernetes counts, AffinityConfirmCount. */
	async function arrivesAtOne(from: HostName, target: Target, arrivals: readonly Arrival[]): Promise<Arrival> {
		const got = [...(await attempt(from, target, 15)).keys()];
		const found = new Set(got.map((each) => each.slice(each.indexOf(" ") + 1)));
		const known = arrivals.filter((each) => found.has(`>${arrivalText(each, family)}`));
		const [only] = known;
		if (found.size !== 1 || only === undefined) throw wrong(from, target, { wanted: "always one of them", got });
		return only;
	}

	async function reachFrom(from: HostName, target: Target, arrivals: readonly Arrival[]): Promise<void> {
		const wanted = WAYS[protocol].flatMap((way) => arrivals.map((each) => `${way} >${arrivalText(each, family)}`));
		const got = new Set<string>();
		for (let round = 0; round < ROUNDS && wanted.some((each) => !got.has(each)); round += 1) {
			for (const each of (await attempt(from, target, ROUND)).keys()) got.add(each);
			if ([...got].some((each) => !wanted.includes(each))) break;
		}
		if (got.size !== wanted.length || wanted.some((each) => !got.has(each)))
			throw wrong(from, target, { wanted: wanted.join(", "), got: [...got].sort() });
	}

	const labels = { app: namespace };

	return {
		world,
		labels,
		pod: (host, options = {}) => podObject({ namespace, name: host }, host, { labels, ...options }),
		redirect: (name, spec, options) => policyObject("LocalRedirectPolicy", `${namespace}-${name}`, spec, options),
		balancing: (name, spec, options) => policyObject("BalancingPolicy", `${namespace}-${name}`, spec, options),
		drop(...objects) {
			for (const { kind, metadata } of objects) world.hub.delete(String(kind), ...placeOf(metadata));
		},
		soon: becomes,
		family,
		protocol,
		service,
		port,
		async apply(...objects) {
			for (const object of objects.flat()) {
				if (hasTimes(object)) world.hub.put(String(object["kind"]), object);
				else world.hub.apply([object]);
			}
			await world.settled();
		},
		async remove(one) {
			world.hub.delete("Service", namespace, one.name);
			for (const { metadata } of world.hub.list("EndpointSlice")) {
				const label = metadata.labels?.["kubernetes.io/service-name"];
				if (metadata.namespace === namespace && label === one.name)
					world.hub.delete("EndpointSlice", namespace, metadata.name);
			}
			await world.settled();
		},
		client: clientIn,
		target: (ip, number) => ({ ip: family.dial(typeof ip === "string" ? ip : family.pick(ip)), port: number }),
		nodePort() {
			taken += 1;
			return 30_000 + taken;
		},
		freshIps() {
			taken += 1;
			return {
				cluster: fresh("10.211"),
				otherCluster: fresh("10.213"),
				ingress: fresh("10.212"),
				external: fresh("203.0"),
			};
		},
		together: meeting.together,
		async reach(from, target, arrivals) {
			await Promise.all(from.map((name) => reachFrom(name, target, arrivals)));
		},
		refused: (from, target) => meets(from, target, "!ECONNREFUSED"),
		untouched: (from, target) => meets(from, target, "!EHOSTUNREACH"),
		async closed(from, target) {
			// Only a connected socket hears of it.
			const way = protocol === "TCP" ? "tcp" : "connected";
			for (const name of from) {
				const answer = await clientIn(name).ask(`storm ${way} 1 ${target.ip} ${target.port}`);
				if (!answer.startsWith("0!ECONNREFUSED="))
					throw wrong(name, target, { wanted: "a closed port", got: [answer] });
			}
		},
		sticky: arrivesAtOne,
		async [Symbol.asyncDispose]() {
			meeting.leave();
			await Promise.all([...clients.values()].map((one) => one.kill()));
			removeAll(world, namespace);
		},
	};
}

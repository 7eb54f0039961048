// What the kernel's maps must hold for what a hub has, worked out without the agent; and what they hold.

import { createOwnAddresses } from "../../src/agent/own_addresses.ts";
import type { Maps } from "../../src/datapath/maps.ts";
import { l4Parts } from "../../src/model/address.ts";
import { projectBalancingPolicy } from "../../src/model/balancing_policy.ts";
import type { Cluster, EndpointSlice } from "../../src/model/cluster.ts";
import { EMPTY_CLUSTER } from "../../src/model/cluster.ts";
import { projectEndpointSlice } from "../../src/model/endpoint_slice.ts";
import { projectLocalRedirectPolicy } from "../../src/model/local_redirect_policy.ts";
import { projectNode } from "../../src/model/node.ts";
import { projectPod } from "../../src/model/pod.ts";
import { policyKey } from "../../src/model/policy.ts";
import type { Projection } from "../../src/model/report.ts";
import { projectService } from "../../src/model/service.ts";
import { planFresh } from "../../src/plan/plan.ts";
import type { Frontend, Plan } from "../../src/plan/plan_types.ts";
import type { TestHub } from "../support/hub/hub.ts";
import { selfOf } from "../support/plans.ts";
import { describeSet, describeTraits, follow, readMemory } from "../support/program_view.ts";
import { hashOf, wantedKnown, wantedTraits } from "../support/wanted.ts";
import type { Identities } from "./guarded.ts";
import { isServed } from "./policy_world.ts";

const OWNER = "kubernetes.io/service-name";
const HEADLESS = "service.kubernetes.io/headless";
const OTHER_PROXY = "service.kubernetes.io/service-proxy-name";

type Labels = Readonly<Record<string, string>>;

/** `hubName`: as the agent calls it. */
export function expectedPlan(hub: TestHub, { nodeName, hubName }: { nodeName: string; hubName: string }): Plan {
	const slices = new Map<string, readonly EndpointSlice[]>();
	for (const object of asSent(hub, "EndpointSlice", isOurSlice)) {
		const { value } = projectEndpointSlice(object);
		if (value !== undefined) slices.set(value.service, [...(slices.get(value.service) ?? []), value]);
	}
	const isOurs = (labels: Labels): boolean => !(OTHER_PROXY in labels);
	const policies = [
		...projected(asSent(hub, "LocalRedirectPolicy"), projectLocalRedirectPolicy),
		...projected(asSent(hub, "BalancingPolicy"), projectBalancingPolicy),
	];
	const cluster: Cluster = {
		...EMPTY_CLUSTER,
		slices,
		services: mapOf(projected(asSent(hub, "Service", isOurs), projectService), ({ key }) => key),
		nodes: mapOf(
			projected(asSent(hub, "Node"), (object) => projectNode(object, nodeName)),
			({ name }) => name,
		),
		// An agent knows fewer: those of its own node, and those that a policy selects.
		pods: mapOf(projected(asSent(hub, "Pod"), projectPod), ({ key }) => key),
		policies: mapOf(policies, policyKey),
	};
	// As the agent is started: a folder of manifests, which stays empty, and then the API server.
	const hubs = [
		{ name: "manifests", cluster: EMPTY_CLUSTER },
		{ name: hubName, cluster },
	];
	return planFresh(hubs, { ...selfOf(nodeName), addresses: createOwnAddresses().current() });
}

function projected<T>(objects: readonly unknown[], project: (object: unknown) => Projection<T>): readonly T[] {
	return objects.map((object) => project(object).value).filter((value) => value !== undefined);
}

function mapOf<K, V>(values: readonly V[], keyOf: (value: V) => K): ReadonlyMap<K, V> {
	return new Map(values.map((value) => [keyOf(value), value]));
}

/** Sorted by address. */
export function frontendsOf({ chunks }: Plan): readonly Frontend[] {
	return [...chunks.values()].flatMap(({ frontends }) => frontends).sort((a, b) => (a.address < b.address ? -1 : 1));
}

function isOurSlice(labels: Labels): boolean {
	return OWNER in labels && !(HEADLESS in labels) && !(OTHER_PROXY in labels);
}

/** As they go over the wire, of those that the agent asks for. */
function asSent(hub: TestHub, kind: string, isAskedFor: (labels: Labels) => boolean = () => true): readonly unknown[] {
	if (!isServed(hub, kind)) return [];
	const objects = hub.list(kind).filter(({ metadata }) => isAskedFor(metadata.labels ?? {}));
	return JSON.parse(JSON.stringify(objects));
}

/** One line for each frontend, each known address and each guard, then how many elements each map has. `identities`: all that can be found. */
export function expectedState(plan: Plan, identities: Identities): readonly string[] {
	const all = frontendsOf(plan).flatMap(withNext);
	const lines = all.map(([address, frontend]) => {
		const { name, active, terminating } = frontend;
		return `${address} ${name} ${sorted(active)}|${sorted(terminating)} ${wantedTraits(frontend)}`;
	});
	const frontends = all.map(([, frontend]) => frontend);
	const known = [...plan.addresses].map(([ip, what]) => `${ip} is ${wantedKnown(what)}`);
	const members = frontends.map(({ active, terminating }) => [...active, ...terminating]);
	const backends = new Set(members.flat());
	return [
		...lines.sort(),
		...known.sort(),
		...expectedGuards(plan, identities),
		`${frontends.length} names`,
		`${members.flat().length} slots`,
		`${backends.size} backends: ${sorted([...backends])}`,
	];
}

function expectedGuards({ guards }: Plan, identities: Identities): readonly string[] {
	const lines = [...guards].flatMap(([group, pods]) =>
		pods.flatMap(({ uid }) => (identities.get(uid) ?? []).map((identity) => `guard ${hashOf(group)} ${identity}`)),
	);
	return [...new Set(lines)].sort();
}

/** Who is next to a redirect is there by the same address. */
function withNext(frontend: Frontend): readonly (readonly [address: string, frontend: Frontend])[] {
	const { address, redirect } = frontend;
	const own = [address, frontend] as const;
	return redirect?.next === undefined ? [own] : [own, [`${address} next`, redirect.next]];
}

/** As `frontends -o json` is to say it: backends with their weights, 0 of those that keep what they have. */
export function expectedFrontends(plan: Plan): readonly string[] {
	const all = frontendsOf(plan).flatMap(withNext);
	return all
		.filter(([, { mode }]) => mode !== "Canary")
		.map(([address, { name, active, terminating, redirect }]) => {
			const weights = new Map<string, number>(terminating.map((backend) => [backend, 0]));
			for (const backend of active) weights.set(backend, (weights.get(backend) ?? 0) + 1);
			return shownLine({ address, name, limit: redirect?.limit ?? null, weights: [...weights] });
		});
}

interface Shown {
	readonly address: string;
	readonly name: string;
	readonly limit: number | null;
	readonly isNext: boolean;
	readonly backends: readonly { readonly address: string; readonly weight: number }[];
}

/** What it says, from its JSON. */
export function shownFrontends(json: string): readonly string[] {
	const views: readonly Shown[] = JSON.parse(json);
	return views.map(({ address, name, limit, isNext, backends }) => {
		const weights = backends.map((one): Weight => [one.address, one.weight]);
		return shownLine({ address: isNext ? `${address} next` : address, name, limit, weights });
	});
}

type Weight = readonly [address: string, weight: number];

interface Line extends Omit<Shown, "isNext" | "backends"> {
	readonly weights: readonly Weight[];
}

function shownLine({ address, name, limit, weights }: Line): string {
	return `${address} ${name} ${limit}: ${sorted(weights.map(([backend, weight]) => `${backend}x${weight}`))}`;
}

/** What expectedState() says, of the maps, decoded by other code than the agent's. */
export function kernelState(maps: Maps): readonly string[] {
	const memory = readMemory(maps);
	const { frontends, names, slots, backends } = memory;
	const lines = frontends.map((frontend) => {
		const name = names.get(frontend.id) ?? "(no name)";
		return `${frontend.address} ${name} ${describeSet(memory, frontend)} ${describeTraits(frontend)}`;
	});
	const known = [...memory.addresses].map(([ip, what]) => `${ip} is ${what}`);
	const reached = frontends.flatMap((frontend) => follow(memory, frontend).map((found) => found?.address ?? "?"));
	return [
		...lines.sort(),
		...known.sort(),
		...[...memory.guards].sort(),
		`${names.size} names`,
		`${slots.size} slots`,
		`${backends.size} backends: ${sorted([...new Set(reached)])}`,
	];
}

function sorted(addresses: readonly string[]): string {
	return [...addresses].sort().join(" ");
}

/** Lines of one that the other lacks; empty if they are the same. */
export function difference(expected: readonly string[], found: readonly string[]): readonly string[] {
	const [wanted, there] = [new Set(expected), new Set(found)];
	return [
		...expected.filter((line) => !there.has(line)).map((line) => `missing: ${line}`),
		...found.filter((line) => !wanted.has(line)).map((line) => `too much: ${line}`),
	];
}

/** `10.202.0.1|8080`, as a client's storm calls a server. */
export function serverOf(backend: Frontend["address"]): string {
	const { ip, port } = l4Parts(backend);
	return `${ip}|${port}`;
}

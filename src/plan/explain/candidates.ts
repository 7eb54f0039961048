// The endpoints of a Service, and which of them new connections go to: kube-proxy's pkg/proxy/topology.go in our words.

import { type L4Address, l4Address } from "../../model/address.ts";
import type { Endpoint, EndpointSlice, Service, ServicePort } from "../../model/cluster.ts";
import { endpointsIn } from "../../model/endpoint_list.ts";
import type { Family } from "../node_ports.ts";
import type { HubSnapshot, Self } from "../plan_types.ts";
import type { EndpointUse } from "./explanation.ts";
import type { World } from "./wants.ts";

/** From which endpoints the choice is made. */
export interface Choice {
	readonly hub: HubSnapshot;
	readonly service: Service;
	readonly port: ServicePort;
	readonly family: Family;
	/** internalTrafficPolicy Local, at a cluster IP. */
	readonly local: boolean;
}

export type State = "ready" | "draining" | "leaving" | "dead";

/** An endpoint as all slices of one hub show it. */
export interface Candidate {
	readonly hub: HubSnapshot;
	readonly endpoint: Endpoint;
	readonly address: L4Address;
	readonly state: State;
}

export interface Judged extends Candidate {
	readonly use: EndpointUse;
	readonly why: string;
}

/** Those whose state is better stand before others. */
const STATES: readonly State[] = ["ready", "draining", "leaving", "dead"];

/** Every endpoint with what it is good for; `note` is told what was decided for all of them. */
export function judgeEndpoints(world: World, choice: Choice, note: (step: string) => unknown): readonly Judged[] {
	const hubs = sharingHubs(world, choice);
	const all = hubs.map((hub) => candidatesOf(hub, choice, world.self));
	const eligible = all.map((some) => some.filter((each) => isEligible(each, choice, world.self)));
	const chosen = chooseHub(eligible);
	const source = hubs[chosen.index];
	if (source === undefined) note(`No endpoint is ready, and none is draining${choice.local ? " on this node" : ""}`);
	else if (hubs.length > 1)
		note(`New connections go to hub ${source.name}: the first one with ${chosen.state} endpoints`);
	const judgeOther: Preference = ({ state }) =>
		source === undefined ? describe(state) : "another hub's endpoints are used";
	const judge = preferenceOf(eligible[chosen.index] ?? [], { ...chosen, choice, self: world.self, source }, note);
	return all.flatMap((some, index) =>
		some.map((each) => ({ ...each, ...judgeOne(each, index === chosen.index ? judge : judgeOther, world, choice) })),
	);
}

/** Services of one key that are global in several hubs share their endpoints. */
function sharingHubs({ hubs }: World, { hub, service }: Choice): readonly HubSnapshot[] {
	return service.global ? hubs.filter(({ cluster }) => cluster.services.get(service.key)?.global === true) : [hub];
}

function candidatesOf(hub: HubSnapshot, choice: Choice, self: Self): readonly Candidate[] {
	const found: Candidate[] = [];
	for (const slice of hub.cluster.slices.get(choice.service.key) ?? []) {
		const port = slice.addressType === choice.family ? portIn(slice, choice.port) : undefined;
		if (port === undefined) continue;
		for (const endpoint of endpointsIn(slice.endpoints)) {
			const address = l4Address(endpoint.ip, port.port, port.protocol);
			found.push({ hub, endpoint, address, state: stateOf(endpoint) });
		}
	}
	// While slices are rewritten an endpoint may stand in two of them: the better state counts, on our node if that matters.
	const worth = (each: Candidate) => (isEligible(each, choice, self) ? 0 : STATES.length) + STATES.indexOf(each.state);
	const best = new Map<L4Address, Candidate>();
	for (const each of found) {
		const other = best.get(each.address);
		if (other === undefined || worth(each) < worth(other)) best.set(each.address, each);
	}
	return [...best.values()];
}

/** Endpoint ports are matched by name, never by number: `targetPort` may differ from endpoint to endpoint (row S20). */
function portIn({ ports }: EndpointSlice, { name, protocol }: ServicePort) {
	return ports.find((port) => port.name === name && port.protocol === protocol);
}

function stateOf({ ready, serving, terminating }: Endpoint): State {
	if (ready) return "ready";
	if (serving && terminating) return "draining";
	return serving || terminating ? "leaving" : "dead";
}

function isEligible({ endpoint }: Candidate, { local }: Choice, { nodeName }: Self): boolean {
	return !local || (nodeName !== "" && endpoint.nodeName === nodeName);
}

interface Chosen {
	/** -1: none. */
	readonly index: number;
	readonly state: State;
}

/** The first cluster that has ready endpoints; where none has, the first that has draining ones (KEP-1669). */
function chooseHub(clusters: readonly (readonly Candidate[])[]): Chosen {
	for (const state of ["ready", "draining"] as const) {
		const index = clusters.findIndex((some) => some.some((each) => each.state === state));
		if (index >= 0) return { index, state };
	}
	return { index: -1, state: "dead" };
}

/** Undefined: new connections may go there. Else why they do not. */
type Preference = (candidate: Candidate) => string | undefined;

interface Preferring extends Chosen {
	readonly choice: Choice;
	readonly self: Self;
	readonly source: HubSnapshot | undefined;
}

function preferenceOf(
	eligible: readonly Candidate[],
	{ state, choice, self, source }: Preferring,
	note: (step: string) => unknown,
): Preference {
	const inState: Preference = (each) => (each.state === state ? undefined : describe(each.state));
	if (state === "draining") note("No endpoint is ready: those that drain and still serve are used (KEP-1669)");
	if (state !== "ready" || choice.local || source === undefined) return inState;
	const ready = eligible.filter((each) => each.state === "ready");
	const zone = source.cluster.nodes.get(self.nodeName)?.zone ?? "";
	const hints = [
		{ kind: "node", own: self.nodeName, of: ({ endpoint }: Candidate) => endpoint.hints?.nodes ?? [] },
		{ kind: "zone", own: zone, of: ({ endpoint }: Candidate) => endpoint.hints?.zones ?? [] },
	];
	const hint = hints.find(
		({ own, of }) =>
			own !== "" && ready.every((each) => of(each).length > 0) && ready.some((each) => of(each).includes(own)),
	);
	if (hint === undefined) return inState;
	note(`All ready endpoints have hints for ${hint.kind}s, and some are for ${hint.own}: only these are used`);
	return (each) =>
		inState(each) ?? (hint.of(each).includes(hint.own) ? undefined : `its hints are for other ${hint.kind}s`);
}

function judgeOne(each: Candidate, judge: Preference, { self }: World, choice: Choice): Pick<Judged, "use" | "why"> {
	if (!isEligible(each, choice, self)) return { use: "none", why: "not on this node (internalTrafficPolicy Local)" };
	const refusal = judge(each);
	if (refusal === undefined) return { use: "new", why: describe(each.state) };
	if (each.state === "dead") return { use: "none", why: describe(each.state) };
	return { use: "flows", why: refusal };
}

function describe(state: State): string {
	if (state === "ready") return "ready";
	if (state === "draining") return "terminating, and still serving";
	return state === "leaving" ? "not ready, but serving or terminating" : "not ready";
}

// A connection to an address that a Service has: where it goes.

import { ipFamily, type L4Address, l4Parts } from "../../model/address.ts";
import type { Service } from "../../model/cluster.ts";
import { FRONTEND_KIND } from "../frontend_kind.ts";
import { judgeEndpoints } from "./candidates.ts";
import type { ConsideredEndpoint, DecidingFrontend, EndpointUse, Explanation, Verdict } from "./explanation.ts";
import type { Want, World } from "./wants.ts";
import { findWays } from "./ways.ts";

/** The first want has it. */
export function explainFrontend(world: World, wants: readonly Want[], before: readonly string[]): Explanation {
	const [winner, ...others] = wants;
	if (winner === undefined) throw new Error("Cannot explain a frontend that nobody wants");
	const steps = [...before, ...describeWinner(world, winner)];
	for (const other of others) if (!isTwin(winner, other)) steps.push(describeLoser(world, winner, other));
	const note = (step: string) => steps.push(step);
	const family = ipFamily(l4Parts(winner.address).ip);
	const local = winner.mode === "ServiceClusterIP" && winner.service.internalTrafficPolicy === "Local";
	if (local) note(`internalTrafficPolicy Local: only endpoints on this node (${world.self.nodeName})`);
	const judged = judgeEndpoints(world, { ...winner, family, local }, note);
	const endpoints = findWays(world, { ...winner, family, local }, judged, note);
	const verdict = verdictOf(endpoints);
	const frontend = describeFrontend(winner);
	if (frontend.affinity !== undefined && verdict.kind === "translate") {
		const { seconds, client } = frontend.affinity;
		note(`sessionAffinity ClientIP: a client (${client}) goes on to the backend it had in the last ${seconds} s`);
	}
	return { verdict, because: becauseOf(winner.service, endpoints, verdict), frontend, steps, endpoints };
}

function describeWinner(world: World, want: Want): readonly string[] {
	const { service, mode } = want;
	const isPolicyIdle = service.external?.trafficPolicy === "Local" && mode !== "ServiceClusterIP";
	return [
		describeWant(world, want),
		...(isPolicyIdle
			? ["externalTrafficPolicy Local does not matter: this client is inside, and endpoints on any node serve it"]
			: []),
	];
}

/** Where node ports stand in a plan means nothing to a person. */
export function describeWant({ hubs }: World, { service, port, mode, address, hub }: Want): string {
	const what = mode === "ServiceNodeport" ? `${port.nodePort}/${port.protocol}` : address;
	const where = hubs.length > 1 ? ` of hub ${hub.name}` : "";
	const name = port.name === "" ? "" : ` ${port.name}`;
	return `${what} is ${FRONTEND_KIND[mode]} of Service ${service.key}${where}, port${name} ${port.port}/${port.protocol}`;
}

/** Two that are merged want the same of an address that both have. */
function isTwin(winner: Want, other: Want): boolean {
	return (
		winner.service.global &&
		other.service.global &&
		winner.service.key === other.service.key &&
		winner.port.name === other.port.name
	);
}

function beats(mode: Want["mode"], other: Want["mode"]): string {
	return mode === other
		? "is older, or the first by name"
		: `has it as ${FRONTEND_KIND[mode]}, which goes before ${FRONTEND_KIND[other]}`;
}

function describeLoser({ hubs }: World, winner: Want, { service, rank, mode }: Want): string {
	const why = winner.rank === rank ? beats(winner.mode, mode) : `is in hub ${winner.hub.name}, which goes before`;
	const where = hubs.length > 1 ? ` of hub ${hubs[rank]?.name}` : "";
	return `Service ${service.key}${where} wants it as well: Service ${winner.service.key} ${why}`;
}

function describeFrontend({ service, port, mode, address, hub }: Want): DecidingFrontend {
	const name = `${service.key}:${port.name === "" ? port.port : port.name}`;
	const facts = { address, name, hub: hub.name, mode };
	return service.affinity === undefined ? facts : { ...facts, affinity: service.affinity };
}

function verdictOf(endpoints: readonly ConsideredEndpoint[]): Verdict {
	const active = reachedBy(endpoints, "new");
	const terminating = reachedBy(endpoints, "flows").filter((address) => !active.includes(address));
	if (active.length === 0) return { kind: "refuse", errno: "ECONNREFUSED", terminating };
	return { kind: "translate", active, terminating };
}

function reachedBy(endpoints: readonly ConsideredEndpoint[], use: EndpointUse): readonly L4Address[] {
	return [...new Set(endpoints.filter((each) => each.use === use).flatMap(({ through }) => through))].sort();
}

function becauseOf({ key }: Service, endpoints: readonly ConsideredEndpoint[], { kind }: Verdict): string {
	if (kind === "translate") {
		const count = endpoints.filter(({ use }) => use === "new").length;
		return `Service ${key} has ${count} ${count === 1 ? "endpoint" : "endpoints"} for new connections`;
	}
	if (endpoints.length === 0) return `Service ${key} has no endpoint for this port`;
	const reasons = [...new Set(endpoints.map(({ why }) => why))].sort();
	return `none of the ${endpoints.length} endpoints of Service ${key} takes new connections (${reasons.join("; ")})`;
}

// A connection to an address that a Service has: where it goes.

import { ipFamily, l4Parts } from "../../model/address.ts";
import type { Service } from "../../model/cluster.ts";
import { FRONTEND_KIND } from "../frontend_kind.ts";
import { judgeEndpoints } from "./candidates.ts";
import type { ConsideredEndpoint, DecidingFrontend, Outcome, Verdict } from "./explanation.ts";
import { verdictOf, withoutQuarantined } from "./verdict.ts";
import type { ServiceWant, World } from "./wants.ts";
import { findWays } from "./ways.ts";

export function serviceOutcome(world: World, want: ServiceWant): Outcome {
	const { service, mode, address } = want;
	const steps: string[] = [];
	const note = (step: string) => steps.push(step);
	if (service.external?.trafficPolicy === "Local" && mode !== "ServiceClusterIP")
		note("externalTrafficPolicy Local does not matter: this client is inside, and endpoints on any node serve it");
	const family = ipFamily(l4Parts(address).ip);
	const local = mode === "ServiceClusterIP" && service.internalTrafficPolicy === "Local";
	if (local) note(`internalTrafficPolicy Local: only endpoints on this node (${world.self.nodeName})`);
	const judged = judgeEndpoints(world, { ...want, family, local }, note);
	const reached = findWays(world, { ...want, family, local }, judged, note);
	const endpoints = withoutQuarantined(reached, service.healthCheck, world.quarantine, note);
	const verdict = verdictOf(endpoints);
	const frontend = describeFrontend(want);
	if (frontend.affinity !== undefined && verdict.kind === "translate") {
		const { seconds, client } = frontend.affinity;
		note(`sessionAffinity ClientIP: a client (${client}) goes on to the backend it had in the last ${seconds} s`);
	}
	return { verdict, because: becauseOf(service, endpoints, verdict), frontend, steps, endpoints };
}

/** Where node ports stand in a plan means nothing to a person. */
export function describeServiceWant({ hubs }: World, { service, port, mode, address, hub }: ServiceWant): string {
	const what = mode === "ServiceNodeport" ? `${port.nodePort}/${port.protocol}` : address;
	const where = hubs.length > 1 ? ` of hub ${hub.name}` : "";
	const name = port.name === "" ? "" : ` ${port.name}`;
	return `${what} is ${FRONTEND_KIND[mode]} of Service ${service.key}${where}, port${name} ${port.port}/${port.protocol}`;
}

function describeFrontend({ service, port, mode, address, hub }: ServiceWant): DecidingFrontend {
	const name = `${service.key}:${port.name === "" ? port.port : port.name}`;
	const { affinity, healthCheck } = service;
	return {
		...{ address, name, hub: hub.name, mode },
		...(affinity === undefined ? {} : { affinity }),
		...(healthCheck === undefined ? {} : { healthCheck }),
	};
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

// What comes near to an address that no Service has: why it is not one's, and what could not be read.

import { ipFamily } from "../../model/address.ts";
import type { Service } from "../../model/cluster.ts";
import { renderProblem } from "../render.ts";
import type { Question } from "./explanation.ts";
import { familiesOf, type World } from "./wants.ts";

/** More say nothing to a person. */
const MOST_PROBLEMS = 5;

/** Services that have the address, and are not what is asked for. */
export function describeNear(world: World, question: Question): readonly string[] {
	const { ip } = question;
	return servicesOf(world)
		.filter(({ clusterIps, external }) =>
			[...clusterIps, ...(external?.externalIps ?? []), ...(external?.ingressIps ?? [])].includes(ip),
		)
		.map((service) => `Service ${service.key} has ${ip}, but ${whyNot(world, service, question)}`);
}

/** Of Services and policies: perhaps it is one of them that is looked for. */
export function describeProblems({ hubs }: World): readonly string[] {
	const problems = hubs
		.flatMap(({ cluster }) => cluster.problems)
		.filter(({ object }) => /^(?:Service|LocalRedirectPolicy|BalancingPolicy) /.test(object));
	const shown = problems.slice(0, MOST_PROBLEMS).map(renderProblem);
	const more = problems.length - shown.length;
	return more > 0 ? [...shown, `${more} more problems of Services and policies: balancing plan lists them`] : shown;
}

function servicesOf({ hubs }: World): readonly Service[] {
	return hubs.flatMap(({ cluster }) => [...cluster.services.values()]);
}

function whyNot({ self }: World, service: Service, { ip, port, protocol }: Question): string {
	const { type, otherProxy, clusterIps, external, ports } = service;
	if (otherProxy) return "its label service.kubernetes.io/service-proxy-name gives it to another proxy";
	if (type === "ExternalName") return "its type is ExternalName";
	if (clusterIps.length === 0) return "it is headless";
	if (!familiesOf(service).includes(ipFamily(ip))) return `it has no ${ipFamily(ip)} cluster IP`;
	if (!ports.some((each) => each.port === port && each.protocol === protocol))
		return `only with ${ports.map((each) => `${each.port}/${each.protocol}`).join(", ")}`;
	if (external?.ingressIps.includes(ip) === true)
		return "its endpoints are reached through it: the load balancer decides";
	return self.refusesExternalIps
		? "this agent takes no external IPs (--external-ips refuse)"
		: "it stands for node ports";
}

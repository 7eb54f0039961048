// The oracle: what becomes of a connection, and why; from the rules and without the planner, which tests compare with it. Simple and slow.

import { assertNever } from "../lib/assert_never.ts";
import { ipFamily, l4Address } from "../model/address.ts";
import { CANARY } from "./canary.ts";
import type { Explanation, Question, Verdict } from "./explain/explanation.ts";
import { describeWant, explainFrontend } from "./explain/frontend.ts";
import { describeNear, describeProblems } from "./explain/near.ts";
import { type Place, placeOf } from "./explain/places.ts";
import { type World, wantsOf } from "./explain/wants.ts";
import { nodePortsIp } from "./node_ports.ts";
import type { HubSnapshot, Self } from "./plan_types.ts";

const PASS: Verdict = { kind: "pass" };
const REFUSE: Verdict = { kind: "refuse", errno: "ECONNREFUSED", terminating: [] };

/** Total: never throws on a user's object. The hubs stand in the order in which they win. */
export function explain(hubs: readonly HubSnapshot[], self: Self, question: Question): Explanation {
	const world = { hubs, self };
	const asked = l4Address(question.ip, question.port, question.protocol);
	if (CANARY.frontends.some(({ address }) => address === asked))
		return answer(REFUSE, `${asked} is where the agent proves that its programs work`);
	const wants = wantsOf(world, asked);
	if (wants[0] !== undefined) return explainFrontend(world, wants, []);
	const place = placeOf(world, question.ip);
	const near = describeNear(world, question);
	if (place === undefined) {
		const why = `no Service has ${asked}, and ${question.ip} is no cluster IP and no node's address with node ports`;
		return answer(PASS, why, [...near, ...describeProblems(world)]);
	}
	switch (place.kind) {
		case "node":
			return explainNode(world, place, question);
		case "host":
			return answer(PASS, `no Service has ${asked}, and no node port is served there`, [
				`${question.ip} is ${place.why}`,
				...near,
			]);
		case "clusterIp":
			return answer(
				REFUSE,
				`no Service has ${asked}, and ${question.ip} is a cluster IP of ${list(place.services)}`,
				near,
			);
		default:
			return assertNever(place);
	}
}

/** In `because` the facts, in `steps` what else was seen. */
function answer(verdict: Verdict, because: string, steps: readonly string[] = []): Explanation {
	return { verdict, because, steps, endpoints: [] };
}

function explainNode(world: World, place: Place & { readonly kind: "node" }, question: Question): Explanation {
	const { ip, port, protocol, client } = question;
	const hub = world.hubs.length > 1 ? ` in hub ${world.hubs[place.rank]?.name}` : "";
	const steps = [`${ip} is ${place.why}${hub}`];
	if (place.scope === "host" && client.scope === "pod")
		return answer(PASS, "loopback in a pod's network namespace is the pod's own", steps);
	const wants = wantsOf(world, l4Address(nodePortsIp(place.rank, ipFamily(ip)), port, protocol));
	const [winner] = wants;
	if (winner === undefined) return answer(PASS, `no Service has node port ${port}/${protocol}`, steps);
	if (place.scope === "remote" && winner.service.external?.trafficPolicy === "Local") {
		const why = "with externalTrafficPolicy Local another node decides by itself";
		return answer(PASS, why, [...steps, describeWant(world, winner)]);
	}
	return explainFrontend(world, wants, steps);
}

function list(services: readonly string[]): string {
	return services.map((key) => `Service ${key}`).join(", ");
}

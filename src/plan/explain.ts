// The oracle: what becomes of a connection, and why; from the rules and without the planner, which tests compare with it. Simple and slow.

import { assertNever } from "../lib/assert_never.ts";
import { ipFamily, l4Address } from "../model/address.ts";
import { CANARY } from "./canary.ts";
import type { Explanation, Question, Verdict } from "./explain/explanation.ts";
import { describeWant, explainFrontend } from "./explain/frontend.ts";
import { describeNear, describeProblems } from "./explain/near.ts";
import { inOrder } from "./explain/order.ts";
import { type Place, placeOf } from "./explain/places.ts";
import { stancesOf } from "./explain/policy_wants.ts";
import { type World, wantsOf } from "./explain/wants.ts";
import { nodePortsIp } from "./node_ports.ts";
import type { HubSnapshot, Quarantine, Self } from "./plan_types.ts";
import { NO_QUARANTINE } from "./probes.ts";

const PASS: Verdict = { kind: "pass" };
const REFUSE: Verdict = { kind: "refuse", errno: "ECONNREFUSED", terminating: [] };

/** Total: never throws on a user's object. The hubs stand in the order in which they win; nobody is in quarantine unless it is said. */
export function explain(
	hubs: readonly HubSnapshot[],
	self: Self,
	question: Question,
	quarantine: Quarantine = NO_QUARANTINE,
): Explanation {
	const world = { hubs, self, quarantine };
	const asked = l4Address(question.ip, question.port, question.protocol);
	if (CANARY.frontends.some(({ address }) => address === asked))
		return answer(REFUSE, `${asked} is where the agent proves that its programs work`);
	const policies = stancesOf(world, question);
	const wants = inOrder([...wantsOf(world, asked), ...policies.wants]);
	const { idle, near } = policies;
	if (wants[0] === undefined) return explainPlace(world, { question, nobody: "nobody", policies: [...idle, ...near] });
	const otherwise = () => explainPlace(world, { question, nobody: "nobody else", policies: [] });
	return explainFrontend(world, wants, { client: question.client, before: idle, otherwise });
}

interface Unwanted {
	readonly question: Question;
	/** `nobody else` if there is a redirect. */
	readonly nobody: string;
	/** What policies make of the address. */
	readonly policies: readonly string[];
}

/** Of an address that nobody has with this port. */
function explainPlace(world: World, unwanted: Unwanted): Explanation {
	const { question, nobody, policies } = unwanted;
	const asked = l4Address(question.ip, question.port, question.protocol);
	const near = [...policies, ...describeNear(world, question)];
	const place = placeOf(world, question.ip);
	if (place === undefined) {
		const why = `${nobody} has ${asked}, and ${question.ip} is no cluster IP and no node's address with node ports`;
		return answer(PASS, why, [...near, ...describeProblems(world)]);
	}
	switch (place.kind) {
		case "node":
			return explainNode(world, place, unwanted);
		case "host":
			return answer(PASS, `${nobody} has ${asked}, and no node port is served there`, [
				`${question.ip} is ${place.why}`,
				...near,
			]);
		case "clusterIp":
			return answer(
				REFUSE,
				`${nobody} has ${asked}, and ${question.ip} is a cluster IP of ${list(place.services)}`,
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

function explainNode(
	world: World,
	place: Place & { readonly kind: "node" },
	{ question, policies }: Unwanted,
): Explanation {
	const { ip, port, protocol, client } = question;
	const hub = world.hubs.length > 1 ? ` in hub ${world.hubs[place.rank]?.name}` : "";
	const before = [...policies, `${ip} is ${place.why}${hub}`];
	if (place.scope === "host" && client.scope === "pod")
		return answer(PASS, "loopback in a pod's network namespace is the pod's own", before);
	const wants = inOrder(wantsOf(world, l4Address(nodePortsIp(place.rank, ipFamily(ip)), port, protocol)));
	const [winner] = wants;
	const otherwise = () => answer(PASS, `no Service has node port ${port}/${protocol}`, before);
	if (winner?.kind !== "service") return otherwise();
	if (place.scope === "remote" && winner.service.external?.trafficPolicy === "Local") {
		const why = "with externalTrafficPolicy Local another node decides by itself";
		return answer(PASS, why, [...before, describeWant(world, winner)]);
	}
	return explainFrontend(world, wants, { client, before, otherwise });
}

function list(services: readonly string[]): string {
	return services.map((key) => `Service ${key}`).join(", ");
}

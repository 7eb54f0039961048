// A connection to an address that somebody has: who answers for it, and what a redirect leaves to the next.

import type { LocalRedirectPolicy } from "../../model/policy.ts";
import type { Client, Explanation, Outcome } from "./explanation.ts";
import { describeLoser, inHub, ownerOf, type Want } from "./order.ts";
import { describePolicyWant, policyOutcome } from "./policy_outcome.ts";
import { redirectTargets } from "./policy_pods.ts";
import type { PolicyWant } from "./policy_wants.ts";
import { renderWay } from "./render.ts";
import { describeServiceWant, serviceOutcome } from "./service_outcome.ts";
import type { World } from "./wants.ts";

interface Asked {
	readonly client: Client;
	/** What has been found out before. */
	readonly before: readonly string[];
	/** What would be if nobody wanted the address. */
	readonly otherwise: () => Outcome;
}

/** The first want has it. */
export function explainFrontend(
	world: World,
	wants: readonly Want[],
	{ client, before, otherwise }: Asked,
): Explanation {
	const [winner, ...losers] = wants;
	if (winner === undefined) throw new Error("Cannot explain a frontend that nobody wants");
	const steps = [
		...before,
		describeWant(world, winner),
		...losers.flatMap((loser) => describeLoser(world, winner, loser)),
	];
	const outcome = outcomeOf(world, winner);
	const explanation = { ...outcome, steps: [...steps, ...outcome.steps] };
	if (!isRedirect(winner)) return explanation;
	const next = losers.find((loser) => !isRedirect(loser));
	const after = next === undefined ? otherwise() : outcomeOf(world, next);
	const whom = next === undefined ? after.because : `${ownerOf(next)}${inHub(world, next)} has it next`;
	return explainRedirect(world, { redirect: winner, after, whom, explanation, steps, client });
}

export function describeWant(world: World, want: Want): string {
	return want.kind === "service" ? describeServiceWant(world, want) : describePolicyWant(world, want);
}

function outcomeOf(world: World, want: Want): Outcome {
	return want.kind === "service" ? serviceOutcome(world, want) : policyOutcome(world, want);
}

type Redirect = PolicyWant & { readonly policy: LocalRedirectPolicy };

function isRedirect(want: Want): want is Redirect {
	return want.kind === "policy" && want.policy.kind === "LocalRedirectPolicy";
}

interface Redirected {
	readonly redirect: Redirect;
	/** What would be if there were no redirect, and in some words by whom. */
	readonly after: Outcome;
	readonly whom: string;
	/** Of a connection that is redirected. */
	readonly explanation: Explanation;
	/** Who has the address, and why. */
	readonly steps: readonly string[];
	readonly client: Client;
}

/** The redirect's own Pods go on to the next, and so does what is over its limit: a cache must reach what it is the cache of. */
function explainRedirect(world: World, redirected: Redirected): Explanation {
	const { redirect, after, whom, explanation, steps, client } = redirected;
	const { policy, hub, address, families } = redirect;
	const own = redirectTargets(policy, { hub, self: world.self, families }).map(({ key }) => key);
	if (client.pod !== undefined && own.includes(client.pod)) {
		const who = `Pod ${client.pod} is one of its own: it is not redirected`;
		const because = `the client is a Pod of ${ownerOf(redirect)} itself, and ${after.because}`;
		return { ...after, because, steps: [...steps, who, ...after.steps] };
	}
	const way = `${renderWay(address, after.verdict)}: ${whom}`;
	const loops = `Its own Pods (${own.join(", ")}) are not redirected, and ${way}`;
	const limit = policy.qosLimit ?? world.self.redirectLimit ?? 0;
	if (limit === 0) return { ...explanation, steps: [...explanation.steps, loops] };
	const origin = policy.qosLimit === undefined ? "--redirect-qos-limit" : "balancing.elf.io/redirect-qos-limit";
	const over = `No more than ${limit} connections a second are redirected (${origin}): others ${way}`;
	const { verdict, frontend } = after;
	const limited = { perSecond: limit, verdict, ...(frontend === undefined ? {} : { frontend }) };
	return { ...explanation, limited, steps: [...explanation.steps, loops, over] };
}

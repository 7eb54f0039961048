// Random worlds and random connections: what the programs make of the planner's plan is what the oracle says from the rules.

import { expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { type Found, frontendsOf, lookUp } from "../../test/support/plan_lookup.ts";
import { checkProperty } from "../../test/support/property.ts";
import { createRandom, type Random } from "../../test/support/random.ts";
import { applyEdits, edit, emptyHubs, self } from "../../test/support/random_cluster.ts";
import { questionsOf } from "../../test/support/random_questions.ts";
import { type L4Address, l4Parts } from "../model/address.ts";
import type { ConsideredEndpoint, DecidingFrontend, Explanation, Question } from "./explain/explanation.ts";
import { explain } from "./explain.ts";
import { planFresh } from "./plan.ts";
import type { Frontend, HubSnapshot, Plan, Quarantine, Self } from "./plan_types.ts";
import { NO_QUARANTINE, probeKey } from "./probes.ts";
import { renderPlan } from "./render.ts";

// No test is about time: many times as many worlds take many times as long.
setDefaultTimeout(3_600_000);

const QUESTIONS = 60;
const MODES = [
	...["ServiceClusterIP", "ServiceNodeport", "ServiceLoadbalancer", "ServiceExternalIP"],
	...["balancingPod", "balancingHostPort", "balancingNodeProxy", "balancingAddress"],
];
const KINDS = [
	"pass without a frontend",
	"refuse without a frontend",
	...MODES.flatMap((mode) => [`refuse ${mode}`, `translate ${mode}`]),
	...["localRedirectService", "localRedirectAddress"].flatMap((mode) => [`translate ${mode}`, `limited ${mode}`]),
	...["own pod passes", "own pod goes on", "quarantined", "panic", "weighted"],
];
const world = fc.record({
	edits: fc.array(edit, { minLength: 20, maxLength: 110, size: "max" }),
	self,
	seed: fc.nat(),
});

/** What a frontend of a plan and the oracle both say. */
function saidOf(frontend: Frontend | DecidingFrontend | undefined) {
	if (frontend === undefined) return undefined;
	const { address, name, mode, affinity } = frontend;
	return { address, name, mode, affinity: affinity && { seconds: affinity.seconds, client: affinity.client } };
}

/** What a plan and the oracle both say of a connection. Neither the canary nor an unknown port is anybody's frontend. */
function said({ verdict, frontend, limited }: Explanation | Found) {
	const over = limited && { ...limited, frontend: saidOf(limited.frontend) };
	return { verdict, frontend: frontend?.mode === "Canary" ? undefined : saidOf(frontend), limited: over };
}

interface Asked {
	readonly hubs: readonly HubSnapshot[];
	readonly self: Self;
	readonly plan: Plan;
	readonly quarantine: Quarantine;
}

function demandTheSame({ hubs, self, plan, quarantine }: Asked, question: Question): Explanation {
	const explanation = explain(hubs, self, question, quarantine);
	const planned = lookUp(plan, question);
	const isWeighed = planned.frontend === undefined || followsWeights(planned.frontend.active, explanation.endpoints);
	if (isWeighed && Bun.deepEquals(said(explanation), said(planned))) return explanation;
	const evidence = { isWeighed, question, explanation, hubs, self, quarantine, planned };
	throw new Error(`${Bun.inspect(evidence, { depth: 20 })}\n${renderPlan(plan)}`);
}

/** Exactly, where a plan has room for that; else so that the shares of connections are nearly those of the weights. */
function followsWeights(active: readonly L4Address[], endpoints: readonly ConsideredEndpoint[]): boolean {
	const weights = new Map<L4Address, number>();
	for (const { use, through, weight = 1 } of endpoints)
		if (use === "new") for (const each of through) weights.set(each, Math.max(weight, weights.get(each) ?? 0));
	const whole = [...weights.values()].reduce((sum, each) => sum + each, 0);
	const unit = [...weights.values()].reduce((a, b) => greatestCommonDivisor(a, b), 0);
	if (active.length > 1024 || active.length > whole / unit) return false;
	return [...weights].every(([address, weight]) => {
		const times = active.filter((each) => each === address).length;
		if (whole / unit <= 1024) return times === weight / unit;
		return times > 0 && Math.abs(times / active.length - weight / whole) < (weights.size + 1) / 512;
	});
}

function greatestCommonDivisor(a: number, b: number): number {
	return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** Some of what is probed, and what nobody asks for, has failed. */
function quarantineOf(plan: Plan, random: Random): Quarantine {
	const share = random();
	return new Set([...plan.probes.keys()].filter(() => random() < share));
}

/** What is probed is what new connections of a frontend with a health check go to, and nothing else. */
function demandProbes({ hubs, self, plan }: Asked): void {
	const wanted = new Set<string>();
	for (const { address, redirect } of frontendsOf(plan).values()) {
		const [own] = redirect === undefined ? [] : (plan.guards.get(redirect.guard) ?? []);
		const client = { scope: "pod", ...(own === undefined ? {} : { pod: own.pod }) } as const;
		const { verdict, frontend } = explain(hubs, self, { client, ...l4Parts(address) });
		const check = frontend?.healthCheck;
		if (check === undefined || verdict.kind !== "translate") continue;
		for (const backend of verdict.active) wanted.add(probeKey(backend, check));
	}
	expect([...plan.probes.keys()].sort()).toEqual([...wanted].sort() as never);
	for (const [key, { address, check }] of plan.probes) expect(probeKey(address, check)).toBe(key);
}

/** What was seen, so that chance has not passed by what is compared. */
function kindsOf(
	{ client }: Question,
	{ verdict, frontend, limited, endpoints, steps }: Explanation,
): readonly string[] {
	const isOwn =
		client.pod !== undefined && steps.some((step) => step.startsWith(`Pod ${client.pod} is one of its own`));
	return [
		`${verdict.kind} ${frontend?.mode ?? "without a frontend"}`,
		...(limited === undefined ? [] : [`limited ${frontend?.mode}`]),
		...(isOwn ? [frontend === undefined ? "own pod passes" : "own pod goes on"] : []),
		...(steps.some((step) => step.startsWith("Quarantined")) ? ["quarantined"] : []),
		...(steps.some((step) => step.endsWith("all are used")) ? ["panic"] : []),
		...(endpoints.some(({ use, weight }) => use === "new" && weight !== undefined) ? ["weighted"] : []),
	];
}

test.each([1, 3])("explain() says of %d hubs what the programs make of the plan", (count) => {
	const counts = new Map<string, number>();
	const property = fc.property(world, ({ edits, self, seed }) => {
		const hubs = applyEdits(emptyHubs(count), edits);
		const random = createRandom(seed);
		const believed = { hubs, self, plan: planFresh(hubs, self), quarantine: NO_QUARANTINE };
		demandProbes(believed);
		const quarantine = quarantineOf(believed.plan, random);
		const asked = { hubs, self, plan: planFresh(hubs, self, quarantine), quarantine };
		expect(asked.plan.probes).toEqual(believed.plan.probes);
		for (const question of questionsOf(hubs, self, random, QUESTIONS))
			for (const kind of kindsOf(question, demandTheSame(asked, question)))
				counts.set(kind, (counts.get(kind) ?? 0) + 1);
	});
	checkProperty(`explain, ${count} hubs`, property, 1000);
	console.log([...counts].map(([kind, times]) => `${kind} ${times}`).join(", "));
	for (const kind of KINDS) expect([kind, counts.get(kind) ?? 0]).toSatisfy(([, times]) => Number(times) > 2);
});

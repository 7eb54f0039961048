// Random worlds and random connections: what the programs make of the planner's plan is what the oracle says from the rules.

import { expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { lookUp } from "../../test/support/plan_lookup.ts";
import { checkProperty } from "../../test/support/property.ts";
import { createRandom } from "../../test/support/random.ts";
import { applyEdits, edit, emptyHubs, self } from "../../test/support/random_cluster.ts";
import { questionsOf } from "../../test/support/random_questions.ts";
import type { DecidingFrontend, Explanation, Question } from "./explain/explanation.ts";
import { explain } from "./explain.ts";
import { planFresh } from "./plan.ts";
import type { Frontend, HubSnapshot, Plan, Self } from "./plan_types.ts";
import { renderPlan } from "./render.ts";

// No test is about time: many times as many worlds take many times as long.
setDefaultTimeout(3_600_000);

const QUESTIONS = 60;
const MODES = ["ServiceClusterIP", "ServiceNodeport", "ServiceLoadbalancer", "ServiceExternalIP"];
const KINDS = [
	"pass without a frontend",
	"refuse without a frontend",
	...MODES.flatMap((mode) => [`refuse ${mode}`, `translate ${mode}`]),
];
const world = fc.record({
	edits: fc.array(edit, { minLength: 20, maxLength: 110, size: "max" }),
	self,
	seed: fc.nat(),
});

type Answer = Pick<Explanation, "verdict"> & { readonly frontend?: Frontend | DecidingFrontend };

/** What a plan and the oracle both say of a connection. */
function said({ verdict, frontend }: Answer) {
	if (frontend === undefined) return { verdict };
	const { address, name, mode, affinity } = frontend;
	return { verdict, address, name, mode, affinity: affinity && { seconds: affinity.seconds, client: affinity.client } };
}

interface Asked {
	readonly hubs: readonly HubSnapshot[];
	readonly self: Self;
	readonly plan: Plan;
}

function demandTheSame({ hubs, self, plan }: Asked, question: Question): Explanation {
	const explanation = explain(hubs, self, question);
	const planned = lookUp(plan, question);
	// Neither the canary nor an unknown port is a frontend of a Service.
	const isPlain = explanation.frontend === undefined;
	if (Bun.deepEquals(said(explanation), said(isPlain ? { verdict: planned.verdict } : planned))) return explanation;
	const evidence = { question, explanation, hubs, self, planned };
	throw new Error(`${Bun.inspect(evidence, { depth: 20 })}\n${renderPlan(plan)}`);
}

test.each([1, 3])("explain() says of %d hubs what the programs make of the plan", (count) => {
	const counts = new Map<string, number>();
	const property = fc.property(world, ({ edits, self, seed }) => {
		const hubs = applyEdits(
			emptyHubs(count),
			edits.filter(({ kind }) => kind !== "policy"),
		);
		const plan = planFresh(hubs, self);
		for (const question of questionsOf(hubs, self, createRandom(seed), QUESTIONS)) {
			const { verdict, frontend } = demandTheSame({ hubs, self, plan }, question);
			const kind = `${verdict.kind} ${frontend?.mode ?? "without a frontend"}`;
			counts.set(kind, (counts.get(kind) ?? 0) + 1);
		}
	});
	checkProperty(`explain, ${count} hubs`, property, 1000);
	console.log([...counts].map(([kind, times]) => `${kind} ${times}`).join(", "));
	// Chance must not have passed by what is compared.
	for (const kind of KINDS) expect([kind, counts.get(kind) ?? 0]).toSatisfy(([, times]) => Number(times) > 10);
});

// Random worlds and random connections: what the programs make of the planner's plan is what the oracle says from the rules.

import { expect, test } from "bun:test";
import fc from "fast-check";
import { lookUp } from "../../test/support/plan_lookup.ts";
import { selfOf } from "../../test/support/plans.ts";
import { checkProperty } from "../../test/support/property.ts";
import { createRandom } from "../../test/support/random.ts";
import { applyEdits, edit, emptyHubs, NODE } from "../../test/support/random_cluster.ts";
import { questionsOf } from "../../test/support/random_questions.ts";
import type { Explanation, Question } from "./explain/explanation.ts";
import { explain } from "./explain.ts";
import { planFresh } from "./plan.ts";
import type { HubSnapshot, Plan } from "./plan_types.ts";
import { renderPlan } from "./render.ts";

const SELF = selfOf(NODE);
const QUESTIONS = 60;
const world = fc.record({ edits: fc.array(edit, { minLength: 5, maxLength: 30, size: "max" }), seed: fc.nat() });

/** What a plan and the oracle both say of a connection. */
function said(
	answer: Pick<Explanation, "verdict"> & { readonly frontend?: { address: string; name: string; mode: string } },
) {
	const { verdict, frontend } = answer;
	return { verdict, frontend: frontend && { address: frontend.address, name: frontend.name, mode: frontend.mode } };
}

function demandTheSame(hubs: readonly HubSnapshot[], plan: Plan, question: Question): void {
	const explanation = explain(hubs, SELF, question);
	const [wanted, planned] = [said(explanation), said(lookUp(plan, question))];
	// The plan does not say yet what addresses are known for.
	if (wanted.frontend === undefined && wanted.verdict.kind === "refuse") return;
	if (Bun.deepEquals(wanted, planned)) return;
	const evidence = { question, explanation, hubs, planned };
	throw new Error(`${Bun.inspect(evidence, { depth: 20 })}\n${renderPlan(plan)}`);
}

test.each([1, 3])("explain() says of %d hubs what the programs make of the plan", (count) => {
	const counts = new Map<string, number>();
	const property = fc.property(world, ({ edits, seed }) => {
		const hubs = applyEdits(emptyHubs(count), edits);
		const plan = planFresh(hubs, SELF);
		for (const question of questionsOf(hubs, SELF, createRandom(seed), QUESTIONS)) {
			demandTheSame(hubs, plan, question);
			const { kind } = explain(hubs, SELF, question).verdict;
			counts.set(kind, (counts.get(kind) ?? 0) + 1);
		}
	});
	checkProperty(`explain, ${count} hubs`, property, 1000);
	console.log([...counts].map(([kind, times]) => `${kind} ${times}`).join(", "));
	// Chance must not have passed by what is compared.
	for (const kind of ["pass", "refuse", "translate"]) expect(counts.get(kind) ?? 0).toBeGreaterThan(100);
});

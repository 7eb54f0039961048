// What a policy's status says, from its Problems: whether it is accepted, and whether it leads anywhere.

import type { PolicyKey } from "../../model/policy.ts";
import type { Problem, ProblemReason } from "../../model/problem.ts";
import { field, isRaw, type Raw } from "../../model/raw.ts";

/** meta/v1 Condition, without its times. */
export interface Condition {
	readonly type: "Accepted" | "Resolved";
	readonly status: "True" | "False" | "Unknown";
	/** CamelCase: of the first Problem, or the type. */
	readonly reason: string;
	readonly message: string;
}

/** The writer of the policy can mend the others; these are of what is around it. */
const OF_SURROUNDINGS: ReadonlySet<ProblemReason> = new Set([
	"ServiceNotFound",
	"NoBackends",
	"HostPortMissing",
	"Unreachable",
	"Forbidden",
	"NotServed",
	"Doubtful",
]);
/** Problems that are told; the agents' log has all. */
const TOLD = 5;
/** Characters: meta/v1 Condition takes 32,768, a person less. */
const LONGEST = 2000;

/** `projects`: something of the policy is left to be programmed. Always both, in this order. */
export function conditionsOf(problems: readonly Problem[], projects: boolean): readonly Condition[] {
	const wrong = problems.filter(({ reason }) => !OF_SURROUNDINGS.has(reason));
	const missing = problems.filter(({ reason }) => OF_SURROUNDINGS.has(reason));
	const accepted: Condition =
		wrong.length === 0
			? {
					type: "Accepted",
					status: "True",
					reason: "Accepted",
					message: "The policy is valid, and its addresses are its own",
				}
			: { type: "Accepted", status: "False", ...tell(wrong) };
	if (missing.length > 0) return [accepted, { type: "Resolved", status: "False", ...tell(missing) }];
	const resolved: Condition = projects
		? { type: "Resolved", status: "True", reason: "Resolved", message: "All that it refers to is there" }
		: {
				type: "Resolved",
				status: "Unknown",
				reason: "NotAccepted",
				message: "Nothing of the policy can be programmed",
			};
	return [accepted, resolved];
}

function tell(problems: readonly Problem[]): Pick<Condition, "reason" | "message"> {
	const texts = problems
		.slice(0, TOLD)
		.map(({ field, message }) => (field === undefined ? message : `${field}: ${message}`));
	const more = problems.length > TOLD ? [`${problems.length - TOLD} more problems`] : [];
	const message = [...texts, ...more].join("; ").slice(0, LONGEST);
	return { reason: problems[0]?.reason ?? "Unknown", message };
}

/** Of each policy its Problems, in the order in which they come. */
export function problemsByPolicy(problems: readonly Problem[]): ReadonlyMap<PolicyKey, readonly Problem[]> {
	const found = new Map<PolicyKey, Problem[]>();
	for (const problem of problems) {
		const { object } = problem;
		if (!isPolicyKey(object)) continue;
		const known = found.get(object);
		if (known === undefined) found.set(object, [problem]);
		else known.push(problem);
	}
	return found;
}

function isPolicyKey(object: string): object is PolicyKey {
	return object.startsWith("BalancingPolicy ") || object.startsWith("LocalRedirectPolicy ");
}

/** `conditions` of a status with ours in their places and times; those of others stay. */
export function mergeConditions(
	before: readonly Raw[],
	conditions: readonly Condition[],
	{ now, generation }: { readonly now: string; readonly generation: number },
): readonly Raw[] {
	const ours = conditions.map((condition): Raw => {
		const former = before.find((each) => field(each, "type") === condition.type);
		const since = former !== undefined && field(former, "status") === condition.status && timeOf(former);
		return { ...condition, observedGeneration: generation, lastTransitionTime: since || now };
	});
	const types = new Set<unknown>(conditions.map(({ type }) => type));
	return [...ours, ...before.filter((each) => !types.has(field(each, "type")))];
}

function timeOf(condition: Raw): string | undefined {
	const time = field(condition, "lastTransitionTime");
	return typeof time === "string" && time !== "" ? time : undefined;
}

/** status.conditions of an object, as far as they are objects. */
export function conditionsIn(object: Raw): readonly Raw[] {
	const status = field(object, "status");
	const conditions = isRaw(status) ? field(status, "conditions") : undefined;
	return Array.isArray(conditions) ? conditions.filter(isRaw) : [];
}

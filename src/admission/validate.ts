// Whether a policy may be written: what agents could not use is denied, what may come true later is a warning.

import type { Cluster } from "../model/cluster.ts";
import type { Problem, ProblemReason } from "../model/problem.ts";
import { field, type Raw } from "../model/raw.ts";
import { isPolicyKind, isPolicyWrite, meansTheSame, projectPolicy } from "./policy_object.ts";
import { ALLOWED, type Review, type Verdict } from "./review.ts";
import { tryPolicy } from "./trial.ts";

/** The person who writes the policy can mend these, and nobody else can. */
const DENIED: ReadonlySet<ProblemReason> = new Set([
	"InvalidObject",
	"TooLarge",
	"Unsupported",
	"FrontendConflict",
	"PortsDoNotMatch",
]);
/** Problems that are told at once; a person corrects a few at a time. */
const TOLD = 5;

/** What is wrong with one version of a policy. */
interface Judgement {
	readonly denials: readonly Problem[];
	readonly warnings: readonly string[];
}

/** `cluster` is undefined as long as nothing is known of it: then the object alone counts. Total, and without effect. */
export function validate(review: Review, cluster: Cluster | undefined): Verdict {
	const { group, kind, operation } = review;
	if (!isPolicyKind(group, kind)) {
		const what = `${kind === "" ? "An object without a kind" : kind} is not validated by Balancing`;
		return { allowed: true, warnings: [`${what}: narrow the rules of its webhook configuration`] };
	}
	if (!isPolicyWrite(review)) return ALLOWED;
	const { object, oldObject } = review;
	if (operation === "CREATE") return verdictOn(judge(kind, withoutBirth(object), cluster), []);
	if (oldObject !== undefined && meansTheSame(object, oldObject)) return ALLOWED;
	const before = oldObject === undefined ? [] : judge(kind, oldObject, cluster).denials;
	return verdictOn(judge(kind, object, cluster), before);
}

/** The server has given it a time already, maybe the same second as an older one's. What is not there yet is younger. */
function withoutBirth(object: Raw): Raw {
	const meta = field(object, "metadata");
	if (typeof meta !== "object" || meta === null) return object;
	return { ...object, metadata: { ...meta, creationTimestamp: null } };
}

/** What was wrong before does not stand in the way of another change. */
function verdictOn({ denials, warnings }: Judgement, before: readonly Problem[]): Verdict {
	const known = new Set(before.map(sayProblem));
	const texts = [...new Set(denials.map(sayProblem))];
	const worse = texts.filter((text) => !known.has(text));
	if (worse.length === 0) return { allowed: true, warnings: [...texts, ...warnings] };
	const more = worse.length > TOLD ? `; and ${worse.length - TOLD} more` : "";
	return { allowed: false, message: `${worse.slice(0, TOLD).join("; ")}${more}`, warnings };
}

function sayProblem({ field: where, reason, message }: Problem): string {
	const place = where === undefined ? "" : `${where}: `;
	return reason === "InvalidObject" ? `${place}${message}` : `${reason}: ${place}${message}`;
}

function judge(kind: string, object: Raw, cluster: Cluster | undefined): Judgement {
	const projection = projectPolicy(kind, object);
	if (projection === undefined) return { denials: [], warnings: [] };
	const { value, problems } = projection;
	if (value === undefined || cluster === undefined) return { denials: problems, warnings: [] };
	const trial = tryPolicy(cluster, value);
	const all = [...problems, ...trial.problems];
	return {
		denials: all.filter(({ reason }) => DENIED.has(reason)),
		warnings: [
			...all.filter(({ reason }) => !DENIED.has(reason)).map(sayProblem),
			...trial.losers.map((loser) => `${loser} is younger and loses an address to this one`),
			...trial.shared.map(
				({ policy, address }) =>
					`${policy} has ${address}, too: a LocalRedirectPolicy goes first where it has a local Pod`,
			),
		],
	};
}

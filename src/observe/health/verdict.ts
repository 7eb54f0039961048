// What probes come to: a backend is well, fails, or has failed too often and is not used.

import type { HealthCheck } from "../../model/health_check.ts";
import type { Outcome } from "./outcome.ts";

/** `untried`: nothing is known yet. `failing`: not often enough to do something. `quarantined`: gets no connections. */
export type HealthState = "untried" | "ok" | "failing" | "quarantined";

/** What is known of one backend. */
export interface Verdict {
	readonly state: HealthState;
	/** Milliseconds since the epoch: it has had this state from then on. */
	readonly since: number;
	/** Failures one after another, until now; of a backend in quarantine successes one after another. */
	readonly count: number;
	/** Why it failed last; null if it never did since it was well. */
	readonly reason: string | null;
	/** It is in quarantine for want of knowledge: the first probe decides. */
	readonly isSuspect: boolean;
}

/** Of a backend that was never probed. A suspect is not used until a probe has passed. */
export function firstVerdict(isSuspect: boolean, now: number): Verdict {
	return { state: isSuspect ? "quarantined" : "untried", since: now, count: 0, reason: null, isSuspect };
}

/** What a backend is after one more probe. `now` in milliseconds since the epoch. */
export function judge(
	verdict: Verdict,
	outcome: Outcome,
	{ fails, passes }: Pick<HealthCheck, "fails" | "passes">,
	now: number,
): Verdict {
	switch (outcome.kind) {
		case "passed":
			return afterSuccess(verdict, passes, now);
		case "failed":
			return afterFailure(verdict, { fails, reason: outcome.reason }, now);
		case "broken":
			// Our own fault must not take a backend away from anybody.
			return verdict.isSuspect ? firstVerdict(false, now) : verdict;
	}
}

function afterSuccess(verdict: Verdict, passes: number, now: number): Verdict {
	const well: Verdict = { state: "ok", since: now, count: 0, reason: null, isSuspect: false };
	if (verdict.state === "ok") return verdict;
	if (verdict.state !== "quarantined" || verdict.isSuspect) return well;
	const count = verdict.count + 1;
	return count >= passes ? well : { ...verdict, count };
}

function afterFailure(
	verdict: Verdict,
	{ fails, reason }: { readonly fails: number; readonly reason: string },
	now: number,
): Verdict {
	if (verdict.state === "quarantined") return { ...verdict, count: 0, reason, isSuspect: false };
	const count = verdict.state === "failing" ? verdict.count + 1 : 1;
	if (count >= fails) return { state: "quarantined", since: now, count: 0, reason, isSuspect: false };
	return {
		state: "failing",
		since: verdict.state === "failing" ? verdict.since : now,
		count,
		reason,
		isSuspect: false,
	};
}

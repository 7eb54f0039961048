// What is said of backends as probes find them well or not: each change once.

import type { Log } from "../../lib/log.ts";
import type { Probe } from "../../plan/plan_types.ts";
import type { Outcome } from "./outcome.ts";
import { questionText } from "./probe.ts";
import type { Verdict } from "./verdict.ts";

export interface HealthLog {
	/** What a backend was before, and what it is now. */
	tell(probe: Probe, before: Verdict, now: Verdict): void;
	/** What a probe found: our own fault is told once, until a probe tells something again. */
	tellFault(outcome: Outcome): void;
}

function sentence(before: Verdict, { state, isSuspect }: Verdict): string | undefined {
	if (state === before.state && isSuspect === before.isSuspect) return undefined;
	switch (state) {
		case "quarantined":
			return "Backend is in quarantine";
		case "failing":
			return "Backend fails its health check";
		case "ok":
			return before.state === "quarantined" && !before.isSuspect
				? "Backend is out of quarantine"
				: "Backend passes its health check";
		case "untried":
			return undefined;
	}
}

export function createHealthLog(log: Log): HealthLog {
	let toldFault: string | undefined;
	return {
		tell({ address, check }, before, now) {
			const said = sentence(before, now);
			if (said === undefined) return;
			const reason = now.reason === null ? {} : { reason: now.reason };
			const facts = { backend: address, check: questionText(check), ...reason };
			if (now.state === "quarantined") log.warn(facts, said);
			// At a start this is what all of them say.
			else if (before.state === "untried" && now.state === "ok") log.debug(facts, said);
			else log.info(facts, said);
		},
		tellFault(outcome) {
			const fault = outcome.kind === "broken" ? outcome.reason : undefined;
			if (fault !== undefined && fault !== toldFault) log.error({ reason: fault }, "Cannot probe backends");
			toldFault = fault;
		},
	};
}

// What one policy asks for on this host, whatever other objects ask for.

import type { Problem } from "../../model/problem.ts";
import type { Draft } from "../draft.ts";
import type { Frontend, Quarantine, Self } from "../plan_types.ts";
import { draftBalancing } from "./balancing.ts";
import { holdsHere } from "./hosts.ts";
import { draftRedirect, type Guard, guardGroup } from "./local_redirect.ts";
import { placesOf } from "./places.ts";
import { complainTo, type PolicySubject } from "./subject.ts";

export interface PolicyDraft extends Draft {
	/** Whether this host is one of those that it is for; if not, it asks for nothing. */
	readonly holdsHere: boolean;
	/** A redirect's, on any host. */
	readonly guard?: Guard;
}

/** Total: what cannot be done becomes a Problem. */
export function draftPolicy(subject: PolicySubject, self: Self, quarantine: Quarantine): PolicyDraft {
	const { policy } = subject;
	if (!holdsHere(policy, subject.vantage, self)) return notHere(subject);
	const problems: Problem[] = [];
	const complain = complainTo(problems, policy);
	const places = placesOf(subject, complain);
	if (policy.kind === "LocalRedirectPolicy") {
		const { frontends, guard } = draftRedirect({ ...subject, policy }, places, { self, complain });
		return { holdsHere: true, frontends: sorted(frontends), problems, guard };
	}
	const { frontends, probes } = draftBalancing({ ...subject, policy }, places, { quarantine, complain });
	return { holdsHere: true, frontends: sorted(frontends), problems, ...(probes.size === 0 ? {} : { probes }) };
}

function notHere(subject: PolicySubject): PolicyDraft {
	const none = { holdsHere: false, frontends: [], problems: [] };
	return subject.policy.kind === "LocalRedirectPolicy"
		? { ...none, guard: { group: guardGroup(subject), pods: [] } }
		: none;
}

function sorted(frontends: readonly Frontend[]): readonly Frontend[] {
	return [...frontends].sort((a, b) => (a.address < b.address ? -1 : 1));
}

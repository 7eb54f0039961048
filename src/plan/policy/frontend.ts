// A frontend of a policy.

import type { L4Address } from "../../model/address.ts";
import type { Policy } from "../../model/policy.ts";
import { limitBackends, MAX_BACKENDS, tooMany } from "../draft.ts";
import type { Backends } from "../endpoints.ts";
import type { Frontend, FrontendMode } from "../plan_types.ts";
import type { Place } from "./places.ts";
import type { Complain } from "./subject.ts";

/** Whose frontend it is, and of what kind. */
export interface Owner {
	readonly policy: Policy;
	readonly mode: FrontendMode;
	readonly complain: Complain;
}

export function frontendOf(owner: Owner, { address, name }: Place, backends: Backends): Frontend {
	const { policy, mode, complain } = owner;
	const count = backends.active.length + backends.terminating.length;
	if (count > MAX_BACKENDS) complain("spec.backend", "TooLarge", tooMany(address, count));
	const { closeOnRemove } = policy;
	return {
		address,
		name,
		mode,
		...limitBackends(backends),
		keepsPeer: true,
		...(closeOnRemove === undefined ? {} : { closeOnRemove }),
	};
}

/** One Problem, whatever the number of addresses that lead nowhere. */
export function complainOfEmpty(frontends: readonly Frontend[], fix: string, complain: Complain): void {
	const empty = frontends.filter(({ active }) => active.length === 0).map(({ address }) => address);
	const [first] = empty;
	if (first === undefined) return;
	const fact = `${first}${others(empty)} ${empty.length === 1 ? "has" : "have"} no backend for new connections`;
	complain("spec.backend", "NoBackends", `${fact}: ${fix}`);
}

function others({ length }: readonly L4Address[]): string {
	return length === 1 ? "" : ` and ${length - 1} more`;
}

// A policy and what of its cluster it looks at.

import type { Service } from "../../model/cluster.ts";
import { type Policy, policyKey } from "../../model/policy.ts";
import type { Problem, ProblemReason } from "../../model/problem.ts";
import type { Vantage } from "../vantage.ts";
import type { PodFinder } from "./pod_finder.ts";

export interface PolicySubject<P extends Policy = Policy> {
	readonly policy: P;
	/** The hub's. */
	readonly rank: number;
	readonly hub: string;
	/** The one that its frontend names. */
	readonly service: Service | undefined;
	/** Among those of its hub. */
	readonly pods: PodFinder;
	readonly vantage: Vantage;
}

/** Tells of one policy. */
export type Complain = (field: string, reason: ProblemReason, message: string) => void;

export function complainTo(problems: Problem[], policy: Policy): Complain {
	const object = policyKey(policy);
	return (field, reason, message) => problems.push({ object, field, reason, message });
}

// What a row of the table is: one demand of the Service contract, and how a client on this node tries it.

import type { Case } from "./case.ts";

export type Protocol = "TCP" | "UDP";
export type FamilyName = "IPv4" | "IPv6" | "v4-mapped";

export interface Row {
	/** As the contract's list has it. */
	readonly id: string;
	readonly title: string;
	/** Where the demand is from: a test of Kubernetes by file and line (1.36), or a rule. */
	readonly source: string;
	readonly trial: Trial | NotApplicable;
}

/** Why nobody on this node can try it. */
export interface NotApplicable {
	readonly notApplicable: string;
}

export interface Trial {
	readonly families: readonly FamilyName[];
	readonly protocols: readonly Protocol[];
	/** It stops an agent or the API server: it has the world for itself. */
	readonly alone: boolean;
	/** What is different from the original, if anything. */
	readonly note: string;
	/** Throws if the demand is not met. */
	run(trial: Case): Promise<void>;
}

export const FAMILY_NAMES: readonly FamilyName[] = ["IPv4", "IPv6", "v4-mapped"];
export const PROTOCOLS: readonly Protocol[] = ["TCP", "UDP"];

type Options = Partial<Omit<Trial, "run">>;

/** A row that is tried over all families and protocols, unless the options say otherwise. */
export function row(heading: readonly [string, string, string], run: Trial["run"], options: Options = {}): Row {
	const [id, title, source] = heading;
	const { families = FAMILY_NAMES, protocols = PROTOCOLS, alone = false, note = "" } = options;
	return { id, title, source, trial: { families, protocols, alone, note, run } };
}

export function notApplicable(heading: readonly [string, string, string], reason: string): Row {
	const [id, title, source] = heading;
	return { id, title, source, trial: { notApplicable: reason } };
}

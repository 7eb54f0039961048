// What the oracle tells a person, line by line.

import { l4Parts, parseL4Address } from "../../src/model/address.ts";
import type { Client } from "../../src/plan/explain/explanation.ts";
import { renderExplanation } from "../../src/plan/explain/render.ts";
import { explain } from "../../src/plan/explain.ts";
import type { HubSnapshot, Quarantine, Self } from "../../src/plan/plan_types.ts";
import { selfOf } from "./plans.ts";

export interface Asked {
	readonly from?: Client["scope"];
	readonly pod?: string;
	readonly self?: Partial<Self>;
	readonly quarantine?: Quarantine;
}

/** Of a connection from a Pod, on node `here`. */
export function told(hubs: readonly HubSnapshot[], target: string, asked: Asked = {}): readonly string[] {
	const { from = "pod", pod, self = {}, quarantine } = asked;
	const address = parseL4Address(target);
	if (address === undefined) throw new Error(`Not an address: ${target}`);
	const client = { scope: from, ...(pod === undefined ? {} : { pod }) };
	const question = { client, ...l4Parts(address) };
	return renderExplanation(question, explain(hubs, { ...selfOf("here"), ...self }, question, quarantine))
		.trimEnd()
		.split("\n");
}

// What it costs a hub, and its agents, when 10,000 of them lose it at the same moment: on virtual time, then with real clients over TLS.

import type { Policy } from "./reconnect_agents.ts";
import type { Figures, Spread } from "./reconnect_meter.ts";
import { measureLists, measureReturn } from "./reconnect_real.ts";
import { SCENARIOS, type Scenario, simulate } from "./reconnect_scenario.ts";
import type { BenchRow } from "./row.ts";

const AGENTS = 10_000;
const POLICIES: readonly Policy[] = ["balancing", "client-go"];

function spreadRows(name: string, { mean, max }: Spread, unit: string, scale = 1): readonly BenchRow[] {
	return [
		{ name: `  ${name}, mean`, value: mean / scale, unit },
		{ name: `  ${name}, most`, value: max / scale, unit },
	];
}

function rowsOf({ name }: Scenario, policy: Policy, figures: Figures): readonly BenchRow[] {
	const seconds = (percent: number) => figures.followed(percent) / 1000;
	return [
		{ name: `${name}; ${policy}: requests in the busiest second`, value: figures.peakRequests, unit: "" },
		{ name: "  new connections in the busiest second", value: figures.peakConnections, unit: "" },
		{ name: "  sent in the busiest second", value: figures.peakSent / 1e6, unit: "MB" },
		...spreadRows("requests of an agent", figures.requests, ""),
		...spreadRows("bytes of an agent", figures.bytes, "kB", 1000),
		...spreadRows("lists of an agent (all kinds)", figures.lists, ""),
		...spreadRows("snapshots of an agent", figures.snapshots, ""),
		{ name: "  refused (429), all agents", value: figures.refused, unit: "" },
		{ name: "  half of them follow again after", value: seconds(50), unit: "s" },
		{ name: "  99 % after", value: seconds(99), unit: "s" },
		{ name: "  all after", value: seconds(100), unit: "s" },
	];
}

export async function bench(): Promise<readonly BenchRow[]> {
	const rows: BenchRow[] = [];
	for (const scenario of SCENARIOS) {
		for (const policy of POLICIES) {
			if (scenario.isOurs === true && policy !== "balancing") continue;
			rows.push(...rowsOf(scenario, policy, await simulate({ agents: AGENTS, policy, scenario })));
		}
	}
	return [...rows, ...(await measureReturn()), ...(await measureLists())];
}

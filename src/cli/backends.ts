// balancing backends: where connections go, from the kernel's maps, and what probes have found, if an agent runs.

import type { Config } from "../config.ts";
import { openMaps } from "../datapath/datapath.ts";
import { type BackendView, viewBackends } from "../datapath/view.ts";
import { table } from "../lib/table.ts";
import type { L4Address } from "../model/address.ts";
import type { BackendHealth } from "../observe/health/prober.ts";
import { askAgent } from "./ask_agent.ts";
import { type Command, EXIT_OK } from "./command.ts";
import { json } from "./output.ts";

type State = BackendHealth["state"];

interface BackendRow extends Omit<BackendView, "id"> {
	/** Null of a backend in quarantine that the kernel does not have. */
	readonly id: number | null;
	/** Null if it is not probed, or no agent says it. */
	readonly health: State | null;
}

/** A backend may be probed in several ways: the worst state is told. */
const FROM_BAD: readonly State[] = ["quarantined", "failing", "untried", "ok"];

/** Of the agent that has pinned these maps; empty if none answers. */
async function askHealth(config: Config, signal: AbortSignal): Promise<readonly BackendHealth[]> {
	const status = await askAgent(config["state-dir"], signal).catch(() => undefined);
	return status?.attachment.pinPath === config["pin-path"] ? status.health.backends : [];
}

function statesOf(health: readonly BackendHealth[]): ReadonlyMap<L4Address, State> {
	const states = new Map<L4Address, State>();
	for (const state of FROM_BAD)
		for (const one of health) if (one.state === state && !states.has(one.backend)) states.set(one.backend, state);
	return states;
}

function unusedRow(address: L4Address, health: State): BackendRow {
	return { address, id: null, state: "unused", health, frontends: [], connections: 0, open: 0 };
}

/** Sorted by address, with those that the kernel does not have because they are in quarantine. */
function rowsOf(views: readonly BackendView[], health: readonly BackendHealth[]): readonly BackendRow[] {
	const states = statesOf(health);
	const known = new Set(views.map(({ address }) => address));
	const missing = [...states].filter(([address, state]) => state === "quarantined" && !known.has(address));
	return [
		...views.map((view) => ({ ...view, health: states.get(view.address) ?? null })),
		...missing.map(([address, state]) => unusedRow(address, state)),
	].sort((a, b) => (a.address < b.address ? -1 : 1));
}

function textOf(rows: readonly BackendRow[]): string {
	const isProbed = rows.some(({ health }) => health !== null);
	const cells = rows.map(({ address, state, health, connections, open, frontends }) => [
		address,
		state,
		...(isProbed ? [health ?? "-"] : []),
		String(connections),
		String(open),
		frontends.join(" "),
	]);
	return table(["BACKEND", "STATE", ...(isProbed ? ["HEALTH"] : []), "CONNECTIONS", "OPEN", "FRONTENDS"], cells);
}

export const backends: Command = {
	flags: ["pin-path", "state-dir", "output"],
	async run(env, config) {
		using open = openMaps(config["pin-path"]);
		const rows = rowsOf(viewBackends(open.maps), await askHealth(config, env.signal));
		env.out(config.output === "json" ? json(rows) : textOf(rows));
		return EXIT_OK;
	},
};

// The health of backends, as data, for people, and for Prometheus.

import { table } from "../../lib/table.ts";
import type { Metric } from "../prometheus.ts";
import type { BackendHealth, ProbeCounts } from "./prober.ts";

export interface HealthStatus {
	/** Sorted by backend, then check. */
	readonly backends: readonly BackendHealth[];
	/** Probes since the start. `broken`: our own fault, it says nothing of the backend. */
	readonly probes: ProbeCounts;
}

/** So many are shown one by one, whatever they are; of more only those that are not well. */
const FEW = 20;

const STATES = ["ok", "untried", "failing", "quarantined"] as const;

/** `3 ok, 1 quarantined`. */
export function healthLine({ backends }: HealthStatus): string {
	const counts = STATES.map((state) => [backends.filter((one) => one.state === state).length, state] as const);
	return counts
		.filter(([count]) => count > 0)
		.map(([count, state]) => `${count} ${state}`)
		.join(", ");
}

/** A table, indented; "" if there is nothing to show. */
export function renderHealth({ backends }: HealthStatus): string {
	const shown = backends.length <= FEW ? backends : backends.filter(({ state }) => state !== "ok");
	if (shown.length === 0) return "";
	const rows = shown.map(({ backend, check, state, since, lastError }) => [
		backend,
		check,
		state,
		since,
		lastError ?? "-",
	]);
	const text = table(["BACKEND", "CHECK", "STATE", "SINCE", "LAST ERROR"], rows);
	return text.replace(/^(?=.)/gm, "  ");
}

export function healthMetrics({ backends, probes }: HealthStatus): readonly Metric[] {
	return [
		{
			name: "backend_state",
			help: "1 for the state that probes have found a backend in.",
			type: "gauge",
			samples: backends.map(({ backend, check, state }) => ({ labels: { backend, check, state }, value: 1 })),
		},
		{
			name: "health_probes_total",
			help: "Probes of backends, by what they found.",
			type: "counter",
			samples: Object.entries(probes).map(([result, value]) => ({ labels: { result }, value })),
		},
	];
}

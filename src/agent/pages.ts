// What the agent shows over HTTP.

import { CAPACITY } from "../datapath/capacity.ts";
import { MAP_NAMES, type MapName } from "../datapath/maps.ts";
import { healthMetrics } from "../observe/health/health_status.ts";
import type { Page, Pages } from "../observe/http.ts";
import { POLICY_STATES, policyUse } from "../observe/policy_status.ts";
import { type Metric, renderMetrics } from "../observe/prometheus.ts";
import type { AgentStatus } from "../observe/status.ts";

/** Everything a page is made of, read when it is asked for. */
export interface PageSources {
	status(): AgentStatus;
	/** Elements that the kernel's maps hold. */
	entries(): Readonly<Record<MapName, number>>;
	/** Since the start. */
	applyFailures(): number;
	/** Frontends that the plan wants. */
	planned(): number;
	/** Of this process, in bytes: all that is resident, and the objects that it has made and not collected yet. */
	memory(): { readonly resident: number; readonly heap: number };
}

const CAPACITIES: Readonly<Record<MapName, number>> = {
	frontends: CAPACITY.frontends,
	names: CAPACITY.frontends,
	backends: CAPACITY.backends,
	slots: CAPACITY.slots,
	addresses: CAPACITY.addresses,
};

function gauge(name: string, help: string, value: number, labels: Readonly<Record<string, string>> = {}): Metric {
	return { name, help, type: "gauge", samples: [{ labels, value }] };
}

function byMap(name: string, help: string, values: Readonly<Record<MapName, number>>): Metric {
	return { name, help, type: "gauge", samples: MAP_NAMES.map((map) => ({ labels: { map }, value: values[map] })) };
}

function problemCounts({ problems }: AgentStatus): Metric {
	const counts = new Map<string, number>();
	for (const { reason } of problems) counts.set(reason, (counts.get(reason) ?? 0) + 1);
	const samples = [...counts].sort().map(([reason, value]) => ({ labels: { reason }, value }));
	return { name: "problems", help: "Objects, or parts of them, that are not programmed.", type: "gauge", samples };
}

function policyCounts({ policies }: AgentStatus): Metric {
	const samples = (["LocalRedirectPolicy", "BalancingPolicy"] as const).flatMap((kind) =>
		POLICY_STATES.map((state) => ({
			labels: { kind, state },
			value: policies.filter((policy) => policy.kind === kind && policyUse(policy) === state).length,
		})),
	);
	return { name: "policies", help: "Policies, by what they come to on this host.", type: "gauge", samples };
}

function socketSamples({ sockets }: AgentStatus): Metric["samples"] {
	return (["UDP", "TCP"] as const).flatMap((protocol) => {
		const { closed, failed } = sockets.closed[protocol];
		const labels = { protocol: protocol.toLowerCase() };
		return [
			{ labels: { ...labels, result: "closed" }, value: closed },
			{ labels: { ...labels, result: "failed" }, value: failed },
		];
	});
}

function memoryMetric({ resident, heap }: ReturnType<PageSources["memory"]>): Metric {
	const samples = [
		{ labels: { kind: "resident" }, value: resident },
		{ labels: { kind: "heap" }, value: heap },
	];
	return {
		name: "memory_bytes",
		help: "What the agent's process takes; the heap is a part of it.",
		type: "gauge",
		samples,
	};
}

function secondsSince(time: string | null): number {
	return time === null ? 0 : Math.max(0, (Date.now() - Date.parse(time)) / 1000);
}

function metricsOf(status: AgentStatus, sources: PageSources): readonly Metric[] {
	const { version, commit, attachment, hubs, lastWrite, faults } = status;
	const counter = (name: string, help: string, samples: Metric["samples"]): Metric => ({
		name,
		help,
		type: "counter",
		samples,
	});
	return [
		gauge("build_info", "What runs.", 1, { version, commit }),
		gauge("attachment_proved", "1 if a canary connect was answered by our programs.", attachment.proved ? 1 : 0),
		{
			name: "hub_synced",
			help: "1 if the hub has been read completely.",
			type: "gauge",
			samples: hubs.map(({ name, synced }) => ({ labels: { hub: name }, value: synced ? 1 : 0 })),
		},
		{
			name: "hub_last_event_timestamp_seconds",
			help: "When the hub last changed, in seconds since the epoch.",
			type: "gauge",
			samples: hubs.flatMap(({ name, lastChange }) =>
				lastChange === null ? [] : [{ labels: { hub: name }, value: Date.parse(lastChange) / 1000 }],
			),
		},
		{
			name: "hub_stale_seconds",
			help: "For how long the hub has not been followed; 0 while it is.",
			type: "gauge",
			samples: hubs.map(({ name, staleSince }) => ({ labels: { hub: name }, value: secondsSince(staleSince) })),
		},
		{
			name: "hub_copy_timestamp_seconds",
			help: "Of what time the copy on disk is that stands in for the hub, in seconds since the epoch; absent if none does.",
			type: "gauge",
			samples: hubs.flatMap(({ name, copyOf }) =>
				copyOf === null ? [] : [{ labels: { hub: name }, value: Date.parse(copyOf) / 1000 }],
			),
		},
		byMap("map_entries", "Elements in the kernel's maps.", sources.entries()),
		byMap("map_capacity", "Elements that the kernel's maps can hold.", CAPACITIES),
		gauge("plan_entries", "Frontends that the plan wants.", sources.planned()),
		memoryMetric(sources.memory()),
		...healthMetrics(status.health),
		policyCounts(status),
		problemCounts(status),
		...(lastWrite
			? [gauge("sync_duration_seconds", "How long the last plan and write took.", lastWrite.milliseconds / 1000)]
			: []),
		counter("apply_failures_total", "Elements that could not be written; each is tried again.", [
			{ value: sources.applyFailures() },
		]),
		counter("events_dropped_total", "Resolution events that were not delivered.", [
			{ labels: { reason: "rate" }, value: faults["eventRate"] ?? 0 },
			{ labels: { reason: "full" }, value: faults["eventFull"] ?? 0 },
		]),
		counter("unknown_port_refusals_total", "Connections to ports that a cluster IP does not have.", [
			{ value: status.unknownPortRefusals },
		]),
		counter("sockets_closed_total", "Connected sockets whose backend was gone.", socketSamples(status)),
		counter("datapath_faults_total", "Connections that our own fault let through, or left without state.", [
			{ labels: { reason: "slot" }, value: faults["slot"] ?? 0 },
			{ labels: { reason: "storage" }, value: faults["storage"] ?? 0 },
		]),
	];
}

function text(status: number, body: string): Page {
	return { status, type: "text/plain; charset=utf-8", body };
}

function readiness({ ready, notReady }: AgentStatus): Page {
	return ready ? text(200, "ok\n") : text(503, `not ready\n${notReady.map((reason) => `${reason}\n`).join("")}`);
}

export function pagesOf(sources: PageSources): Pages {
	const status = () => ({
		status: 200,
		type: "application/json" as const,
		body: `${JSON.stringify(sources.status(), null, 2)}\n`,
	});
	return {
		"/healthz": () => text(200, "ok\n"),
		"/readyz": () => readiness(sources.status()),
		"/metrics": () => ({
			status: 200,
			type: "text/plain; version=0.0.4",
			body: renderMetrics(metricsOf(sources.status(), sources)),
		}),
		"/status": status,
		"/debug/status": status,
	};
}

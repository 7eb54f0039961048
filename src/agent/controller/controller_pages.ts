// What the controller shows over HTTP: probes, metrics, and its state as JSON.

import type { KubernetesStatus } from "../../hub/kinds/kind_hub.ts";
import type { Page, Pages } from "../../observe/http.ts";
import { type Metric, renderMetrics } from "../../observe/prometheus.ts";
import { getVersion } from "../../version.ts";

export interface ControllerState {
	readonly identity: string;
	readonly hub: KubernetesStatus;
	/** When the hub last changed. */
	readonly changed: Date | undefined;
	/** Whether API servers may trust what is served. */
	readonly webhooks: boolean | "off";
	readonly isLeading: boolean;
	/** "" for nobody, or unknown. */
	readonly leader: string;
	/** By `validate 200`. */
	readonly reviews: ReadonlyMap<string, number>;
	readonly policies: number;
}

/** Empty: ready. */
function reasonsNotReady({ hub, webhooks }: ControllerState): readonly string[] {
	const troubles = [...new Set(hub.kinds.flatMap(({ problem }) => problem ?? []))];
	return [
		...(hub.synced ? [] : [[`${hub.name} has not been read yet`, ...troubles].join(": ")]),
		...(webhooks === false ? ["there is no certificate for the webhooks yet"] : []),
	];
}

export function controllerPages(state: () => ControllerState): Pages {
	return {
		"/healthz": () => text(200, "ok\n"),
		"/readyz"() {
			const reasons = reasonsNotReady(state());
			return reasons.length === 0 ? text(200, "ok\n") : text(503, `not ready\n${reasons.join("\n")}\n`);
		},
		"/metrics": () => ({ status: 200, type: "text/plain; version=0.0.4", body: renderMetrics(metricsOf(state())) }),
		"/status": () => ({
			status: 200,
			type: "application/json",
			body: `${JSON.stringify(statusOf(state()), null, 2)}\n`,
		}),
	};
}

function text(status: number, body: string): Page {
	return { status, type: "text/plain; charset=utf-8", body };
}

function statusOf(state: ControllerState): object {
	const notReady = reasonsNotReady(state);
	const { identity, isLeading, leader, policies, hub } = state;
	const staleSince = hub.staleSince?.toISOString() ?? null;
	return {
		...getVersion(),
		identity,
		ready: notReady.length === 0,
		notReady,
		isLeading,
		leader,
		policies,
		hub: { name: hub.name, synced: hub.synced, staleSince },
	};
}

function metricsOf(state: ControllerState): readonly Metric[] {
	const { version, commit } = getVersion();
	const gauge = (name: string, help: string, value: number, labels = {}): Metric => ({
		name,
		help,
		type: "gauge",
		samples: [{ labels, value }],
	});
	const samples = [...state.reviews].sort().map(([key, value]) => {
		const [webhook = "", code = ""] = key.split(" ");
		return { labels: { webhook, code }, value };
	});
	return [
		gauge("build_info", "What runs.", 1, { version, commit }),
		gauge("controller_leading", "1 if this replica writes conditions.", state.isLeading ? 1 : 0),
		gauge("hub_synced", "1 if the hub has been read completely.", state.hub.synced ? 1 : 0, { hub: state.hub.name }),
		gauge("controller_policies", "Policies that are known.", state.policies),
		{ name: "admission_reviews_total", help: "Requests of API servers' webhooks.", type: "counter", samples },
	];
}

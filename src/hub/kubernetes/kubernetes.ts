// A Kubernetes API server as a hub: Services and EndpointSlices, followed as long as anybody wants them.

import { type Clock, systemClock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Cluster } from "../../model/cluster.ts";
import { createAlarm } from "../alarm.ts";
import { createApi } from "./api.ts";
import { createClusterView } from "./cluster_view.ts";
import { type CredentialSource, createCredentials } from "./credentials.ts";
import { createKindState, type KindState, type KindStatus } from "./kind_state.ts";
import { createKindStore } from "./kind_store.ts";
import { type Narrowing, NEEDS, scopesOf } from "./needs.ts";
import type { ProxyEnvironment } from "./proxy.ts";
import { type HubFeatures, reflect } from "./reflector.ts";

/** Milliseconds between two snapshots at least: a snapshot costs as much as there are objects. The first after a rest comes at once. */
const SHORTEST = 20;
/** The longest that a timer can wait. Milliseconds. */
const FOREVER = 2 ** 31 - 1;

export interface KubernetesOptions extends Partial<Narrowing> {
	readonly source: CredentialSource;
	/** HOST:PORT to connect to instead; the certificate must still be for the name that the source gives. */
	readonly apiServer?: string | undefined;
	readonly proxies: ProxyEnvironment;
	/** `balancing/1.2.3`. */
	readonly userAgent: string;
	readonly log: Log;
	readonly signal: AbortSignal;
	readonly clock?: Clock;
	/** From 0 up to 1; spreads many agents. */
	readonly random?: () => number;
}

export interface KubernetesStatus {
	/** `context NAME of FILE` or `in-cluster`. */
	readonly name: string;
	/** Every kind was read completely at least once. */
	readonly synced: boolean;
	/** The oldest of the kinds' times since when they are not followed; null if all are. */
	readonly staleSince: Date | null;
	readonly kinds: readonly KindStatus[];
}

export interface KubernetesHub extends AsyncIterable<Cluster> {
	status(): KubernetesStatus;
}

/**
 * Follows an API server until the signal is aborted; starts with the iteration, which is for one reader. The first snapshot comes
 * when every kind has been read completely; each further one differs from the one before it. Never ends or throws because of what
 * the server does, or does not.
 */
export function watchKubernetes(options: KubernetesOptions): KubernetesHub {
	const { log, clock = systemClock } = options;
	const credentials = createCredentials({ ...options, clock });
	const view = createClusterView();
	const alarm = createAlarm(clock, options.signal);
	const scopes = scopesOf(NEEDS, { namespaces: options.namespaces ?? [], selector: options.selector ?? "" });
	const named = scopes.map((scope) => ({
		scope,
		state: createKindState({ scope, view, log, onChange: alarm.ring }),
		store: createKindStore({ need: scope.need, view, clock }),
	}));

	async function run(): Promise<void> {
		const { random = Math.random, signal, userAgent } = options;
		const api = createApi({ credentials, clock, userAgent });
		const features: HubFeatures = { streaming: true };
		await Promise.all(named.map((kind) => reflect({ ...kind, api, features, clock, random, log, signal })));
	}

	async function* follow(): AsyncGenerator<Cluster, void> {
		const running = run();
		let shown: Cluster | undefined;
		while (!options.signal.aborted) {
			await alarm.wait(FOREVER);
			if (options.signal.aborted || !isSynced(named)) continue;
			const next = view.snapshot();
			if (next === shown) continue;
			shown = next;
			yield next;
			await clock.sleep(SHORTEST, options.signal);
		}
		await running;
	}

	return {
		[Symbol.asyncIterator]: follow,
		status() {
			const kinds = named.map(({ state }) => state.status());
			const stale = kinds.flatMap(({ staleSince }) => staleSince ?? []).sort((a, b) => a.getTime() - b.getTime());
			return { name: credentials.name, synced: isSynced(named), staleSince: stale[0] ?? null, kinds };
		},
	};
}

function isSynced(kinds: readonly { readonly state: KindState }[]): boolean {
	return kinds.every(({ state }) => state.status().synced);
}

// A Kubernetes API server as a hub: Services, EndpointSlices and Nodes, followed as long as anybody wants them.

import { type Clock, systemClock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { createAlarm } from "../alarm.ts";
import { createClusterView } from "../kinds/cluster_view.ts";
import { createKindHub, type KubernetesHub } from "../kinds/kind_hub.ts";
import { createKindState } from "../kinds/kind_state.ts";
import { type Audience, type Narrowing, needsOf, scopesOf } from "../kinds/needs.ts";
import { type CredentialSource, createCredentials } from "../login/credentials.ts";
import { ONE_WAY, type OwnWay } from "../own_way.ts";
import { type Api, createApi } from "../request/api.ts";
import type { ProxyEnvironment } from "../request/proxy.ts";
import { createKindStore } from "./kind_store.ts";
import { createOutage } from "./outage.ts";
import { type HubFeatures, reflect } from "./reflector.ts";

interface FollowOptions extends Partial<Narrowing> {
	/** Decides which kinds are followed, and which Pods. */
	readonly audience: Audience;
	readonly log: Log;
	readonly signal: AbortSignal;
	readonly clock?: Clock;
	/** From 0 up to 1; spreads many agents. */
	readonly random?: () => number;
}

export interface ApiHubOptions extends FollowOptions {
	readonly api: Api;
	/** For the status. */
	readonly name: string;
}

export interface KubernetesOptions extends FollowOptions {
	readonly source: CredentialSource;
	/** HOST:PORT to connect to instead; the certificate must still be for the name that the source gives. */
	readonly apiServer?: string | undefined;
	readonly proxies: ProxyEnvironment;
	/** `balancing/1.2.3`. */
	readonly userAgent: string;
	/** As any client, if left out. */
	readonly ownWay?: OwnWay;
}

/** Names of clusters: `https://10.0.0.1:6443, CA 0123456789abcdef`. */
export interface ApiServerHub extends KubernetesHub {
	/** Which cluster the snapshots come from; undefined before it was asked for anything. */
	origin(): string | undefined;
	/** Which cluster the credentials are for now, without asking it; rejects if they cannot be read. */
	identify(): Promise<string>;
	/** For other requests to the same server. */
	readonly api: Api;
}

/**
 * Follows an API server until the signal is aborted; starts with the iteration, which is for one reader. The first snapshot comes
 * when every kind has been read completely; each further one differs from the one before it. Never ends or throws because of what
 * the server does, or does not.
 */
export function watchKubernetes(options: KubernetesOptions): ApiServerHub {
	const { clock = systemClock, userAgent, ownWay = ONE_WAY } = options;
	const credentials = createCredentials({ ...options, clock });
	const api = createApi({ credentials, clock, userAgent, ownWay });
	const hub = watchApi({ ...options, api, name: credentials.name });
	return { ...hub, origin: credentials.accessed, identify: credentials.identify, api };
}

/** The same, given the way to the server. */
export function watchApi(options: ApiHubOptions): KubernetesHub {
	const { api, log, clock = systemClock, random = Math.random, signal } = options;
	const view = createClusterView();
	const alarm = createAlarm(clock, options.signal);
	const scopes = scopesOf(needsOf(options.audience), {
		namespaces: options.namespaces ?? [],
		selector: options.selector ?? "",
	});
	const named = scopes.map((scope) => ({
		scope,
		state: createKindState({ scope, view, log, onChange: alarm.ring }),
		store: createKindStore({ need: scope.need, view, clock }),
	}));

	async function run(): Promise<void> {
		const features: HubFeatures = { streaming: true };
		const outage = createOutage({ clock, random });
		const shared = { api, features, outage, clock, random, log, signal };
		await Promise.all(named.map((kind) => reflect({ ...kind, ...shared })));
	}

	const kinds = named.map(({ state }) => state);
	return createKindHub({ ...options, kinds, view, alarm, clock, run });
}

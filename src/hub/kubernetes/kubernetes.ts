// A Kubernetes API server as a hub: what a plan reads is followed as long as anybody wants it.

import { type Clock, systemClock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { createAlarm } from "../alarm.ts";
import { createKindHub, type KubernetesHub } from "../kinds/kind_hub.ts";
import { type Audience, needsOf } from "../kinds/needs.ts";
import { createScopeSet, type FollowedScope, type Follower } from "../kinds/scope_set.ts";
import type { Narrowing } from "../kinds/scopes.ts";
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
	const alarm = createAlarm(clock, signal);
	const narrowing = { namespaces: options.namespaces ?? [], selector: options.selector ?? "" };
	const features: HubFeatures = { streaming: true };
	const shared = { api, features, outage: createOutage({ clock, random }), clock, random, log };

	function follow({ scope, state, view, signal: until }: FollowedScope): Follower {
		const store = createKindStore({ need: scope.need, view, clock });
		return { ...store, run: () => reflect({ ...shared, scope, state, store, signal: until }) };
	}

	const { audience } = options;
	const needs = needsOf(audience);
	const set = createScopeSet({ audience, needs, narrowing, log, signal, onChange: alarm.ring, follow });
	return createKindHub({ ...options, ...set, kinds: set.states, alarm, clock });
}

// KubeEdge's MetaServer as a hub: on an edge node it answers like an API server, from the cloud or from a store of its own.

import { assertNever } from "../../lib/assert_never.ts";
import { type Clock, systemClock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Cluster } from "../../model/cluster.ts";
import { parseLabelSelector } from "../../model/label_selector.ts";
import { createAlarm } from "../alarm.ts";
import { createClusterView } from "../kinds/cluster_view.ts";
import { type Held, heldOf } from "../kinds/held.ts";
import { createKindHub, type KubernetesStatus } from "../kinds/kind_hub.ts";
import { createKindState } from "../kinds/kind_state.ts";
import { type Audience, type Known, type Narrowing, type Need, needsOf, type Scope, scopesOf } from "../kinds/needs.ts";
import { ONE_WAY, type OwnWay } from "../own_way.ts";
import { createApi } from "../request/api.ts";
import { createCloudLink } from "./cloud_link.ts";
import { withoutEmptyApiServer, withoutLoopback } from "./loopback.ts";
import { followLossily } from "./lossy_follower.ts";
import { createLossyStore } from "./lossy_store.ts";
import { createMetaAccess } from "./meta_access.ts";

export interface MetaServerOptions extends Partial<Narrowing> {
	/** Decides which kinds are followed, and which Pods. */
	readonly audience: Audience;
	/** `http://127.0.0.1:10550`. */
	readonly url: string;
	/** The last snapshot of the same hub: a MetaServer that has just begun may know less. */
	readonly baseline?: Cluster | undefined;
	/** Holds ca.crt and token for https; default: what a Pod is given. */
	readonly folder?: string;
	/** `balancing/1.2.3`. */
	readonly userAgent: string;
	/** As any client, if left out. */
	readonly ownWay?: OwnWay;
	readonly log: Log;
	readonly signal: AbortSignal;
	readonly clock?: Clock;
	/** From 0 up to 1; spreads many agents. */
	readonly random?: () => number;
}

export interface MetaServerStatus extends KubernetesStatus {
	/** Lists have come from the MetaServer's own store since; null if they come from the cloud. */
	readonly withoutCloudSince: Date | null;
}

export interface MetaServerHub extends AsyncIterable<Cluster> {
	status(): MetaServerStatus;
}

/**
 * Follows a MetaServer until the signal is aborted; starts with the iteration, which is for one reader. What is left out of its
 * answers goes only when two witnesses say so, one of them the cloud where much is concerned (absences.ts). Never ends or throws
 * because of what the MetaServer does. Throws at once if `selector` is none.
 */
export function watchMetaServer(options: MetaServerOptions): MetaServerHub {
	const { log, clock = systemClock, random = Math.random, signal, userAgent, ownWay = ONE_WAY, url, folder } = options;
	const credentials = createMetaAccess(url, folder);
	const view = createClusterView();
	const alarm = createAlarm(clock, signal);
	const link = createCloudLink(log);
	const scopes = scopesOf(lossyNeeds(options.audience, log), {
		namespaces: options.namespaces ?? [],
		selector: options.selector ?? "",
	});
	const named = scopes.map((scope) => ({
		scope,
		state: createKindState({ scope, view, log, onChange: alarm.ring }),
		store: createLossyStore({
			need: scope.need,
			view,
			selector: selectorOf(scope),
			baseline: baselineOf(options.baseline, scope),
		}),
	}));

	async function run(): Promise<void> {
		const api = createApi({ credentials, clock, userAgent, ownWay, peer: "MetaServer" });
		await Promise.all(named.map((kind) => followLossily({ ...kind, api, link, clock, random, log, signal })));
	}

	const hub = createKindHub({
		name: credentials.name,
		kinds: named.map(({ state }) => state),
		view: withoutEmptyApiServer(view),
		alarm,
		clock,
		signal,
		run,
	});
	return {
		[Symbol.asyncIterator]: () => hub[Symbol.asyncIterator](),
		status: () => ({ ...hub.status(), withoutCloudSince: link.lostSince() }),
	};
}

function lossyNeeds(audience: Audience, log: Log): readonly Need[] {
	let isTold = false;
	return needsOf(audience).map((need) =>
		withoutLoopback(need, () => {
			if (isTold) return;
			isTold = true;
			log.info(
				{},
				"Endpoints on loopback addresses are left out: KubeEdge puts itself in the API server's place there",
			);
		}),
	);
}

function selectorOf({ labelSelector }: Scope) {
	const parsed = parseLabelSelector(labelSelector);
	if (parsed.kind === "wrong") throw new Error(`Cannot select by ${labelSelector}: ${parsed.message}`);
	return parsed.selector;
}

function baselineOf(cluster: Cluster | undefined, { need, namespace }: Scope): ReadonlyMap<string, Held> {
	const known = cluster === undefined ? [] : knownOf(cluster, need.kind);
	const inside = known.filter(([key]) => namespace === undefined || key.startsWith(`${namespace}/`));
	return new Map(inside.map(([key, each]) => [key, heldOf(each)]));
}

function knownOf(
	{ services, slices, nodes, pods }: Cluster,
	kind: Known["kind"],
): readonly (readonly [string, Known])[] {
	switch (kind) {
		case "Service":
			return [...services.values()].map((service) => [service.key, { kind, service }]);
		case "EndpointSlice":
			return [...slices.values()].flat().map((slice) => [slice.key, { kind, slice }]);
		case "Node":
			return [...nodes.values()].map((node) => [node.name, { kind, node }]);
		case "Pod":
			return [...pods.values()].map((pod) => [pod.key, { kind, pod }]);
		default:
			return assertNever(kind);
	}
}

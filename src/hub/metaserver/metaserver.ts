// KubeEdge's MetaServer as a hub: on an edge node it answers like an API server, from the cloud or from a store of its own.

import { assertNever } from "../../lib/assert_never.ts";
import { type Clock, systemClock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Cluster } from "../../model/cluster.ts";
import { matchesLabels, parseLabelSelector } from "../../model/label_selector.ts";
import { labelIn } from "../../model/labels.ts";
import type { Policy } from "../../model/policy.ts";
import { field, isRaw } from "../../model/raw.ts";
import { createAlarm } from "../alarm.ts";
import { type Held, heldOf } from "../kinds/held.ts";
import { createKindHub, type KubernetesStatus } from "../kinds/kind_hub.ts";
import { type Audience, type Known, type Need, needsOf } from "../kinds/needs.ts";
import { createScopeSet, type FollowedScope, type Follower } from "../kinds/scope_set.ts";
import type { Narrowing, Scope } from "../kinds/scopes.ts";
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
	const alarm = createAlarm(clock, signal);
	const link = createCloudLink(log);
	const api = createApi({ credentials, clock, userAgent, ownWay, peer: "MetaServer" });
	const narrowing = { namespaces: options.namespaces ?? [], selector: options.selector ?? "" };

	function follow({ scope, state, view, signal: until }: FollowedScope): Follower {
		const { need } = scope;
		const selects = selectionOf(scope);
		const baseline = baselineOf(options.baseline, scope);
		const store = createLossyStore({ need, view, selects, baseline });
		const run = () => followLossily({ api, scope, store, state, link, clock, random, log, signal: until });
		return { get: store.get, clear: store.clear, run };
	}

	const { audience } = options;
	const needs = lossyNeeds(audience, log);
	const set = createScopeSet({ audience, needs, narrowing, log, signal, onChange: alarm.ring, follow });
	const hub = createKindHub({
		name: credentials.name,
		...set,
		kinds: set.states,
		view: withoutEmptyApiServer(set.view),
		alarm,
		clock,
		signal,
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

/** Whether an object is one of the scope's; wherever it is. */
function selectionOf({ labelSelector, onNode }: Scope): (object: unknown) => boolean {
	const parsed = parseLabelSelector(labelSelector);
	if (parsed.kind === "wrong") throw new Error(`Cannot select by ${labelSelector}: ${parsed.message}`);
	const { selector } = parsed;
	const within = (raw: unknown, key: string): unknown => (isRaw(raw) ? field(raw, key) : undefined);
	return (object) => {
		const labels = within(within(object, "metadata"), "labels");
		const isThere = onNode === undefined || within(within(object, "spec"), "nodeName") === onNode;
		return isThere && matchesLabels(selector, (key) => within(labels, key));
	};
}

function baselineOf(cluster: Cluster | undefined, scope: Scope): ReadonlyMap<string, Held> {
	const { need, namespace } = scope;
	const known = cluster === undefined ? [] : knownOf(cluster, need.kind);
	const inside = known.filter(
		([key, each]) => (namespace === undefined || key.startsWith(`${namespace}/`)) && isPodOf(scope, each),
	);
	return new Map(inside.map(([key, each]) => [key, heldOf(each)]));
}

/** Of what is no Pod all is. */
function isPodOf({ labelSelector, onNode }: Scope, known: Known): boolean {
	if (known.kind !== "Pod") return true;
	const parsed = parseLabelSelector(labelSelector);
	const { nodeName, labels } = known.pod;
	if (onNode !== undefined && nodeName !== onNode) return false;
	return parsed.kind === "selector" && matchesLabels(parsed.selector, (key) => labelIn(labels, key));
}

function knownOf(cluster: Cluster, kind: Known["kind"]): readonly (readonly [string, Known])[] {
	const { services, slices, nodes, pods, policies } = cluster;
	switch (kind) {
		case "Service":
			return [...services.values()].map((service) => [service.key, { kind, service }]);
		case "EndpointSlice":
			return [...slices.values()].flat().map((slice) => [slice.key, { kind, slice }]);
		case "Node":
			return [...nodes.values()].map((node) => [node.name, { kind, node }]);
		case "Pod":
			return [...pods.values()].map((pod) => [pod.key, { kind, pod }]);
		case "LocalRedirectPolicy":
		case "BalancingPolicy":
			return [...policies.values()].flatMap((each) => (each.kind === kind ? [[each.name, knownPolicy(each)]] : []));
		default:
			return assertNever(kind);
	}
}

function knownPolicy(policy: Policy): Known {
	return policy.kind === "BalancingPolicy" ? { kind: policy.kind, policy } : { kind: policy.kind, policy };
}

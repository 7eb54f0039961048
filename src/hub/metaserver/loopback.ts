// KubeEdge puts 127.0.0.1:10550 in the place of the API server's endpoints: right for nobody who has a network of his own.

import type { Ip } from "../../model/address.ts";
import type { Cluster, EndpointSlice } from "../../model/cluster.ts";
import { endpointsIn, listEndpoints, NO_ENDPOINTS } from "../../model/endpoint_list.ts";
import { API_SERVER } from "../kinds/api_server_guard.ts";
import type { ClusterView } from "../kinds/cluster_view.ts";
import type { Need } from "../kinds/needs.ts";

/**
 * The same need, without endpoints on loopback addresses: a real API server takes none (k8s.io/kubernetes
 * pkg/apis/discovery/validation). `tell` is called whenever one is left out.
 */
export function withoutLoopback(need: Need, tell: () => void): Need {
	return {
		...need,
		project(object) {
			const { value, problems } = need.project(object);
			if (value?.kind !== "EndpointSlice") return { value, problems };
			const slice = dropLoopback(value.slice);
			if (slice !== value.slice) tell();
			return { value: { kind: "EndpointSlice", slice }, problems };
		},
	};
}

function dropLoopback(slice: EndpointSlice): EndpointSlice {
	const endpoints = endpointsIn(slice.endpoints);
	const others = endpoints.filter(({ ip }) => !isLoopback(ip));
	return others.length === endpoints.length ? slice : { ...slice, endpoints: listEndpoints(others) };
}

function isLoopback(ip: Ip): boolean {
	return ip.startsWith("127.") || ip === "::1";
}

/** The same view, without a default/kubernetes that has no endpoints: its address is left alone, not refused. */
export function withoutEmptyApiServer(view: Pick<ClusterView, "snapshot">): Pick<ClusterView, "snapshot"> {
	let seen: Cluster | undefined;
	let shown: Cluster | undefined;
	return {
		snapshot() {
			const whole = view.snapshot();
			if (whole === seen && shown !== undefined) return shown;
			seen = whole;
			shown = hideEmpty(whole);
			return shown;
		},
	};
}

function hideEmpty(cluster: Cluster): Cluster {
	const own = cluster.slices.get(API_SERVER) ?? [];
	if (!cluster.services.has(API_SERVER) || own.some(({ endpoints }) => endpoints !== NO_ENDPOINTS)) return cluster;
	const [services, slices] = [new Map(cluster.services), new Map(cluster.slices)];
	services.delete(API_SERVER);
	slices.delete(API_SERVER);
	return { ...cluster, services, slices };
}

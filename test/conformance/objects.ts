// Services and their EndpointSlices as the API server and the EndpointSlice controller would write them.

import { type HostName, hostNamed } from "./network.ts";
import type { Protocol } from "./row.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** An address of each family. */
export interface Pair {
	readonly v4: string;
	readonly v6: string;
}

export interface ServiceOptions {
	readonly type?: "ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName";
	/** Default: one of a new address. */
	readonly vip?: Pair;
	readonly ports?: readonly PortOptions[];
	/** More of spec, metadata.labels, metadata.annotations, status. */
	readonly spec?: Fields;
	readonly labels?: Readonly<Record<string, string>>;
	readonly annotations?: Readonly<Record<string, string>>;
	/** status.loadBalancer.ingress. */
	readonly ingress?: readonly Fields[];
}

export interface PortOptions {
	readonly name: string;
	readonly port: number;
	readonly protocol: Protocol | "SCTP";
	readonly nodePort?: number;
	readonly targetPort?: number | string;
}

/** Where a Service's connections may arrive. */
export interface EndpointOptions {
	readonly host: HostName;
	/** Default true. */
	readonly ready?: boolean;
	/** Default: as ready. */
	readonly serving?: boolean;
	readonly terminating?: boolean;
	readonly forZones?: readonly string[];
	readonly forNodes?: readonly string[];
	/** Without nodeName, as slices that people write have it. */
	readonly nodeless?: boolean;
}

export interface SliceOptions {
	/** Default: of all, 8080 and up, by the order of the Service's ports. */
	readonly ports?: readonly { readonly name: string; readonly port: number; readonly protocol: Protocol | "SCTP" }[];
	/** Tells several slices of one Service apart. */
	readonly suffix?: string;
	readonly labels?: Readonly<Record<string, string>>;
}

export interface Place {
	readonly namespace: string;
	readonly name: string;
}

/** A Service of both families. */
export function serviceObject({ namespace, name }: Place, options: ServiceOptions): Fields {
	const { type = "ClusterIP", vip, ports = [], spec = {}, labels = {}, annotations = {}, ingress = [] } = options;
	const clusterIPs = vip === undefined ? [] : [vip.v4, vip.v6];
	const addresses =
		type === "ExternalName"
			? { externalName: "example.com" }
			: { clusterIP: clusterIPs[0], clusterIPs, ipFamilies: ["IPv4", "IPv6"], ipFamilyPolicy: "RequireDualStack" };
	return {
		apiVersion: "v1",
		kind: "Service",
		metadata: { namespace, name, labels, annotations },
		spec: { type, ports, ...addresses, ...spec },
		status: { loadBalancer: ingress.length === 0 ? {} : { ingress } },
	};
}

function endpointObject(family: keyof Pair, endpoint: EndpointOptions): Fields {
	const { host, ready = true, serving = ready, terminating = false, forZones = [], forNodes = [] } = endpoint;
	const { node, ...ips } = hostNamed(host);
	const hints = {
		...(forZones.length === 0 ? {} : { forZones: forZones.map((zone) => ({ name: zone })) }),
		...(forNodes.length === 0 ? {} : { forNodes: forNodes.map((each) => ({ name: each })) }),
	};
	return {
		addresses: [ips[family]],
		conditions: { ready, serving, terminating },
		...(endpoint.nodeless === true ? {} : { nodeName: node }),
		...(Object.keys(hints).length === 0 ? {} : { hints }),
	};
}

/** One slice of each family. */
export function sliceObjects({ namespace, name }: Place, endpoints: readonly EndpointOptions[], options: SliceOptions) {
	const { ports = [], suffix = "1", labels = {} } = options;
	return (["v4", "v6"] as const).map((family) => ({
		apiVersion: "discovery.k8s.io/v1",
		kind: "EndpointSlice",
		metadata: {
			namespace,
			name: `${name}-${family}-${suffix}`,
			labels: {
				"kubernetes.io/service-name": name,
				"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
				...labels,
			},
		},
		addressType: family === "v4" ? "IPv4" : "IPv6",
		endpoints: endpoints.map((endpoint) => endpointObject(family, endpoint)),
		ports,
	}));
}

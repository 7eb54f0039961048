// What is watched at an API server, and why: one row a kind. RBAC grants exactly this: list and watch.

import type { EndpointSlice, Node, Service } from "../../model/cluster.ts";
import { projectEndpointSlice } from "../../model/endpoint_slice.ts";
import { projectNode } from "../../model/node.ts";
import type { Projection } from "../../model/report.ts";
import { projectService } from "../../model/service.ts";

/** An object that a plan reads. */
export type Known =
	| { readonly kind: "Service"; readonly service: Service }
	| { readonly kind: "EndpointSlice"; readonly slice: EndpointSlice }
	| { readonly kind: "Node"; readonly node: Node };

export interface Need {
	readonly kind: Known["kind"];
	/** Of its API group and version, from the root. */
	readonly api: string;
	/** As in URLs and in RBAC. */
	readonly resource: string;
	/** "" is the core group. */
	readonly group: string;
	/** False: its objects are in no namespace, and `--namespaces` does not narrow it. */
	readonly namespaced: boolean;
	/** What is unknown without it, where a hub need not show it; undefined: without it nothing is known. */
	readonly without: string | undefined;
	/** Who reads it. */
	readonly why: string;
	/** Label requirements, applied by the server: what does not meet them is never sent, and what stops meeting them comes as DELETED. */
	readonly labels: readonly string[];
	/** Whether `--selector` narrows it. */
	readonly selectable: boolean;
	readonly project: (object: unknown) => Projection<Known>;
}

/** The label is copied from a Service to its slices; kube-proxy asks for the same. */
const NOT_ANOTHER_PROXYS = "!service.kubernetes.io/service-proxy-name";

export const NEEDS: readonly Need[] = [
	{
		kind: "Service",
		api: "/api/v1",
		resource: "services",
		group: "",
		namespaced: true,
		without: undefined,
		why: "frontends: addresses, ports and policies",
		labels: [NOT_ANOTHER_PROXYS],
		selectable: true,
		project: (object) => wrap(projectService(object), (service) => ({ kind: "Service", service })),
	},
	{
		kind: "EndpointSlice",
		api: "/apis/discovery.k8s.io/v1",
		resource: "endpointslices",
		group: "discovery.k8s.io",
		namespaced: true,
		without: undefined,
		why: "backends of Services",
		// Slices without a Service are somebody else's.
		labels: ["kubernetes.io/service-name", "!service.kubernetes.io/headless", NOT_ANOTHER_PROXYS],
		// Slices written by hand need not carry their Service's labels.
		selectable: false,
		project: (object) => wrap(projectEndpointSlice(object), (slice) => ({ kind: "EndpointSlice", slice })),
	},
	{
		kind: "Node",
		api: "/api/v1",
		resource: "nodes",
		group: "",
		namespaced: false,
		// Whoever may see some namespaces only has cluster IPs all the same.
		without: "node ports, zones and ways over nodes",
		why: "node ports, topology and reach: addresses and zones of nodes",
		labels: [],
		selectable: false,
		project: (object) => wrap(projectNode(object), (node) => ({ kind: "Node", node })),
	},
];

function wrap<T>({ value, problems }: Projection<T>, known: (value: T) => Known): Projection<Known> {
	return { value: value === undefined ? undefined : known(value), problems };
}

/** One list and watch: a kind, in all namespaces, in one, or in none. */
export interface Scope {
	readonly need: Need;
	readonly namespace: string | undefined;
	/** The collection's path. */
	readonly path: string;
	readonly labelSelector: string;
	/** `Services in demo`, for people. */
	readonly title: string;
}

export interface Narrowing {
	/** Empty: all. */
	readonly namespaces: readonly string[];
	/** A label selector for Services; "" for all. */
	readonly selector: string;
}

/** What to watch. */
export function scopesOf(needs: readonly Need[], { namespaces, selector }: Narrowing): readonly Scope[] {
	const everywhere = [undefined];
	const places = namespaces.length === 0 ? everywhere : [...new Set(namespaces)];
	return needs.flatMap((need) =>
		(need.namespaced ? places : everywhere).map((namespace) => ({
			need,
			namespace,
			path: `${need.api}/${namespace === undefined ? "" : `namespaces/${namespace}/`}${need.resource}`,
			labelSelector: [...need.labels, ...(need.selectable && selector !== "" ? [selector] : [])].join(","),
			title: `${need.kind}s${namespace === undefined ? "" : ` in ${namespace}`}`,
		})),
	);
}

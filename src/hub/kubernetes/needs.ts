// What is watched at an API server, and why: one row a kind. RBAC grants exactly this: list and watch.

import type { EndpointSlice, Service } from "../../model/cluster.ts";
import { projectEndpointSlice } from "../../model/endpoint_slice.ts";
import type { Projection } from "../../model/report.ts";
import { projectService } from "../../model/service.ts";

/** An object that a plan reads. */
export type Known =
	| { readonly kind: "Service"; readonly service: Service }
	| { readonly kind: "EndpointSlice"; readonly slice: EndpointSlice };

export interface Need {
	readonly kind: Known["kind"];
	/** Of its API group and version, from the root. */
	readonly api: string;
	/** As in URLs and in RBAC. */
	readonly resource: string;
	/** "" is the core group. */
	readonly group: string;
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
		why: "backends of Services",
		// Slices without a Service are somebody else's.
		labels: ["kubernetes.io/service-name", "!service.kubernetes.io/headless", NOT_ANOTHER_PROXYS],
		// Slices written by hand need not carry their Service's labels.
		selectable: false,
		project: (object) => wrap(projectEndpointSlice(object), (slice) => ({ kind: "EndpointSlice", slice })),
	},
];

function wrap<T>({ value, problems }: Projection<T>, known: (value: T) => Known): Projection<Known> {
	return { value: value === undefined ? undefined : known(value), problems };
}

/** One list and watch: a kind, in all namespaces or in one. */
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
	const places = namespaces.length === 0 ? [undefined] : [...new Set(namespaces)];
	return needs.flatMap((need) =>
		places.map((namespace) => ({
			need,
			namespace,
			path: `${need.api}/${namespace === undefined ? "" : `namespaces/${namespace}/`}${need.resource}`,
			labelSelector: [...need.labels, ...(need.selectable && selector !== "" ? [selector] : [])].join(","),
			title: `${need.kind}s${namespace === undefined ? "" : ` in ${namespace}`}`,
		})),
	);
}

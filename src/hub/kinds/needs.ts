// What is watched at an API server, and why: one row a kind. RBAC grants exactly this: list and watch.

import type { EndpointSlice, Node, Service } from "../../model/cluster.ts";
import { projectEndpointSlice } from "../../model/endpoint_slice.ts";
import { projectNode } from "../../model/node.ts";
import { type Pod, projectPod } from "../../model/pod.ts";
import type { Projection } from "../../model/report.ts";
import { projectService } from "../../model/service.ts";

/** An object that a plan reads. */
export type Known =
	| { readonly kind: "Service"; readonly service: Service }
	| { readonly kind: "EndpointSlice"; readonly slice: EndpointSlice }
	| { readonly kind: "Node"; readonly node: Node }
	| { readonly kind: "Pod"; readonly pod: Pod };

/** Who follows: an agent, on the node of this name, or the controller, for the cluster as a whole. */
export type Audience = { readonly kind: "node"; readonly nodeName: string } | { readonly kind: "cluster" };

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
	/** Which part of it is followed in any case; the rest where a policy selects it. */
	readonly extent: Extent;
	/** Whether `--selector` narrows it. */
	readonly selectable: boolean;
	readonly project: (object: unknown) => Projection<Known>;
}

/** Of Pods those of one node; `selected`: none. */
export type Extent =
	| { readonly kind: "all" }
	| { readonly kind: "onNode"; readonly nodeName: string }
	| { readonly kind: "selected" };

const ALL: Extent = { kind: "all" };

/** The label is copied from a Service to its slices; kube-proxy asks for the same. */
const NOT_ANOTHER_PROXYS = "!service.kubernetes.io/service-proxy-name";

const KINDS: readonly Need[] = [
	{
		kind: "Service",
		api: "/api/v1",
		resource: "services",
		group: "",
		namespaced: true,
		without: undefined,
		why: "frontends: addresses, ports and policies",
		labels: [NOT_ANOTHER_PROXYS],
		extent: ALL,
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
		extent: ALL,
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
		extent: ALL,
		selectable: false,
		project: (object) => wrap(projectNode(object), (node) => ({ kind: "Node", node })),
	},
	{
		kind: "Pod",
		api: "/api/v1",
		resource: "pods",
		group: "",
		namespaced: true,
		without: "pods behind policies",
		why: "backends of policies: of redirects those on our node, else those that a policy selects",
		labels: [],
		extent: { kind: "selected" },
		selectable: false,
		project: (object) => wrap(projectPod(object), (pod) => ({ kind: "Pod", pod })),
	},
];

/** The controller does not plan Services' backends. */
const NOT_OF_THE_CLUSTER: ReadonlySet<Known["kind"]> = new Set(["EndpointSlice"]);

/** One row a kind. RBAC grants these: list and watch. */
export function needsOf(audience: Audience): readonly Need[] {
	if (audience.kind === "cluster") return KINDS.filter(({ kind }) => !NOT_OF_THE_CLUSTER.has(kind));
	const { nodeName } = audience;
	return KINDS.map((need) => (need.kind === "Pod" ? { ...need, extent: { kind: "onNode", nodeName } } : need));
}

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
	/** "" for none. */
	readonly fieldSelector: string;
	/** `Services in demo`, `Pods on n1`, for people; no two of a hub have the same. */
	readonly title: string;
}

export interface Narrowing {
	/** Empty: all. */
	readonly namespaces: readonly string[];
	/** A label selector for Services; "" for all. */
	readonly selector: string;
}

/** What to watch in any case. */
export function scopesOf(needs: readonly Need[], narrowing: Narrowing): readonly Scope[] {
	return needs.flatMap((need) => {
		const { labels, extent, selectable } = need;
		if (extent.kind === "selected") return [];
		const { selector } = narrowing;
		const labelSelector = [...labels, ...(selectable && selector !== "" ? [selector] : [])].join(",");
		const { fieldSelector, on } = fieldsOf(extent);
		return placesOf(need, narrowing).map((place) => ({
			need,
			...place,
			labelSelector,
			fieldSelector,
			title: `${need.kind}s${place.inside}${on}`,
		}));
	});
}

/** A kind's collections. */
function placesOf({ api, resource, namespaced }: Need, { namespaces }: Narrowing) {
	const everywhere = { namespace: undefined, path: `${api}/${resource}`, inside: "" };
	if (!namespaced || namespaces.length === 0) return [everywhere];
	return [...new Set(namespaces)].map((namespace) => ({
		namespace,
		path: `${api}/namespaces/${namespace}/${resource}`,
		inside: ` in ${namespace}`,
	}));
}

function fieldsOf(extent: Exclude<Extent, { readonly kind: "selected" }>) {
	if (extent.kind === "all") return { fieldSelector: "", on: "" };
	// As k8s.io/apimachinery pkg/fields EscapeValue.
	const escaped = extent.nodeName.replace(/[\\,=]/g, "\\$&");
	return { fieldSelector: `spec.nodeName=${escaped}`, on: ` on ${extent.nodeName}` };
}

/** As a request has it. */
export function selectorsOf({ labelSelector, fieldSelector }: Scope): Readonly<Record<string, string>> {
	return { labelSelector, ...(fieldSelector === "" ? {} : { fieldSelector }) };
}

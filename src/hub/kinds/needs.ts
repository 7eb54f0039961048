// What is watched at an API server, and why: one row a kind. RBAC grants exactly this: list and watch.

import { projectBalancingPolicy } from "../../model/balancing_policy.ts";
import type { EndpointSlice, Node, Service } from "../../model/cluster.ts";
import { projectEndpointSlice } from "../../model/endpoint_slice.ts";
import { projectLocalRedirectPolicy } from "../../model/local_redirect_policy.ts";
import { projectNode } from "../../model/node.ts";
import { type Pod, projectPod } from "../../model/pod.ts";
import type { BalancingPolicy, LocalRedirectPolicy } from "../../model/policy.ts";
import type { Projection } from "../../model/report.ts";
import { projectService } from "../../model/service.ts";

/** An object that a plan reads. */
export type Known =
	| { readonly kind: "Service"; readonly service: Service }
	| { readonly kind: "EndpointSlice"; readonly slice: EndpointSlice }
	| { readonly kind: "Node"; readonly node: Node }
	| { readonly kind: "Pod"; readonly pod: Pod }
	| { readonly kind: "LocalRedirectPolicy"; readonly policy: LocalRedirectPolicy }
	| { readonly kind: "BalancingPolicy"; readonly policy: BalancingPolicy };

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
	/** How it comes to a cluster that does not have it, which is nobody's mistake. */
	readonly install?: string;
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

const POLICY = {
	api: "/apis/balancing.elf.io/v1beta1",
	group: "balancing.elf.io",
	namespaced: false,
	install: "kubectl apply -f edge/crds",
	labels: [],
	extent: ALL,
	selectable: false,
} as const;

const POLICIES: readonly Need[] = [
	{
		...POLICY,
		kind: "LocalRedirectPolicy",
		resource: "localredirectpolicies",
		without: "local redirects",
		why: "redirects to pods on our node",
		project: (object) =>
			wrap(projectLocalRedirectPolicy(object), (policy) => ({ kind: "LocalRedirectPolicy", policy })),
	},
	{
		...POLICY,
		kind: "BalancingPolicy",
		resource: "balancingpolicies",
		without: "balancing policies",
		why: "addresses that lead to chosen backends",
		project: (object) => wrap(projectBalancingPolicy(object), (policy) => ({ kind: "BalancingPolicy", policy })),
	},
];

/** The label is copied from a Service to its slices; kube-proxy asks for the same. */
const NOT_ANOTHER_PROXYS = "!service.kubernetes.io/service-proxy-name";

/** Of a Node its labels only where it is `ownNode`. */
function kindsOf(ownNode: string): readonly Need[] {
	return [
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
			project: (object) => wrap(projectNode(object, ownNode), (node) => ({ kind: "Node", node })),
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
		...POLICIES,
	];
}

/** The controller does not plan Services' backends. */
const NOT_OF_THE_CLUSTER: ReadonlySet<Known["kind"]> = new Set(["EndpointSlice"]);

/** One row a kind. RBAC grants these: list and watch. */
export function needsOf(audience: Audience): readonly Need[] {
	if (audience.kind === "cluster") return kindsOf("").filter(({ kind }) => !NOT_OF_THE_CLUSTER.has(kind));
	const { nodeName } = audience;
	return kindsOf(nodeName).map((need) =>
		need.kind === "Pod" && nodeName !== "" ? { ...need, extent: { kind: "onNode", nodeName } } : need,
	);
}

function wrap<T>({ value, problems }: Projection<T>, known: (value: T) => Known): Projection<Known> {
	return { value: value === undefined ? undefined : known(value), problems };
}

// The kinds the test hub serves: those of Kubernetes here, custom ones from their definitions.

import { at, type Fields, fieldsOf, type KubeObject, listOf, textOf } from "./object.ts";
import { schemaOf } from "./schema.ts";

export interface Kind {
	readonly group: string;
	readonly version: string;
	readonly resource: string;
	readonly singular: string;
	readonly kind: string;
	readonly listKind: string;
	readonly namespaced: boolean;
	readonly shortNames: readonly string[];
	readonly categories: readonly string[];
	/** Has the status subresource. */
	readonly status: boolean;
	/** Its status may be given when it is made, too: Nodes are made by their kubelets. */
	readonly bornWithStatus: boolean;
	readonly custom: boolean;
	/** metadata.generation is kept. */
	readonly generation: boolean;
	/** What can be selected by field besides metadata.name and metadata.namespace. */
	readonly fields: readonly string[];
	/** What an empty object of the kind has: it is in every bookmark. */
	readonly empty: Fields;
	/** additionalPrinterColumns of a custom kind. */
	readonly columns: readonly Fields[];
	/** Of a custom kind. */
	readonly schema: Fields | undefined;
}

/** Names a kind among all: services, leases.coordination.k8s.io. */
export function idOf({ group, resource }: { readonly group: string; readonly resource: string }): string {
	return group === "" ? resource : `${resource}.${group}`;
}

export function apiVersionOf({ group, version }: Kind): string {
	return group === "" ? version : `${group}/${version}`;
}

export const VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"] as const;

const NO_NODE_INFO = Object.fromEntries(
	"machineID systemUUID bootID kernelVersion osImage containerRuntimeVersion kubeletVersion kubeProxyVersion operatingSystem architecture"
		.split(" ")
		.map((key) => [key, ""]),
);

const POD_FIELDS = [
	"spec.nodeName",
	"spec.restartPolicy",
	"spec.schedulerName",
	"spec.serviceAccountName",
	"spec.hostNetwork",
	"status.phase",
	"status.podIP",
	"status.podIPs",
	"status.nominatedNodeName",
];
const EVENT_FIELDS = [
	"involvedObject.kind",
	"involvedObject.namespace",
	"involvedObject.name",
	"involvedObject.uid",
	"reason",
	"reportingComponent",
	"source",
	"type",
];

type Partly = Partial<Kind> & Pick<Kind, "resource" | "kind">;

function builtin(kind: Partly): Kind {
	return {
		group: "",
		version: "v1",
		singular: kind.kind.toLowerCase(),
		listKind: `${kind.kind}List`,
		namespaced: true,
		shortNames: [],
		categories: [],
		status: false,
		bornWithStatus: false,
		custom: false,
		generation: false,
		fields: [],
		empty: {},
		columns: [],
		schema: undefined,
		...kind,
	};
}

/** Stored and served; no controller acts on them, rules come from setRules, and webhooks are called as their configurations say. */
const INERT: readonly Kind[] = [
	builtin({ resource: "secrets", kind: "Secret" }),
	builtin({ resource: "serviceaccounts", kind: "ServiceAccount", shortNames: ["sa"] }),
	builtin({
		group: "apps",
		resource: "daemonsets",
		kind: "DaemonSet",
		shortNames: ["ds"],
		status: true,
		generation: true,
	}),
	builtin({
		group: "apps",
		resource: "deployments",
		kind: "Deployment",
		shortNames: ["deploy"],
		status: true,
		generation: true,
	}),
	builtin({ group: "events.k8s.io", resource: "events", kind: "Event", shortNames: ["ev"] }),
	builtin({ group: "rbac.authorization.k8s.io", resource: "clusterroles", kind: "ClusterRole", namespaced: false }),
	builtin({
		group: "rbac.authorization.k8s.io",
		resource: "clusterrolebindings",
		kind: "ClusterRoleBinding",
		namespaced: false,
	}),
	builtin({ group: "rbac.authorization.k8s.io", resource: "roles", kind: "Role" }),
	builtin({ group: "rbac.authorization.k8s.io", resource: "rolebindings", kind: "RoleBinding" }),
	builtin({
		group: "admissionregistration.k8s.io",
		resource: "validatingwebhookconfigurations",
		kind: "ValidatingWebhookConfiguration",
		namespaced: false,
		generation: true,
	}),
	builtin({
		group: "admissionregistration.k8s.io",
		resource: "mutatingwebhookconfigurations",
		kind: "MutatingWebhookConfiguration",
		namespaced: false,
		generation: true,
	}),
	builtin({
		group: "policy",
		resource: "poddisruptionbudgets",
		kind: "PodDisruptionBudget",
		status: true,
		generation: true,
	}),
];

/** What every server of the test has. */
export const BUILTIN: readonly Kind[] = [
	builtin({ resource: "configmaps", kind: "ConfigMap", shortNames: ["cm"] }),
	builtin({ resource: "events", kind: "Event", shortNames: ["ev"], fields: EVENT_FIELDS }),
	builtin({
		resource: "namespaces",
		kind: "Namespace",
		namespaced: false,
		shortNames: ["ns"],
		status: true,
		fields: ["status.phase"],
		empty: { spec: {}, status: {} },
	}),
	builtin({
		resource: "nodes",
		kind: "Node",
		namespaced: false,
		shortNames: ["no"],
		status: true,
		bornWithStatus: true,
		fields: ["spec.unschedulable"],
		empty: { spec: {}, status: { daemonEndpoints: { kubeletEndpoint: { Port: 0 } }, nodeInfo: NO_NODE_INFO } },
	}),
	builtin({
		resource: "pods",
		kind: "Pod",
		shortNames: ["po"],
		categories: ["all"],
		status: true,
		generation: true,
		fields: POD_FIELDS,
		empty: { spec: { containers: null }, status: {} },
	}),
	builtin({
		resource: "services",
		kind: "Service",
		shortNames: ["svc"],
		categories: ["all"],
		status: true,
		fields: ["spec.clusterIP", "spec.type"],
		empty: { spec: {}, status: { loadBalancer: {} } },
	}),
	builtin({
		group: "apiextensions.k8s.io",
		resource: "customresourcedefinitions",
		kind: "CustomResourceDefinition",
		namespaced: false,
		shortNames: ["crd", "crds"],
		categories: ["api-extensions"],
		status: true,
		generation: true,
	}),
	builtin({ group: "coordination.k8s.io", resource: "leases", kind: "Lease", empty: { spec: {} } }),
	builtin({
		group: "discovery.k8s.io",
		resource: "endpointslices",
		kind: "EndpointSlice",
		generation: true,
		empty: { addressType: "", endpoints: null, ports: null },
	}),
	...INERT,
];

export const DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io";

/** The kind that a definition defines; undefined while it is not established. */
export function customKind(definition: KubeObject): Kind | undefined {
	const { spec } = definition;
	const conditions = listOf(at(definition, "status", "conditions")).map(fieldsOf);
	const established = conditions.some(({ type, status }) => type === "Established" && status === "True");
	const version = listOf(spec?.["versions"])
		.map(fieldsOf)
		.find((each) => each["served"] === true);
	const names = fieldsOf(spec?.["names"]);
	const [group, resource, kind] = [spec?.["group"], names["plural"], names["kind"]].map(textOf);
	if (!established || version === undefined || !group || !resource || !kind) return undefined;
	return {
		group,
		version: textOf(version["name"]) ?? "",
		resource,
		kind,
		singular: textOf(names["singular"]) ?? kind.toLowerCase(),
		listKind: textOf(names["listKind"]) ?? `${kind}List`,
		namespaced: spec?.["scope"] === "Namespaced",
		shortNames: listOf(names["shortNames"]).map(String),
		categories: listOf(names["categories"]).map(String),
		status: at(version, "subresources", "status") !== undefined,
		bornWithStatus: false,
		custom: true,
		generation: true,
		fields: listOf(version["selectableFields"]).map((each) => `${at(each, "jsonPath")}`.replace(/^\./, "")),
		empty: {},
		columns: listOf(version["additionalPrinterColumns"]).map(fieldsOf),
		schema: schemaOf(version),
	};
}

// What the API server does to a definition of a custom kind: it takes the names, then serves it.

import { DEFINITIONS } from "./kind.ts";
import { at, type Fields, fieldsOf, type KubeObject, listOf, timestamp } from "./object.ts";
import type { Store } from "./store.ts";

/** Two more versions of the definition, as watchers see it, and then it is served. */
export function establish(store: Store, definition: KubeObject): KubeObject {
	const conditions = listOf(at(definition, "status", "conditions")).map(fieldsOf);
	if (conditions.some(({ type, status }) => type === "Established" && status === "True")) return definition;
	const condition = (type: string, reason: string, message: string): Fields => ({
		type,
		status: "True",
		lastTransitionTime: timestamp(),
		reason,
		message,
	});
	const accepted = condition("NamesAccepted", "NoConflicts", "no conflicts found");
	const established = condition("Established", "InitialNamesAccepted", "the initial names have been accepted");
	const status = { acceptedNames: definition.spec?.["names"], storedVersions: [storedVersion(definition)] };
	const next = store.put(DEFINITIONS, { ...definition, status: { ...status, conditions: [accepted] } });
	return store.put(DEFINITIONS, { ...next, status: { ...status, conditions: [accepted, established] } });
}

function storedVersion(definition: KubeObject): unknown {
	return listOf(at(definition, "spec", "versions"))
		.map(fieldsOf)
		.find(({ storage }) => storage === true)?.["name"];
}

const GROUP = "balancing.elf.io";

function policy(kind: string, short: string, columns: readonly Fields[]): Fields {
	const singular = kind.toLowerCase();
	const plural = singular.replace(/y$/, "ies");
	return {
		apiVersion: "apiextensions.k8s.io/v1",
		kind: "CustomResourceDefinition",
		metadata: { name: `${plural}.${GROUP}` },
		spec: {
			group: GROUP,
			names: { kind, listKind: `${kind}List`, plural, singular, shortNames: [short], categories: ["elf"] },
			scope: "Cluster",
			versions: [
				{
					name: "v1beta1",
					served: true,
					storage: true,
					subresources: { status: {} },
					additionalPrinterColumns: columns,
					schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
				},
			],
		},
	};
}

const COLUMNS: readonly Fields[] = [
	{ name: "serviceName", type: "string", jsonPath: ".spec.frontend.serviceMatcher.serviceName" },
	{ name: "namespace", type: "string", jsonPath: ".spec.frontend.serviceMatcher.namespace" },
	{ name: "addressMatcher", type: "string", jsonPath: ".spec.frontend.addressMatcher.ip" },
];

/** The two policies with a schema that takes everything: for tests of the protocol, not of the schema. */
export const POLICY_DEFINITIONS: readonly Fields[] = [
	policy("LocalRedirectPolicy", "lr", COLUMNS),
	policy("BalancingPolicy", "bl", COLUMNS),
];

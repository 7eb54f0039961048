// What a hub knows: its store, the kinds and writes on it, and the watches that follow it.

import { DEFINITIONS, idOf } from "./kind.ts";
import { parseManifests } from "./manifest.ts";
import { at, type KubeObject } from "./object.ts";
import { createRegistry, type Registry } from "./registry.ts";
import type { Rules } from "./schema.ts";
import { createStore, type Store } from "./store.ts";
import type { OpenWatch } from "./watch.ts";
import { createWrites, type Writes } from "./writes.ts";

export interface Core {
	readonly store: Store;
	readonly registry: Registry;
	readonly writes: Writes;
	readonly watches: Set<OpenWatch>;
	/** Creates or replaces what manifests (YAML, JSON, objects, Lists) say, status included; namespaces are made as needed. */
	apply(manifests: unknown): readonly KubeObject[];
	remove(kind: string, namespace: string | undefined, name: string): void;
}

const BY_HAND = { manager: "test-hub", direct: true } as const;

const BASE = `
{ apiVersion: v1, kind: Namespace, metadata: { name: default } }
---
{ apiVersion: v1, kind: Namespace, metadata: { name: kube-node-lease } }
---
{ apiVersion: v1, kind: Namespace, metadata: { name: kube-public } }
---
{ apiVersion: v1, kind: Namespace, metadata: { name: kube-system } }
`;

/** The Service that every cluster has, and its slice as the API server itself writes it: without a managed-by label. */
const KUBERNETES = `
apiVersion: v1
kind: Service
metadata: { name: kubernetes, namespace: default, labels: { component: apiserver, provider: kubernetes } }
spec: { clusterIP: 10.96.0.1, ports: [{ name: https, port: 443, protocol: TCP, targetPort: 6443 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: kubernetes, namespace: default, labels: { kubernetes.io/service-name: kubernetes } }
addressType: IPv4
endpoints: [{ addresses: [192.0.2.1], conditions: { ready: true } }]
ports: [{ name: https, port: 6443, protocol: TCP }]
`;

export interface CoreOptions {
	readonly historyLimit: number;
	/** default/kubernetes is there. */
	readonly kubernetes: boolean;
	readonly definitions: readonly unknown[];
	readonly rules: Rules | undefined;
}

export function createCore({ historyLimit, kubernetes, definitions, rules }: CoreOptions): Core {
	const store = createStore(historyLimit);
	const registry = createRegistry(store);
	const writes = createWrites(store, registry, rules);
	const watches = new Set<OpenWatch>();
	const applyOne = (object: KubeObject): KubeObject => {
		const kind = registry.findKind(object.apiVersion, object.kind);
		if (kind === undefined)
			throw new Error(
				`Cannot apply ${object.kind} ${object.metadata.name}: the hub does not serve ${object.apiVersion}`,
			);
		const namespace = kind.namespaced ? object.metadata.namespace || "default" : undefined;
		if (namespace !== undefined && store.get("namespaces", namespace) === undefined)
			applyOne({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
		const { name } = object.metadata;
		const known = store.get(idOf(kind), namespace === undefined ? name : `${namespace}/${name}`) !== undefined;
		const place = { kind, namespace, name };
		return known ? writes.update(place, object, BY_HAND) : writes.create(place, object, BY_HAND);
	};
	const core: Core = {
		store,
		registry,
		writes,
		watches,
		apply: (manifests) => parseManifests(manifests).map(applyOne),
		remove(name, namespace, object) {
			const kind = registry.named(name);
			writes.delete(
				{ kind, namespace: kind.namespaced ? (namespace ?? "default") : undefined, name: object },
				{},
				BY_HAND,
			);
		},
	};
	store.subscribe((change) => {
		if (change.kind !== DEFINITIONS || change.type !== "DELETED") return;
		const resource = `${at(change.object, "spec", "names", "plural")}.${at(change.object, "spec", "group")}`;
		for (const watch of [...watches]) if (watch.resource === resource) watch.end();
	});
	core.apply(BASE);
	if (kubernetes) core.apply(KUBERNETES);
	for (const definition of definitions) core.apply(definition);
	return core;
}

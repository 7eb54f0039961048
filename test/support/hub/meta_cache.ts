// What a MetaServer has on its node: objects that watches brought, which it answers with when the cloud does not.

import { at, isFields, type KubeObject, keyOf, listOf } from "./object.ts";

export type MetaEventType = "ADDED" | "MODIFIED" | "DELETED";

/** Objects by kind (idOf) and key. */
export interface MetaCache {
	list(kind: string): readonly KubeObject[];
	/** What an event does to it. */
	take(kind: string, type: MetaEventType, object: KubeObject): void;
	/** As if a watch had never brought it; without a name all of the kind. */
	forget(kind: string, key?: string): void;
	/** The greatest version that was ever seen: the version of its lists. */
	revision(): number;
}

export function createMetaCache(): MetaCache {
	const kinds = new Map<string, Map<string, KubeObject>>();
	let revision = 0;
	const objectsOf = (kind: string) => {
		const known = kinds.get(kind) ?? new Map<string, KubeObject>();
		kinds.set(kind, known);
		return known;
	};
	return {
		list: (kind) => [...objectsOf(kind).values()],
		take(kind, type, object) {
			if (type === "DELETED") objectsOf(kind).delete(keyOf(object));
			else objectsOf(kind).set(keyOf(object), object);
			revision = Math.max(revision, Number(object.metadata.resourceVersion ?? 0));
		},
		forget(kind, key) {
			if (key === undefined) objectsOf(kind).clear();
			else objectsOf(kind).delete(key);
		},
		revision: () => revision,
	};
}

/** What the cloud makes of the slice of default/kubernetes before it goes to a node: one endpoint, the MetaServer itself. */
export function rewriteApiServer(object: KubeObject): KubeObject {
	if (object.kind !== "EndpointSlice" || keyOf(object) !== "default/kubernetes") return object;
	const [first] = listOf(at(object, "endpoints"));
	if (!isFields(first)) return object;
	const ports = listOf(at(object, "ports")).map((port) =>
		isFields(port) && port["name"] === "https" ? { ...port, port: 10_550 } : port,
	);
	return { ...object, endpoints: [{ ...first, addresses: ["127.0.0.1"] }], ports };
}

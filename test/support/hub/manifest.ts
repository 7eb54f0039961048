// Manifests for the hub: YAML or JSON text of one or more documents, objects, or Lists of them.

import { parseAllDocuments } from "yaml";
import { asObject, at, type KubeObject } from "./object.ts";

/** The objects in it. Throws if something in it is none. */
export function parseManifests(manifests: unknown): readonly KubeObject[] {
	if (typeof manifests === "string") return parseText(manifests);
	if (Array.isArray(manifests)) return manifests.flatMap(parseManifests);
	const items = at(manifests, "items");
	if (Array.isArray(items) && `${at(manifests, "kind")}`.endsWith("List")) return items.flatMap(parseManifests);
	const object = asObject(manifests);
	if (object === undefined || (object.metadata.name === "" && object.metadata.generateName === undefined))
		throw new Error(
			`Cannot read a manifest: no apiVersion, kind or metadata.name in ${JSON.stringify(manifests)?.slice(0, 200)}`,
		);
	return [object];
}

function parseText(text: string): readonly KubeObject[] {
	return parseAllDocuments(text).flatMap((document) => {
		const [error] = document.errors;
		if (error !== undefined) throw new Error(`Cannot read a manifest: ${error.message}`, { cause: error });
		const value: unknown = document.toJS();
		return value === null || value === undefined ? [] : parseManifests(value);
	});
}

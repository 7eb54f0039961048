// Who set which field: metadata.managedFields, down to lists, which are owned as a whole.

import { isDeepStrictEqual } from "node:util";
import { at, type Fields, isFields, type KubeObject, type ManagedFields, timestamp } from "./object.ts";

/** A field's path as one text: a JSON array of its keys. */
type Path = string;

const META = ["labels", "annotations", "finalizers", "ownerReferences", "generateName"];

/** The paths that an object, or the status of one, sets. */
export function pathsOf(object: KubeObject, subresource: string | undefined): readonly Path[] {
	if (subresource === "status") return leaves(object.status ?? {}, ["status"]);
	const { metadata, kind: _, apiVersion: __, status: ___, ...rest } = object;
	const named = Object.fromEntries(
		META.filter((key) => metadata[key] !== undefined).map((key) => [key, metadata[key]]),
	);
	return [...leaves(named, ["metadata"]), ...leaves(rest, [])];
}

function leaves(value: Fields, path: readonly string[]): readonly Path[] {
	return Object.entries(value).flatMap(([key, v]) => {
		const here = [...path, key];
		return isFields(v) && Object.keys(v).length > 0 ? leaves(v, here) : [JSON.stringify(here)];
	});
}

export function keysOf(path: Path): readonly string[] {
	return JSON.parse(path) as readonly string[];
}

function treeOf(paths: readonly Path[]): Fields {
	const tree: Record<string, unknown> = {};
	for (const path of paths) {
		let here = tree;
		for (const key of keysOf(path)) {
			const next = (here[`f:${key}`] ?? {}) as Record<string, unknown>;
			here[`f:${key}`] = next;
			here = next;
		}
	}
	return tree;
}

export function pathsOfTree(tree: Fields, path: readonly string[] = []): readonly Path[] {
	return Object.entries(tree).flatMap(([key, below]) => {
		const here = [...path, key.replace(/^f:/, "")];
		return isFields(below) && Object.keys(below).length > 0 ? pathsOfTree(below, here) : [JSON.stringify(here)];
	});
}

export interface Writer {
	readonly manager: string;
	readonly operation: "Apply" | "Update";
	readonly subresource: string | undefined;
}

/** The entries after a write: the writer owns what it set, the others no longer what was changed. */
export function nextManaged(
	before: KubeObject | undefined,
	after: KubeObject,
	{ writer, set }: { readonly writer: Writer; readonly set: readonly Path[] },
): readonly ManagedFields[] {
	const present = new Set([...pathsOf(after, undefined), ...pathsOf(after, "status")]);
	const owned = new Set(set);
	const entries = (before?.metadata.managedFields ?? []).map((entry) => {
		const mine = isSame(entry, writer);
		const kept = pathsOfTree(entry.fieldsV1).filter((path) => present.has(path) && (mine || !owned.has(path)));
		return { entry, mine, paths: mine && writer.operation === "Update" ? [...new Set([...kept, ...set])] : kept };
	});
	const others = entries
		.filter(({ mine, paths }) => !mine && paths.length > 0)
		.map(({ entry, paths }) => renew(entry, paths));
	const own = entries.find(({ mine }) => mine);
	const paths = writer.operation === "Apply" ? set : (own?.paths ?? set);
	if (paths.length === 0) return others;
	const entry: ManagedFields = {
		manager: writer.manager,
		operation: writer.operation,
		apiVersion: after.apiVersion,
		time: timestamp(),
		fieldsType: "FieldsV1",
		fieldsV1: treeOf(paths),
		...(writer.subresource !== undefined && { subresource: writer.subresource }),
	};
	const unchanged = own !== undefined && isDeepStrictEqual(own.entry.fieldsV1, entry.fieldsV1);
	return [...others, unchanged ? own.entry : entry];
}

function renew(entry: ManagedFields, paths: readonly Path[]): ManagedFields {
	return paths.length === pathsOfTree(entry.fieldsV1).length ? entry : { ...entry, fieldsV1: treeOf(paths) };
}

export function isSame(entry: ManagedFields, { manager, operation, subresource }: Writer): boolean {
	return entry.manager === manager && entry.operation === operation && entry.subresource === subresource;
}

/** The paths whose values differ from before. */
export function changedPaths(
	before: KubeObject | undefined,
	after: KubeObject,
	subresource: string | undefined,
): readonly Path[] {
	return pathsOf(after, subresource).filter((path) => {
		const keys = keysOf(path);
		return before === undefined || !isDeepStrictEqual(at(before, ...keys), at(after, ...keys));
	});
}

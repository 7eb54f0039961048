// Server-side apply: fields have owners, and only force takes them; lists are owned as a whole.

import { isDeepStrictEqual } from "node:util";
import { isSame, keysOf, nextManaged, pathsOf, pathsOfTree, type Writer } from "./managed.ts";
import { asObject, at, isFields, type KubeObject, type ManagedFields } from "./object.ts";
import { mergePatch } from "./patch.ts";
import { ApiError, invalidOptions, required } from "./status.ts";

export interface Applied {
	readonly object: KubeObject;
	readonly managedFields: readonly ManagedFields[];
}

interface ApplyOptions {
	readonly manager: string;
	readonly subresource?: string | undefined;
	readonly force?: boolean;
}

/** What an applied configuration makes of the object. Throws 409 with what others own. */
export function applyConfiguration(before: KubeObject | undefined, wanted: KubeObject, options: ApplyOptions): Applied {
	const { manager, subresource, force } = options;
	if (manager === "") throw invalidOptions("PatchOptions", [required("fieldManager", "is required for apply patch")]);
	const writer: Writer = { manager, operation: "Apply", subresource };
	const set = pathsOf(wanted, subresource);
	const managed = before?.metadata.managedFields ?? [];
	if (!force) refuseConflicts(before, wanted, { set, others: managed.filter((entry) => !isSame(entry, writer)) });
	const merged = asObject(mergePatch(before ?? {}, wanted)) ?? wanted;
	const owned = managed.filter((entry) => isSame(entry, writer)).flatMap(({ fieldsV1 }) => pathsOfTree(fieldsV1));
	const elsewhere = new Set(
		managed.filter((entry) => !isSame(entry, writer)).flatMap(({ fieldsV1 }) => pathsOfTree(fieldsV1)),
	);
	const given = new Set(set);
	const dropped = owned.filter((path) => !given.has(path) && !elsewhere.has(path)).map(keysOf);
	const object = asObject(dropped.reduce<unknown>(without, merged)) ?? merged;
	return { object, managedFields: nextManaged(before, object, { writer, set }) };
}

interface Claims {
	readonly set: readonly string[];
	readonly others: readonly ManagedFields[];
}

function refuseConflicts(before: KubeObject | undefined, wanted: KubeObject, { set, others }: Claims): void {
	const owners = others.map(({ manager, fieldsV1 }) => ({ manager, paths: new Set(pathsOfTree(fieldsV1)) }));
	const causes = set.flatMap((path) => {
		const keys = keysOf(path);
		if (isDeepStrictEqual(at(before, ...keys), at(wanted, ...keys))) return [];
		const field = `.${keys.join(".")}`;
		return owners
			.filter(({ paths }) => paths.has(path))
			.map(({ manager }) => ({ reason: "FieldManagerConflict", message: `conflict with "${manager}"`, field }));
	});
	if (causes.length === 0) return;
	const listed = causes.map(({ message, field }) => `${message}: ${field}`);
	const message = `Apply failed with ${causes.length} conflict${causes.length > 1 ? "s" : ""}: ${listed.join("\n")}`;
	throw new ApiError({ code: 409, message, reason: "Conflict", details: { causes } });
}

function without(value: unknown, path: readonly string[]): unknown {
	const [key, ...below] = path;
	if (key === undefined || !isFields(value) || !Object.hasOwn(value, key)) return value;
	const { [key]: inner, ...rest } = value;
	if (below.length === 0) return rest;
	return { ...rest, [key]: without(inner, below) };
}

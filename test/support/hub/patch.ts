// Patches: merge (RFC 7396), JSON (RFC 6902), and Kubernetes' strategic merge.

import { isDeepStrictEqual } from "node:util";
import { type Fields, fieldsOf, isFields, type KubeObject, listOf } from "./object.ts";
import { ApiError, badRequest, unsupportedMediaType } from "./status.ts";

/** The object after a patch of this Content-Type. */
export function patched(object: KubeObject, type: string, body: unknown): unknown {
	if (type === "application/merge-patch+json") return mergePatch(object, body);
	if (type === "application/strategic-merge-patch+json")
		return strategicPatch(object, fieldsOf(body), { kind: object.kind, path: [] });
	if (type === "application/json-patch+json") return jsonPatch(object, listOf(body));
	throw unsupportedMediaType([
		"application/json-patch+json",
		"application/merge-patch+json",
		"application/apply-patch+yaml",
	]);
}

/** null deletes, objects are merged, everything else is replaced. */
export function mergePatch(target: unknown, patch: unknown): unknown {
	if (!isFields(patch)) return patch;
	const result: Record<string, unknown> = { ...fieldsOf(target) };
	for (const [key, value] of Object.entries(patch)) {
		if (value === null) delete result[key];
		else result[key] = mergePatch(result[key], value);
	}
	return result;
}

/** Lists that are merged by a key, by the kind they are in and their path; every other list is replaced. */
const MERGE_KEYS: readonly (readonly [RegExp, string])[] = [
	[/^Service spec\.ports$/, "port"],
	[/^\w+ status\.conditions$/, "type"],
	[/^\w+ metadata\.ownerReferences$/, "uid"],
	[/^Node status\.addresses$/, "type"],
	[/^Pod status\.podIPs$/, "ip"],
	[/^\w+ (?:spec\.template\.)?spec\.(?:containers|initContainers|volumes|imagePullSecrets)$/, "name"],
	[/^\w+ (?:spec\.template\.)?spec\.(?:containers|initContainers)\.env$/, "name"],
	[/^\w+ (?:spec\.template\.)?spec\.(?:containers|initContainers)\.volumeMounts$/, "mountPath"],
	[/^\w+ (?:spec\.template\.)?spec\.(?:containers|initContainers)\.ports$/, "containerPort"],
];
const UNITED = /^\w+ metadata\.finalizers$|^Node spec\.podCIDRs$/;

function strategicPatch(target: unknown, patch: Fields, place: Place): Fields {
	if (patch["$patch"] === "replace") return withoutDirectives(patch);
	const result: Record<string, unknown> = { ...fieldsOf(target) };
	for (const [key, value] of Object.entries(patch)) {
		if (key.startsWith("$deleteFromPrimitiveList/")) {
			const name = key.slice(key.indexOf("/") + 1);
			result[name] = listOf(result[name]).filter((each) => !listOf(value).includes(each));
		} else if (value === null || fieldsOf(value)["$patch"] === "delete") delete result[key];
		else if (!key.startsWith("$"))
			result[key] = strategicValue(result[key], value, { kind: place.kind, path: [...place.path, key] });
	}
	return orderLists(retain(result, patch), patch, place);
}

function strategicValue(target: unknown, value: unknown, place: Place): unknown {
	if (Array.isArray(value)) return strategicList(listOf(target), value, place);
	return isFields(value) ? strategicPatch(target, value, place) : value;
}

interface Place {
	readonly kind: string;
	readonly path: readonly string[];
}

function mergeKeyOf({ kind, path }: Place): string | undefined {
	const place = `${kind} ${path.join(".")}`;
	return MERGE_KEYS.find(([pattern]) => pattern.test(place))?.[1];
}

function strategicList(target: readonly unknown[], patch: readonly unknown[], place: Place): readonly unknown[] {
	const mergeKey = mergeKeyOf(place);
	if (mergeKey === undefined) {
		if (!UNITED.test(`${place.kind} ${place.path.join(".")}`)) return patch;
		return [...new Set([...target, ...patch])];
	}
	if (patch.some((each) => fieldsOf(each)["$patch"] === "replace"))
		return patch.filter((each) => fieldsOf(each)["$patch"] !== "replace");
	let result: readonly unknown[] = target;
	for (const item of patch.map(fieldsOf)) {
		const isSame = (each: unknown) => fieldsOf(each)[mergeKey] === item[mergeKey];
		if (item["$patch"] === "delete") result = result.filter((each) => !isSame(each));
		else if (result.some(isSame))
			result = result.map((each) => (isSame(each) ? strategicPatch(each, item, place) : each));
		else result = [...result, withoutDirectives(item)];
	}
	return result;
}

function withoutDirectives(fields: Fields): Fields {
	return Object.fromEntries(Object.entries(fields).filter(([key]) => !key.startsWith("$")));
}

function retain(result: Record<string, unknown>, patch: Fields): Record<string, unknown> {
	const keys = patch["$retainKeys"];
	if (!Array.isArray(keys)) return result;
	return Object.fromEntries(Object.entries(result).filter(([key]) => keys.includes(key)));
}

/** $setElementOrder/LIST gives the order of the merged list's keys. */
function orderLists(result: Record<string, unknown>, patch: Fields, { kind, path }: Place): Record<string, unknown> {
	for (const [directive, order] of Object.entries(patch)) {
		const name = /^\$setElementOrder\/(.*)$/.exec(directive)?.[1];
		const list = name === undefined ? undefined : result[name];
		if (name === undefined || !Array.isArray(list)) continue;
		const mergeKey = mergeKeyOf({ kind, path: [...path, name] });
		const keyOf = (item: unknown) => (mergeKey === undefined ? item : fieldsOf(item)[mergeKey]);
		const keys = listOf(order).map(keyOf);
		const rank = (item: unknown) => keys.indexOf(keyOf(item)) + (keys.includes(keyOf(item)) ? 0 : keys.length + 1);
		result[name] = list.toSorted((a, b) => rank(a) - rank(b));
	}
	return result;
}

function jsonPatch(object: unknown, operations: readonly unknown[]): unknown {
	const document: { root: unknown } = { root: structuredClone(object) };
	for (const operation of operations.map(fieldsOf)) jsonOperation(document, operation);
	return document.root;
}

function refused(): ApiError {
	const message = "the server rejected our request due to an error in our request";
	return new ApiError({ code: 422, message, reason: "Invalid", details: {} });
}

function jsonOperation(document: { root: unknown }, { op, path, from, value }: Fields): void {
	const keys = pointerOf(path);
	const found = lookUp(document.root, keys);
	switch (op) {
		case "test":
			if (!isDeepStrictEqual(found, value)) throw refused();
			return;
		case "remove":
		case "replace":
			if (found === undefined) throw refused();
			place(document, keys, op === "remove" ? undefined : { value, insert: false });
			return;
		case "add":
			place(document, keys, { value, insert: true });
			return;
		case "move":
		case "copy": {
			const source = lookUp(document.root, pointerOf(from));
			if (source === undefined) throw refused();
			if (op === "move") place(document, pointerOf(from), undefined);
			place(document, keys, { value: structuredClone(source), insert: true });
			return;
		}
		default:
			throw badRequest(`Unexpected kind: ${op}`);
	}
}

function pointerOf(path: unknown): readonly string[] {
	return `${path}`
		.split("/")
		.slice(1)
		.map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function lookUp(root: unknown, keys: readonly string[]): unknown {
	return keys.reduce<unknown>((here, key) => (Array.isArray(here) ? here[Number(key)] : fieldsOf(here)[key]), root);
}

function place(
	document: { root: unknown },
	keys: readonly string[],
	what: { readonly value: unknown; readonly insert: boolean } | undefined,
): void {
	const last = keys.at(-1);
	if (last === undefined) {
		document.root = what?.value;
		return;
	}
	const parent = lookUp(document.root, keys.slice(0, -1));
	if (Array.isArray(parent)) {
		const index = last === "-" ? parent.length : Number(last);
		parent.splice(index, what?.insert ? 0 : 1, ...(what === undefined ? [] : [what.value]));
	} else if (isFields(parent)) {
		const target = parent as Record<string, unknown>;
		if (what === undefined) delete target[last];
		else target[last] = what.value;
	}
}

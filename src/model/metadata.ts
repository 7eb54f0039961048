// ObjectMeta (meta/v1): who an object is, and its labels and annotations.

import type * as v from "valibot";
import type { FieldPath } from "./field_path.ts";
import { isLabelKey, LABEL_KEY_FIX } from "./label_selector.ts";
import { field, isRaw, ownString, type Raw, sharedString } from "./raw.ts";
import { createReport, type Place, type Projection, type Report, show } from "./report.ts";
import { DnsLabel, DnsSubdomain, isLabelValue, LABEL_VALUE_FIX, Timestamp } from "./schemas.ts";

/** Characters of a name shown where the name itself is the mistake. */
const SHOWN_NAME = 80;
/** Labels kept of one object; real ones have some ten. */
const MAX_LABELS = 1000;
/** Kinds whose objects are in no namespace. */
const CLUSTER_SCOPED: ReadonlySet<string> = new Set(["Node", "LocalRedirectPolicy", "BalancingPolicy"]);

export interface Metadata {
	readonly name: string;
	/** Means nothing for objects that are in none. */
	readonly namespace: string;
	/** `namespace/name`. */
	readonly key: string;
	/** As it came: look with `field`. */
	readonly labels: Raw;
	readonly annotations: Raw;
	readonly created: string;
}

/** Projects one object with `read`; its Problems go under the name it claims to have. Total: any value may come in. */
export function project<T>(
	kind: string,
	object: unknown,
	read: (object: Raw, report: Report) => T | undefined,
): Projection<T> {
	const report = createReport(titleOf(kind, object));
	if (!isRaw(object)) report.add([], "InvalidObject", `${show(object)} is not an object: give a ${kind}`);
	const value = isRaw(object) ? read(object, report) : undefined;
	return { value, problems: report.problems() };
}

/** `Service demo/web` or `Node n1`, as far as the object says who it is. */
export function titleOf(kind: string, object: unknown): string {
	const meta = isRaw(object) ? field(object, "metadata") : undefined;
	const name = isRaw(meta) ? field(meta, "name") : undefined;
	if (CLUSTER_SCOPED.has(kind)) return `${kind} ${claimed(name)}`;
	const namespace = isRaw(meta) ? (field(meta, "namespace") ?? "default") : "default";
	return `${kind} ${claimed(namespace === "" ? "default" : namespace)}/${claimed(name)}`;
}

function claimed(name: unknown): string {
	if (typeof name !== "string" || name === "") return "?";
	// It goes to terminals.
	return ownString(name.slice(0, SHOWN_NAME).replace(/[\p{C}\u2028\u2029]/gu, "?"));
}

/** Reads the metadata; undefined (after a Problem) if the object has no identity. */
export function readMetadata(
	object: Raw,
	name: v.GenericSchema<unknown, string>,
	report: Report,
): Metadata | undefined {
	const meta = field(object, "metadata");
	if (!isRaw(meta)) {
		report.add(
			["metadata"],
			"InvalidObject",
			`${meta === undefined ? "Missing" : `${show(meta)} is not an object`}: give metadata.name`,
		);
		return undefined;
	}
	const given = field(meta, "namespace");
	const named = report.read(name, field(meta, "name"), {
		path: ["metadata", "name"],
		consequence: "the object is left out",
	});
	const namespace = report.read(DnsLabel, given === undefined || given === null || given === "" ? "default" : given, {
		path: ["metadata", "namespace"],
		consequence: "the object is left out",
	});
	if (named === undefined || namespace === undefined) return undefined;
	return {
		name: named,
		namespace,
		key: `${namespace}/${named}`,
		labels: readMap(meta, "labels", report),
		annotations: readMap(meta, "annotations", report),
		created:
			report.read(Timestamp, field(meta, "creationTimestamp"), {
				path: ["metadata", "creationTimestamp"],
				consequence: "the object counts as the youngest",
			}) ?? "",
	};
}

function readMap(meta: Raw, key: string, report: Report): Raw {
	const value = field(meta, key) ?? {};
	if (isRaw(value)) return value;
	report.add(["metadata", key], "InvalidObject", `${show(value)} is not an object: give ${key} as keys and strings`);
	return {};
}

/** A label or annotation as a string: "" for null, as the API has it; a Problem and undefined for another type. */
export function readString(
	map: "labels" | "annotations",
	meta: Metadata,
	key: string,
	report: Report,
): string | undefined {
	const value = field(meta[map], key);
	if (value === undefined || typeof value === "string") return value;
	if (value === null) return "";
	report.add(["metadata", map, key], "InvalidObject", `${show(value)} is not a string: put it in quotes`);
	return undefined;
}

/** A DNS subdomain, a slash and a name. */
const MAX_LABEL_KEY = 253 + 1 + 63;

/** Labels or a selector as keys and strings; what cannot be a label is left out. */
export function readStrings(map: Raw, { path, consequence }: Place, report: Report): ReadonlyMap<string, string> {
	const strings = new Map<string, string>();
	const keys = Object.keys(map);
	if (keys.length > MAX_LABELS) {
		report.add(path, "TooLarge", `${keys.length} keys: give at most ${MAX_LABELS}; the others are left out`);
	}
	for (const key of keys.slice(0, MAX_LABELS)) {
		const value = map[key] ?? "";
		const wrong = whyNoLabel(key, value);
		if (typeof value === "string" && wrong === undefined) strings.set(ownString(key), ownString(value));
		else report.add([...path, key.slice(0, MAX_LABEL_KEY)], "InvalidObject", `${wrong}; ${consequence}`);
	}
	return strings;
}

function whyNoLabel(key: string, value: unknown): string | undefined {
	if (key.length > MAX_LABEL_KEY) return `A key of ${key.length} characters: use at most ${MAX_LABEL_KEY}`;
	if (!isLabelKey(key)) return `${show(key)} is not a label's key: ${LABEL_KEY_FIX}`;
	if (typeof value !== "string") return `${show(value)} is not a string: put it in quotes`;
	return isLabelValue(value) ? undefined : `${show(value)} is not a label's value: ${LABEL_VALUE_FIX}`;
}

/** A node's name, "" if there is none; a wrong one does not make the endpoint less of an endpoint. */
export function readNodeName(raw: Raw, key: string, at: { readonly path: FieldPath; readonly report: Report }): string {
	const name = field(raw, key) ?? "";
	if (name === "") return "";
	const node = at.report.read(DnsSubdomain, name, {
		path: [...at.path, key],
		consequence: "the node counts as unknown",
	});
	return node === undefined ? "" : sharedString(node);
}

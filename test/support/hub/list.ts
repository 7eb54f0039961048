// Lists: at which version, by pages, selected; and the rules about options that go together.

import { Buffer } from "node:buffer";
import { setTimeout } from "node:timers/promises";
import { idOf, type Kind } from "./kind.ts";
import { type KubeObject, keyOf } from "./object.ts";
import { type Matches, parseFieldSelector, parseLabelSelector } from "./selector.ts";
import {
	ApiError,
	badRequest,
	type Cause,
	expired,
	forbiddenField,
	invalidOptions,
	tooLargeVersion,
} from "./status.ts";
import type { Snapshot, Store } from "./store.ts";
import type { ListMeta } from "./wire.ts";

/** What a server of an older version, or one with a feature off, does otherwise. */
export interface Features {
	/** sendInitialEvents: served; 422; or, as long before 1.27, taken for an ordinary watch. */
	readonly initialEvents: "served" | "forbidden" | "bad-request" | "ignored";
	readonly bookmarks: boolean;
	readonly aggregatedDiscovery: boolean;
	readonly limit: boolean;
}

export interface Timing {
	/** How long a version that is not reached yet is waited for. */
	readonly futureMs: number;
	readonly bookmarkMs: number;
}

export interface Selection {
	readonly kind: Kind;
	readonly namespace: string | undefined;
	readonly matches: Matches;
	/** No selector: remainingItemCount can be told. */
	readonly everything: boolean;
}

export function selectionOf(kind: Kind, namespace: string | undefined, query: URLSearchParams): Selection {
	const labels = query.get("labelSelector") ?? "";
	const fields = query.get("fieldSelector") ?? "";
	const tests = [
		...(labels === "" ? [] : [parseLabelSelector(labels)]),
		...(fields === "" ? [] : [parseFieldSelector(fields, kind)]),
	];
	const place = kind.namespaced ? namespace : undefined;
	const inside: Matches = ({ metadata }) => place === undefined || metadata.namespace === place;
	return {
		kind,
		namespace: place,
		everything: tests.length === 0,
		matches: (object) => inside(object) && tests.every((holds) => holds(object)),
	};
}

export interface Page {
	readonly objects: readonly KubeObject[];
	readonly meta: ListMeta;
}

export interface ListContext {
	readonly store: Store;
	readonly features: Features;
	readonly timing: Timing;
}

/** A page of a list, or the whole of it. */
export async function listPage(context: ListContext, selection: Selection, query: URLSearchParams): Promise<Page> {
	const revision = versionOf(query, "list");
	checkListOptions(query);
	const token = query.get("continue") ?? "";
	const start = token === "" ? undefined : parseToken(token);
	const snapshot = await snapshotFor(context, idOf(selection.kind), { query, revision, start });
	// From the cache: limit is ignored, and everything comes.
	const unlimited = (revision === 0 && query.get("resourceVersionMatch") !== "Exact") || !context.features.limit;
	const limit = unlimited ? 0 : Number(query.get("limit") ?? 0);
	return cut(snapshot, selection, { limit, start });
}

interface Start {
	readonly revision: number;
	/** The last key that was given, below the list's own place. */
	readonly after: string;
}

interface Wish {
	readonly query: URLSearchParams;
	readonly revision: number | undefined;
	readonly start: Start | undefined;
}

async function snapshotFor({ store, timing }: ListContext, kind: string, wish: Wish): Promise<Snapshot> {
	const { query, revision, start } = wish;
	if (start !== undefined) {
		if (start.revision === -1) return store.snapshot(kind);
		const then = store.snapshotAt(kind, start.revision);
		if (then === undefined) throw expired(TOKEN_EXPIRED, formatToken({ revision: -1, after: start.after }, ""));
		return then;
	}
	if (revision === undefined || revision === 0) return store.snapshot(kind);
	await reach(store, revision, timing);
	if (query.get("resourceVersionMatch") !== "Exact") return store.snapshot(kind);
	const then = store.snapshotAt(kind, revision);
	if (then === undefined) throw expired("The resourceVersion for the provided list is too old.");
	return then;
}

const TOKEN_EXPIRED =
	"The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";

/** Waits until the version is there. Throws 504 if it does not come. */
export async function reach(store: Store, revision: number, { futureMs }: Timing): Promise<void> {
	const end = performance.now() + futureMs;
	while (store.revision() < revision) {
		if (performance.now() >= end) throw tooLargeVersion(revision, store.revision());
		await setTimeout(Math.min(20, futureMs));
	}
}

function cut(
	{ revision, objects }: Snapshot,
	{ matches, namespace, everything }: Selection,
	{ limit, start }: { readonly limit: number; readonly start: Start | undefined },
): Page {
	const prefix = namespace === undefined ? "" : `${namespace}/`;
	const after = start === undefined ? undefined : prefix + start.after;
	const rest = objects.filter((object) => {
		const key = keyOf(object);
		return key.startsWith(prefix) && (after === undefined || key > after);
	});
	const page: KubeObject[] = [];
	let seen = 0;
	for (const object of rest) {
		if (limit > 0 && page.length === limit) break;
		seen += 1;
		if (matches(object)) page.push(object);
	}
	const last = rest[seen - 1];
	const resourceVersion = `${revision}`;
	if (seen === rest.length || last === undefined) return { objects: page, meta: { resourceVersion } };
	const next = formatToken({ revision, after: keyOf(last).slice(prefix.length) }, "/");
	const remainingItemCount = everything ? rest.length - seen : undefined;
	return { objects: page, meta: { resourceVersion, continue: next, remainingItemCount } };
}

function formatToken({ revision, after }: Start, slash: string): string {
	const token = { v: "meta.k8s.io/v1", rv: revision, start: `${slash}${after}\0` };
	return Buffer.from(JSON.stringify(token)).toString("base64url");
}

function parseToken(text: string): Start {
	try {
		const { v, rv, start } = JSON.parse(Buffer.from(text, "base64url").toString("utf8")) as Record<string, unknown>;
		if (v === "meta.k8s.io/v1" && typeof rv === "number" && typeof start === "string")
			return { revision: rv, after: start.replace(/^\//, "").replace(/\0$/, "") };
	} catch {
		// Answered below, as any other token that is none.
	}
	throw badRequest(
		"invalid continue token: continue key is not valid: invalid character looking for beginning of value",
	);
}

/** The resourceVersion asked for; undefined if none. A list answers 400 to what is none, a watch 500. */
export function versionOf(query: URLSearchParams, verb: "list" | "watch"): number | undefined {
	const text = query.get("resourceVersion") ?? "";
	if (text === "") return undefined;
	if (/^\d+$/.test(text)) return Number(text);
	const why = `resourceVersion: Invalid value: "${text}": strconv.ParseUint: parsing "${text}": invalid syntax`;
	throw verb === "list" ? badRequest(`invalid resource version: ${why}`) : new ApiError({ code: 500, message: why });
}

function matchFaults(match: string, version: string, continues: boolean): readonly Cause[] {
	const field = "resourceVersionMatch";
	if (match === "") return [];
	const unsupported = `Unsupported value: "${match}": supported values: "Exact", "NotOlderThan", ""`;
	const exactZero = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"';
	return [
		...(version === ""
			? [forbiddenField(field, "resourceVersionMatch is forbidden unless resourceVersion is provided")]
			: []),
		...(continues ? [forbiddenField(field, "resourceVersionMatch is forbidden when continue is provided")] : []),
		...(match === "Exact" || match === "NotOlderThan"
			? []
			: [{ reason: "FieldValueNotSupported", message: unsupported, field }]),
		...(match === "Exact" && version === "0" ? [forbiddenField(field, exactZero)] : []),
	];
}

function checkListOptions(query: URLSearchParams): void {
	const version = query.get("resourceVersion") ?? "";
	const continues = (query.get("continue") ?? "") !== "";
	const initial = query.has("sendInitialEvents");
	const causes = [
		...matchFaults(query.get("resourceVersionMatch") ?? "", version, continues),
		...(initial ? [forbiddenField("sendInitialEvents", "sendInitialEvents is forbidden for list")] : []),
	];
	if (causes.length > 0) throw invalidOptions("ListOptions", causes);
	if (continues && version !== "" && version !== "0")
		throw badRequest("specifying resource version is not allowed when using continue");
}

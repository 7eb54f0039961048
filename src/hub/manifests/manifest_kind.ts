// What a document is to us: an object that we read, a List of objects, nothing of ours, or a mistake.

import { titleOf } from "../../model/metadata.ts";
import type { ProblemReason } from "../../model/problem.ts";
import { field, isRaw, type Raw } from "../../model/raw.ts";
import { show } from "../../model/report.ts";

export type Kind = "Service" | "EndpointSlice" | "Pod" | "Node" | "LocalRedirectPolicy" | "BalancingPolicy";

/** What an item of a typed List (ServiceList) leaves out. */
export interface TypeMeta {
	readonly apiVersion: string;
	readonly kind: string;
}

export type Role =
	| { readonly role: "object"; readonly kind: Kind; readonly object: Raw }
	| { readonly role: "list"; readonly items: readonly unknown[]; readonly itemType: TypeMeta | undefined }
	| { readonly role: "ignored" }
	| {
			readonly role: "mistake";
			/** Undefined if it cannot be told what it is. */
			readonly title: string | undefined;
			readonly reason: ProblemReason;
			readonly field: string;
			readonly message: string;
	  };

const VERSIONS: ReadonlyMap<string, string> = new Map<Kind, string>([
	["Service", "v1"],
	["Pod", "v1"],
	["Node", "v1"],
	["EndpointSlice", "discovery.k8s.io/v1"],
	["LocalRedirectPolicy", "balancing.elf.io/v1beta1"],
	["BalancingPolicy", "balancing.elf.io/v1beta1"],
]);
const GROUPS: ReadonlySet<string> = new Set(["", "discovery.k8s.io", "balancing.elf.io"]);
/** In whatever group: nobody else has kinds of these names, and a misspelt group would switch a policy off without a word. */
const OURS: ReadonlySet<string> = new Set(["LocalRedirectPolicy", "BalancingPolicy"]);

/** Tells what a document is. `inherited` is what the List around it says about its items. */
export function classify(value: unknown, inherited: TypeMeta | undefined): Role {
	if (value === null || value === undefined) return { role: "ignored" };
	if (!isRaw(value))
		return mistake(undefined, "kind", `${show(value)} is not an object: give apiVersion, kind and metadata`);
	const kind = field(value, "kind") ?? inherited?.kind;
	if (!isName(kind)) return mistake(undefined, "kind", `${noName(kind)}: give the object's kind`);
	const apiVersion = field(value, "apiVersion") ?? inherited?.apiVersion;
	if (!isName(apiVersion)) {
		const message = `${noName(apiVersion)}: give ${VERSIONS.get(kind) ?? "the object's apiVersion"}`;
		return mistake(title(kind, value), "apiVersion", message);
	}
	// Only these groups have kinds of ours; serving.knative.dev has a Service that is another thing.
	if (!OURS.has(kind) && !GROUPS.has(groupOf(apiVersion))) return { role: "ignored" };
	return kind.endsWith("List") ? classifyList(kind, apiVersion, value) : classifyObject(kind, apiVersion, value);
}

function groupOf(apiVersion: string): string {
	return apiVersion.slice(0, Math.max(0, apiVersion.indexOf("/")));
}

function isName(value: unknown): value is string {
	return typeof value === "string" && value !== "";
}

function noName(value: unknown): string {
	return value === undefined ? "Missing" : `${show(value)} is not a name`;
}

function classifyList(kind: string, apiVersion: string, value: Raw): Role {
	const inner = kind.slice(0, -"List".length);
	if (inner !== "" && !VERSIONS.has(inner) && inner !== "Endpoints") return { role: "ignored" };
	const items = field(value, "items") ?? [];
	if (!Array.isArray(items)) return mistake(undefined, "items", `${show(items)} is not a list: give a list of objects`);
	return { role: "list", items, itemType: inner === "" ? undefined : { apiVersion, kind: inner } };
}

function classifyObject(kind: string, apiVersion: string, object: Raw): Role {
	if (kind === "Endpoints") {
		const message = "Endpoints are not read: write an EndpointSlice (discovery.k8s.io/v1) instead";
		return { role: "mistake", title: title(kind, object), reason: "Unsupported", field: "kind", message };
	}
	for (const [known, version] of VERSIONS) {
		if (kind.toLowerCase() !== known.toLowerCase()) continue;
		if (kind !== known) return mistake(undefined, "kind", `${show(kind)} is not a kind: write ${known}`);
		if (apiVersion === version) return { role: "object", kind: known as Kind, object };
		const message = `${show(apiVersion)} has no ${kind} that is read: use ${version}`;
		return { role: "mistake", title: title(kind, object), reason: "Unsupported", field: "apiVersion", message };
	}
	return { role: "ignored" };
}

function title(kind: string, object: Raw): string {
	return titleOf(kind.slice(0, 60), object);
}

function mistake(title: string | undefined, at: string, message: string): Role {
	return { role: "mistake", title, reason: "InvalidObject", field: at, message };
}

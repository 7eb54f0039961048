// Discovery: which groups, versions and resources there are, in the old form and in the aggregated one.

import { createHash } from "node:crypto";
import type { HttpRequest } from "./http_request.ts";
import { apiVersionOf, type Kind, VERBS } from "./kind.ts";
import type { Fields } from "./object.ts";
import { encode } from "./wire.ts";

/** Resources without objects of their own. */
interface Review {
	readonly group: string;
	readonly resource: string;
	readonly kind: string;
}

export const REVIEWS: readonly Review[] = [
	{ group: "authentication.k8s.io", resource: "selfsubjectreviews", kind: "SelfSubjectReview" },
	{ group: "authorization.k8s.io", resource: "selfsubjectaccessreviews", kind: "SelfSubjectAccessReview" },
	{ group: "authorization.k8s.io", resource: "subjectaccessreviews", kind: "SubjectAccessReview" },
];

export interface Found {
	readonly body: string;
	readonly contentType: string;
	/** Aggregated: asked again with this tag the answer is 304. */
	readonly etag?: string;
}

const VERSIONS = ["v2", "v2beta1"];

/** The document at a path of discovery; undefined if there is none. */
export function discover(
	{ path, headers }: HttpRequest,
	kinds: readonly Kind[],
	aggregated: boolean,
): Found | undefined {
	const parts = path.split("/").filter((part) => part !== "");
	const accept = headers["accept"] ?? "";
	const version = aggregated
		? VERSIONS.find((each) => accept.includes(`g=apidiscovery.k8s.io;v=${each};as=APIGroupDiscoveryList`))
		: undefined;
	if (parts.length === 1 && version !== undefined) {
		const all = groupsOf(kinds).filter((group) => (group === "") === (parts[0] === "api"));
		const items = all.map((group) => aggregatedGroup(group, kinds, version));
		const body = `${encode({ kind: "APIGroupDiscoveryList", apiVersion: `apidiscovery.k8s.io/${version}`, metadata: {}, items })}\n`;
		const etag = `"${createHash("sha512").update(body).digest("hex").toUpperCase()}"`;
		return { body, etag, contentType: `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList` };
	}
	const document = legacy(parts, kinds);
	return document === undefined ? undefined : { body: `${encode(document)}\n`, contentType: "application/json" };
}

function legacy([root, group, version, ...more]: readonly string[], kinds: readonly Kind[]): Fields | undefined {
	if (more.length > 0) return undefined;
	if (root === "api") {
		if (group === undefined) return { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [] };
		return group === "v1" && version === undefined ? resourceList("", "v1", kinds) : undefined;
	}
	const groups = groupsOf(kinds).filter((each) => each !== "");
	if (group === undefined)
		return { kind: "APIGroupList", apiVersion: "v1", groups: groups.map((each) => groupOf(each, kinds)) };
	if (!groups.includes(group)) return undefined;
	if (version === undefined) return { kind: "APIGroup", apiVersion: "v1", ...groupOf(group, kinds) };
	return versionsOf(group, kinds).includes(version) ? resourceList(group, version, kinds) : undefined;
}

function groupsOf(kinds: readonly Kind[]): readonly string[] {
	return [...new Set([...kinds, ...REVIEWS].map(({ group }) => group))].sort();
}

export function versionsOf(group: string, kinds: readonly Kind[]): readonly string[] {
	const versions = kinds.filter((kind) => kind.group === group).map(({ version }) => version);
	return [...new Set(versions.length === 0 ? ["v1"] : versions)];
}

function groupOf(group: string, kinds: readonly Kind[]): Fields {
	const versions = versionsOf(group, kinds).map((version) => ({ groupVersion: `${group}/${version}`, version }));
	return { name: group, versions, preferredVersion: versions[0] };
}

function resourceList(group: string, version: string, kinds: readonly Kind[]): Fields {
	const own = kinds.filter((kind) => kind.group === group && kind.version === version);
	const resources = own.flatMap((kind) => {
		const { resource: name, singular: singularName, namespaced, shortNames, categories } = kind;
		const main = { name, singularName, namespaced, kind: kind.kind, verbs: VERBS };
		const more = { ...(shortNames.length > 0 && { shortNames }), ...(categories.length > 0 && { categories }) };
		const status = {
			name: `${name}/status`,
			singularName: "",
			namespaced,
			kind: kind.kind,
			verbs: ["get", "patch", "update"],
		};
		return [{ ...main, ...more }, ...(kind.status ? [status] : [])];
	});
	const reviews = REVIEWS.filter((review) => review.group === group).map(({ resource, kind }) => ({
		name: resource,
		singularName: kind.toLowerCase(),
		namespaced: false,
		kind,
		verbs: ["create"],
	}));
	const groupVersion = group === "" ? version : `${group}/${version}`;
	// The core group's list says no apiVersion.
	const head = group === "" ? { kind: "APIResourceList" } : { kind: "APIResourceList", apiVersion: "v1" };
	return { ...head, groupVersion, resources: [...resources, ...reviews] };
}

function aggregatedGroup(group: string, kinds: readonly Kind[], form: string): Fields {
	const versions = versionsOf(group, kinds).map((version) => ({
		version,
		resources: [
			...kinds.filter((kind) => kind.group === group && kind.version === version).map(aggregatedResource),
			...REVIEWS.filter((review) => review.group === group).map(({ resource, kind }) => ({
				resource,
				responseKind: { group: "", version: "", kind },
				scope: "Cluster",
				singularResource: kind.toLowerCase(),
				verbs: ["create"],
			})),
		],
		...((group !== "" || form === "v2beta1") && { freshness: "Current" }),
	}));
	return { metadata: group === "" ? {} : { name: group }, versions };
}

function aggregatedResource(kind: Kind): Fields {
	const responseKind = kind.custom
		? { group: kind.group, version: kind.version, kind: kind.kind }
		: { group: "", version: "", kind: kind.kind };
	const { shortNames, categories } = kind;
	return {
		resource: kind.resource,
		responseKind,
		scope: kind.namespaced ? "Namespaced" : "Cluster",
		singularResource: kind.singular,
		verbs: VERBS,
		...(shortNames.length > 0 && { shortNames }),
		...(categories.length > 0 && { categories }),
		...(kind.status && { subresources: [{ subresource: "status", responseKind, verbs: ["get", "patch", "update"] }] }),
	};
}

const OPERATIONS: readonly (readonly [method: string, action: string])[] = [
	["post", "post"],
	["put", "put"],
	["patch", "patch"],
];

/** The index of OpenAPI 3 documents. */
export function openApiIndex(kinds: readonly Kind[]): Fields {
	const places = new Set(
		kinds.map((kind) => (kind.group === "" ? `api/${kind.version}` : `apis/${apiVersionOf(kind)}`)),
	);
	return {
		paths: Object.fromEntries([...places].map((place) => [place, { serverRelativeURL: `/openapi/v3/${place}` }])),
	};
}

/** As much of a group's OpenAPI 3 document as kubectl reads to see that the server validates fields itself. */
export function openApiDocument(place: string, kinds: readonly Kind[]): Fields | undefined {
	const own = kinds.filter(
		(kind) => (kind.group === "" ? `api/${kind.version}` : `apis/${apiVersionOf(kind)}`) === place,
	);
	if (own.length === 0) return undefined;
	const parameters = ["dryRun", "fieldManager", "fieldValidation"].map((name) => ({
		name,
		in: "query",
		schema: { type: "string" },
	}));
	const paths = own.map((kind) => {
		const gvk = { group: kind.group, version: kind.version, kind: kind.kind };
		const below = kind.namespaced ? `namespaces/{namespace}/${kind.resource}` : kind.resource;
		const operations = OPERATIONS.map(([method, action]) => [
			method,
			{ "x-kubernetes-action": action, "x-kubernetes-group-version-kind": gvk, parameters, responses: {} },
		]);
		return [`/${place}/${below}/{name}`, Object.fromEntries(operations)];
	});
	return {
		openapi: "3.0.0",
		info: { title: "Kubernetes", version: "v1.36.2" },
		paths: Object.fromEntries(paths),
		components: { schemas: {} },
	};
}

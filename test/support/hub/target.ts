// What a request's path and method ask for.

import type { HttpRequest } from "./http_request.ts";

export type Target =
	| { readonly kind: "path"; readonly verb: string; readonly path: string }
	| {
			readonly kind: "resource";
			/** As RBAC names it: list and watch are two. */
			readonly verb: string;
			readonly group: string;
			readonly version: string;
			readonly resource: string;
			readonly subresource: string | undefined;
			/** Undefined: of the cluster, or of all namespaces. */
			readonly namespace: string | undefined;
			readonly name: string | undefined;
	  };

export type ResourceTarget = Extract<Target, { kind: "resource" }>;

const NAMESPACE_SUBRESOURCES = new Set(["status", "finalize"]);

export function targetOf({ method, path, query }: HttpRequest): Target {
	const parts = path
		.split("/")
		.filter((part) => part !== "")
		.map(decodeURIComponent);
	const [root, ...rest] = parts;
	const [group, version, ...below] = root === "api" ? ["", ...rest] : root === "apis" ? rest : [];
	if (group === undefined || version === undefined || below.length === 0)
		return { kind: "path", verb: method.toLowerCase(), path };
	const watched = below[0] === "watch";
	const place = placeOf(watched ? below.slice(1) : below);
	const watches = watched || /^(?:1|true)$/i.test(query.get("watch") ?? "");
	return { kind: "resource", verb: verbOf(method, place.name, watches), group, version, ...place };
}

type Place = Pick<ResourceTarget, "namespace" | "resource" | "name" | "subresource">;

function placeOf(parts: readonly string[]): Place {
	const [first = "", second, third, ...more] = parts;
	const inNamespace = first === "namespaces" && third !== undefined && !NAMESPACE_SUBRESOURCES.has(third);
	if (inNamespace) return { namespace: second, resource: third, name: more[0], subresource: more[1] };
	// A namespace is in itself, as RBAC sees it.
	const namespace = first === "namespaces" ? second : undefined;
	return { namespace, resource: first, name: second, subresource: third };
}

function verbOf(method: string, name: string | undefined, watches: boolean): string {
	if (method === "GET" && name !== undefined) return "get";
	if (method === "GET") return watches ? "watch" : "list";
	if (method === "DELETE") return name === undefined ? "deletecollection" : "delete";
	return { POST: "create", PUT: "update", PATCH: "patch" }[method] ?? method.toLowerCase();
}

// One object at an API server: read, made, changed, deleted.

import { field, isRaw, type Raw } from "../../model/raw.ts";
import type { Api, ApiCall } from "./api.ts";
import { HubError } from "./hub_error.ts";

/** A kind of objects, as its URLs name it. */
export interface ObjectKind {
	readonly kind: string;
	/** `apps/v1`, `v1`. */
	readonly apiVersion: string;
	/** `deployments`. */
	readonly resource: string;
}

export interface ObjectPlace extends ObjectKind {
	/** Absent: in no namespace. */
	readonly namespace?: string;
	readonly name: string;
}

/** RFC 7396, or RFC 6902. */
export type Patch =
	| { readonly type: "merge"; readonly body: Raw; readonly subresource?: "status" }
	| { readonly type: "json"; readonly body: readonly Raw[]; readonly subresource?: "status" };

/** All of these throw HubError. */
export interface Objects {
	/** Undefined if there is no such object; where the whole kind is unknown, too. */
	get(place: ObjectPlace): Promise<Raw | undefined>;
	/** Of all namespaces. */
	list(kind: ObjectKind): Promise<readonly Raw[]>;
	/** `isConflict` if it is there already. The object needs neither kind nor apiVersion. */
	create(place: ObjectPlace, object: Raw): Promise<Raw>;
	/** `isConflict` if it is not of the resourceVersion any more that the object names. */
	replace(place: ObjectPlace, object: Raw): Promise<Raw>;
	/** `isConflict` if the patch names a resourceVersion that is not current. */
	patch(place: ObjectPlace, patch: Patch): Promise<Raw>;
	/** No error if it is not there. */
	remove(place: ObjectPlace): Promise<void>;
}

/** Somebody else was faster: read again. */
export function isConflict(error: unknown): boolean {
	return error instanceof HubError && error.status === 409;
}

export function isNotFound(error: unknown): boolean {
	return error instanceof HubError && error.status === 404;
}

export function isForbidden(error: unknown): boolean {
	return error instanceof HubError && error.status === 403;
}

/** `resourceVersion`, or another text of the metadata; undefined if it has none. */
export function metaOf(object: Raw | undefined, key: string): string | undefined {
	const meta = object === undefined ? undefined : field(object, "metadata");
	const value = isRaw(meta) ? field(meta, key) : undefined;
	return typeof value === "string" ? value : undefined;
}

/** Of the collection. */
function pathOf({ apiVersion, resource, namespace }: ObjectKind & { readonly namespace?: string }): string {
	const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
	return `${root}/${namespace === undefined ? "" : `namespaces/${namespace}/`}${resource}`;
}

function titleOf({ kind, namespace, name }: ObjectPlace): string {
	return `${kind} ${namespace === undefined ? "" : `${namespace}/`}${name}`;
}

const NO_QUERY = {};
/** Who wrote what, in managedFields. */
const AS_MANAGER = { fieldManager: "balancing" };

export function createObjects(api: Api, signal: AbortSignal): Objects {
	const call = (request: Omit<ApiCall, "signal">): Promise<Raw> => api.call({ ...request, signal });

	async function unlessAbsent<T>(asked: Promise<T>): Promise<T | undefined> {
		try {
			return await asked;
		} catch (error) {
			if (isNotFound(error)) return undefined;
			throw error;
		}
	}

	return {
		get(place) {
			const path = `${pathOf(place)}/${place.name}`;
			return unlessAbsent(call({ method: "GET", path, query: NO_QUERY, action: `read ${titleOf(place)}` }));
		},
		async list(kind) {
			const action = `list ${kind.kind}s`;
			const answer = await call({ method: "GET", path: pathOf(kind), query: NO_QUERY, action });
			const items = field(answer, "items");
			return Array.isArray(items) ? items.filter(isRaw) : [];
		},
		create(place, object) {
			const { kind, apiVersion, namespace, name } = place;
			const given = field(object, "metadata");
			const metadata = { ...(isRaw(given) ? given : {}), name, ...(namespace === undefined ? {} : { namespace }) };
			const body = { ...object, kind, apiVersion, metadata };
			return call({ method: "POST", path: pathOf(place), query: AS_MANAGER, body, action: `create ${titleOf(place)}` });
		},
		replace(place, object) {
			const path = `${pathOf(place)}/${place.name}`;
			return call({ method: "PUT", path, query: AS_MANAGER, body: object, action: `update ${titleOf(place)}` });
		},
		patch(place, { type, body, subresource }) {
			const part = subresource === undefined ? "" : `/${subresource}`;
			return call({
				method: "PATCH",
				path: `${pathOf(place)}/${place.name}${part}`,
				query: AS_MANAGER,
				body,
				contentType: `application/${type}-patch+json`,
				action: `change ${subresource === undefined ? "" : `the ${subresource} of `}${titleOf(place)}`,
			});
		},
		async remove(place) {
			const path = `${pathOf(place)}/${place.name}`;
			await unlessAbsent(call({ method: "DELETE", path, query: NO_QUERY, action: `delete ${titleOf(place)}` }));
		},
	};
}

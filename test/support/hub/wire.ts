// What objects look like on the wire: whole, metadata only, or a table's row; each state of an object is encoded once.

import { apiVersionOf, type Kind } from "./kind.ts";
import { type Fields, isFields, type KubeObject, type Meta } from "./object.ts";
import { notAcceptable } from "./status.ts";
import { columnsOf, rowOf } from "./table.ts";

export interface Form {
	readonly as: "object" | "metadata" | "table";
	readonly yaml: boolean;
	/** What a table's row carries of its object. */
	readonly include: "None" | "Metadata" | "Object";
}

/** The first form of an Accept header that we have. Throws 406. */
export function negotiate(accept: string | undefined, asked: string | null): Form {
	const include = asked === "None" || asked === "Object" ? asked : "Metadata";
	for (const wish of (accept || "*/*").split(",")) {
		const [type = "", ...parameters] = wish.split(";").map((part) => part.trim());
		const as = parameters.find((parameter) => parameter.startsWith("as="))?.slice(3) ?? "";
		if (as === "" && type === "application/yaml") return { as: "object", yaml: true, include };
		const form = ["application/json", "application/*", "*/*"].includes(type) ? FORMS.get(as) : undefined;
		if (form !== undefined) return { as: form, yaml: false, include };
	}
	throw notAcceptable();
}

const FORMS: ReadonlyMap<string, Form["as"]> = new Map<string, Form["as"]>([
	["", "object"],
	["Table", "table"],
	["PartialObjectMetadata", "metadata"],
	["PartialObjectMetadataList", "metadata"],
]);

/** JSON as Go writes it, which escapes what HTML would read. */
export function encode(value: unknown): string {
	return JSON.stringify(value).replace(
		/[<>&\u2028\u2029]/g,
		(c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
	);
}

const META_ORDER =
	"name generateName namespace uid resourceVersion generation creationTimestamp deletionTimestamp deletionGracePeriodSeconds labels annotations ownerReferences finalizers managedFields".split(
		" ",
	);

function ordered(metadata: Meta): Fields {
	return Object.fromEntries(
		META_ORDER.filter((key) => metadata[key] !== undefined && !(key === "name" && metadata.name === "")).map((key) => [
			key,
			metadata[key],
		]),
	);
}

function sortedDeep(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(sortedDeep);
	if (!isFields(value)) return value;
	return Object.fromEntries(
		Object.entries(value)
			.filter(([, v]) => v !== undefined)
			.sort(([a], [b]) => (a < b ? -1 : 1))
			.map(([key, v]) => [key, sortedDeep(v)]),
	);
}

const whole = new WeakMap<KubeObject, string>();
const partial = new WeakMap<KubeObject, string>();

/** With kind and apiVersion first; a custom one with sorted keys. */
export function encodeObject(object: KubeObject, kind: Kind): string {
	const known = whole.get(object);
	if (known !== undefined) return known;
	const { apiVersion: _, kind: __, metadata, ...rest } = object;
	const text = encode(
		kind.custom
			? sortedDeep(object)
			: { kind: kind.kind, apiVersion: apiVersionOf(kind), metadata: ordered(metadata), ...rest },
	);
	whole.set(object, text);
	return text;
}

export function encodeMetadata(object: KubeObject): string {
	const known = partial.get(object);
	if (known !== undefined) return known;
	const text = encode({
		kind: "PartialObjectMetadata",
		apiVersion: "meta.k8s.io/v1",
		metadata: ordered(object.metadata),
	});
	partial.set(object, text);
	return text;
}

function encodeRow(object: KubeObject, kind: Kind, { include }: Form): string {
	const cells = encode(rowOf(object, kind));
	if (include === "None") return `{"cells":${cells},"object":null}`;
	return `{"cells":${cells},"object":${include === "Object" ? encodeObject(object, kind) : encodeMetadata(object)}}`;
}

/** One object, as an answer or in an event. */
export function encodeOne(object: KubeObject, kind: Kind, form: Form): string {
	if (form.as === "object") return encodeObject(object, kind);
	if (form.as === "metadata") return encodeMetadata(object);
	const metadata = encode({ resourceVersion: object.metadata.resourceVersion });
	const columns = encode(columnsOf(kind));
	return `{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":${metadata},"columnDefinitions":${columns},"rows":[${encodeRow(object, kind, form)}]}`;
}

/** Metadata of a list. */
export interface ListMeta {
	readonly resourceVersion: string;
	readonly continue?: string | undefined;
	readonly remainingItemCount?: number | undefined;
}

/** A list in pieces, so that a long one need not be in memory as a whole. */
export function* encodeList(
	objects: readonly KubeObject[],
	kind: Kind,
	{ form, meta }: { readonly form: Form; readonly meta: ListMeta },
): Generator<string> {
	const { head, item, tail } = listParts(kind, form, meta);
	yield head;
	let first = true;
	for (const object of objects) {
		yield first ? item(object) : `,${item(object)}`;
		first = false;
	}
	yield tail;
}

interface ListParts {
	readonly head: string;
	readonly item: (object: KubeObject) => string;
	readonly tail: string;
}

function listParts(kind: Kind, form: Form, meta: ListMeta): ListParts {
	const metadata = encode(meta);
	if (form.as === "table") {
		const columns = encode(columnsOf(kind));
		const head = `{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":${metadata},"columnDefinitions":${columns},"rows":[`;
		return { head, item: (object) => encodeRow(object, kind, form), tail: "]}\n" };
	}
	if (form.as === "metadata") {
		const head = `{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","metadata":${metadata},"items":[`;
		return { head, item: encodeMetadata, tail: "]}\n" };
	}
	if (kind.custom) {
		const sorted = encode({ continue: meta.continue ?? "", ...sortedMeta(meta) });
		const head = `{"apiVersion":"${apiVersionOf(kind)}","items":[`;
		const tail = `],"kind":"${kind.listKind}","metadata":${sorted}}\n`;
		return { head, item: (object) => encodeObject(object, kind), tail };
	}
	// Items of a built-in kind say neither kind nor apiVersion: the list has said it.
	const prefix = `{"kind":"${kind.kind}","apiVersion":"${apiVersionOf(kind)}",`.length;
	return {
		head: `{"kind":"${kind.listKind}","apiVersion":"${apiVersionOf(kind)}","metadata":${metadata},"items":[`,
		item: (object) => `{${encodeObject(object, kind).slice(prefix)}`,
		tail: "]}\n",
	};
}

function sortedMeta({ remainingItemCount, resourceVersion }: ListMeta): Fields {
	return { ...(remainingItemCount !== undefined && { remainingItemCount }), resourceVersion };
}

/** A bookmark's object: nothing but a version, and what an empty object of the kind has. */
export function encodeBookmark(kind: Kind, form: Form, metadata: Fields): string {
	if (form.as === "metadata") return encode({ kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata });
	if (form.as === "table") {
		const object = { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata };
		const cells = columnsOf(kind).map(() => "");
		return encode({
			kind: "Table",
			apiVersion: "meta.k8s.io/v1",
			metadata,
			columnDefinitions: null,
			rows: [{ cells, object }],
		});
	}
	if (kind.custom) return encode({ apiVersion: apiVersionOf(kind), kind: kind.kind, metadata });
	return encode({ kind: kind.kind, apiVersion: apiVersionOf(kind), metadata, ...kind.empty });
}

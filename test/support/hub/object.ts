// Objects of the API as the test hub keeps them: never edited, only replaced.

export type Fields = { readonly [key: string]: unknown };

export interface Meta {
	readonly name: string;
	readonly generateName?: string;
	readonly namespace?: string;
	readonly uid?: string;
	readonly resourceVersion?: string;
	readonly generation?: number;
	readonly creationTimestamp?: string;
	readonly deletionTimestamp?: string;
	readonly deletionGracePeriodSeconds?: number;
	readonly labels?: Readonly<Record<string, string>>;
	readonly annotations?: Readonly<Record<string, string>>;
	readonly finalizers?: readonly string[];
	readonly managedFields?: readonly ManagedFields[];
	readonly [key: string]: unknown;
}

export interface ManagedFields {
	readonly manager: string;
	readonly operation: "Apply" | "Update";
	readonly apiVersion: string;
	readonly time: string;
	readonly fieldsType: "FieldsV1";
	readonly fieldsV1: Fields;
	readonly subresource?: string;
}

export interface KubeObject {
	readonly apiVersion: string;
	readonly kind: string;
	readonly metadata: Meta;
	readonly spec?: Fields;
	readonly status?: Fields;
	readonly [key: string]: unknown;
}

export function isFields(value: unknown): value is Fields {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value as an object; empty if it is none. */
export function fieldsOf(value: unknown): Fields {
	return isFields(value) ? value : {};
}

export function listOf(value: unknown): readonly unknown[] {
	return Array.isArray(value) ? value : [];
}

export function textOf(value: unknown): string | undefined {
	return typeof value === "string" ? value : undefined;
}

/** What stands at a path; undefined if the path leads nowhere. */
export function at(value: unknown, ...path: readonly string[]): unknown {
	let here = value;
	for (const key of path) {
		if (!isFields(here) || !Object.hasOwn(here, key)) return undefined;
		here = here[key];
	}
	return here;
}

/** Proves as much of an object as the hub relies on: it has a kind, a version, and metadata with texts. Undefined if not. */
export function asObject(value: unknown): KubeObject | undefined {
	if (!isFields(value) || typeof value["apiVersion"] !== "string" || typeof value["kind"] !== "string")
		return undefined;
	const metadata = value["metadata"] ?? {};
	if (!isFields(metadata)) return undefined;
	const name = metadata["name"] ?? "";
	if (typeof name !== "string" || !isTexts(metadata["labels"]) || !isTexts(metadata["annotations"])) return undefined;
	return { ...value, metadata: { ...metadata, name } } as KubeObject;
}

function isTexts(value: unknown): boolean {
	return (
		value === undefined ||
		value === null ||
		(isFields(value) && Object.values(value).every((v) => typeof v === "string"))
	);
}

export function withMeta(object: KubeObject, changes: Partial<Meta>): KubeObject {
	return { ...object, metadata: { ...object.metadata, ...changes } };
}

type Defined<T> = { readonly [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
	readonly [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** Without the fields that are undefined. */
export function defined<T extends object>(value: T): Defined<T> {
	return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as Defined<T>;
}

/** `namespace/name`, or the name of an object that is in no namespace. */
export function keyOf({ metadata: { namespace, name } }: KubeObject): string {
	return namespace === undefined || namespace === "" ? name : `${namespace}/${name}`;
}

/** The API server's times have no fractions. */
export function timestamp(): string {
	return `${new Date().toISOString().slice(0, 19)}Z`;
}

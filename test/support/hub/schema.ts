// Structural schemas of custom kinds as an API server applies them: defaults, pruning, values and rules.

import { parseIp } from "../../../src/model/address.ts";
import { at, type Fields, fieldsOf, isFields, listOf, textOf } from "./object.ts";

export interface SchemaFault {
	/** `spec.frontend.addressMatcher.toPorts[0].port`. */
	readonly field: string;
	readonly message: string;
}

/** Whether a rule of x-kubernetes-validations holds; throws for what is no CEL. */
export type Rules = (rule: string, self: unknown) => boolean;

/** The schema of one version of a CustomResourceDefinition. */
export function schemaOf(version: unknown): Fields | undefined {
	const schema = at(version, "schema", "openAPIV3Schema");
	return isFields(schema) ? schema : undefined;
}

const KEEPS_ALL = "x-kubernetes-preserve-unknown-fields";

/** A copy with defaults and without fields that the schema does not have; these are named in `unknown`. */
export function shape(schema: Fields, value: unknown, unknown: string[] = [], path = ""): unknown {
	if (schema[KEEPS_ALL] === true) return value;
	if (Array.isArray(value)) {
		const items = fieldsOf(schema["items"]);
		return value.map((item, index) => shape(items, item, unknown, `${path}[${index}]`));
	}
	return isFields(value) ? withDefaults(schema, prune(schema, value, { unknown, path })) : value;
}

/** The API server has its own schema of these. */
const OBJECT: ReadonlySet<string> = new Set(["apiVersion", "kind", "metadata"]);

interface Pruning {
	readonly unknown: string[];
	readonly path: string;
}

function prune(schema: Fields, value: Fields, { unknown, path }: Pruning): Fields {
	const pruned: Record<string, unknown> = {};
	for (const [key, inner] of Object.entries(value)) {
		const known = fieldsOf(schema["properties"])[key] ?? schema["additionalProperties"];
		const where = join(path, key);
		if (OBJECT.has(where)) pruned[key] = inner;
		else if (!isFields(known)) unknown.push(where);
		// A null that may not be there is dropped.
		else if (inner !== null || known["nullable"] === true) pruned[key] = shape(known, inner, unknown, where);
	}
	return pruned;
}

function withDefaults(schema: Fields, value: Fields): Fields {
	const defaults = Object.entries(fieldsOf(schema["properties"])).flatMap(([key, inner]) => {
		const byDefault = at(inner, "default");
		return byDefault === undefined || Object.hasOwn(value, key) ? [] : [[key, structuredClone(byDefault)] as const];
	});
	return { ...value, ...Object.fromEntries(defaults) };
}

function join(path: string, key: string): string {
	return path === "" ? key : `${path}.${key}`;
}

/** What is wrong with a value that `shape` gave. Rules are looked at only where the values are right. */
export function validate(schema: Fields, value: unknown, rules: Rules | undefined): readonly SchemaFault[] {
	const faults = [...faultsIn(schema, value, "")];
	return faults.length > 0 || rules === undefined ? faults : [...brokenRules({ schema, value, path: "" }, rules)];
}

function* faultsIn(schema: Fields, value: unknown, path: string): Generator<SchemaFault, undefined> {
	if (schema[KEEPS_ALL] === true || path === "metadata") return;
	const wrong = whyWrong(schema, value);
	if (wrong !== undefined) {
		yield { field: path, message: wrong };
		return;
	}
	for (const key of listOf(schema["required"])) {
		if (isFields(value) && !Object.hasOwn(value, `${key}`)) {
			yield { field: join(path, `${key}`), message: "Required value" };
		}
	}
	for (const { inner, item, where } of partsOf(schema, value, path)) yield* faultsIn(inner, item, where);
}

interface Ruled {
	readonly schema: Fields;
	readonly value: unknown;
	readonly path: string;
}

function* brokenRules({ schema, value, path }: Ruled, rules: Rules): Generator<SchemaFault, undefined> {
	for (const rule of listOf(schema["x-kubernetes-validations"])) {
		if (!rules(textOf(at(rule, "rule")) ?? "", value)) yield { field: path, message: `${at(rule, "message")}` };
	}
	for (const { inner, item, where } of partsOf(schema, value, path))
		yield* brokenRules({ schema: inner, value: item, path: where }, rules);
}

interface Part {
	readonly inner: Fields;
	readonly item: unknown;
	readonly where: string;
}

function partsOf(schema: Fields, value: unknown, path: string): readonly Part[] {
	if (Array.isArray(value)) {
		const inner = fieldsOf(schema["items"]);
		return value.map((item, index) => ({ inner, item, where: `${path}[${index}]` }));
	}
	if (!isFields(value)) return [];
	const properties = fieldsOf(schema["properties"]);
	return Object.entries(value).flatMap(([key, item]) => {
		const inner = properties[key] ?? schema["additionalProperties"];
		return isFields(inner) ? [{ inner, item, where: join(path, key) }] : [];
	});
}

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
	object: isFields,
	array: Array.isArray,
	string: (value) => typeof value === "string",
	boolean: (value) => typeof value === "boolean",
	integer: (value) => Number.isInteger(value),
	number: (value) => typeof value === "number",
};

function whyWrong(schema: Fields, value: unknown): string | undefined {
	const type = textOf(schema["type"]);
	if (type !== undefined && TYPES[type]?.(value) !== true) return `Invalid value: must be of type ${type}`;
	const options = listOf(schema["enum"]);
	if (options.length > 0 && !options.includes(value)) return `Unsupported value: ${JSON.stringify(value)}`;
	const alternatives = listOf(schema["anyOf"]).map(fieldsOf);
	if (alternatives.length > 0 && alternatives.every((each) => whyWrong(each, value) !== undefined))
		return "Invalid value: must validate at least one schema (anyOf)";
	return typeof value === "string" ? whyNoText(schema, value) : whyNoSize(schema, value);
}

function whyNoText(schema: Fields, text: string): string | undefined {
	const length = [...text].length;
	if (length < Number(schema["minLength"] ?? 0)) return "Invalid value: too short";
	if (length > Number(schema["maxLength"] ?? Number.POSITIVE_INFINITY)) return "Too long";
	const pattern = textOf(schema["pattern"]);
	if (pattern !== undefined && !new RegExp(pattern, "u").test(text)) return `should match '${pattern}'`;
	if (schema["format"] === "ipv6" && !(text.includes(":") && parseIp(text) !== undefined))
		return "must be of type ipv6";
	return schema["format"] === "date-time" && Number.isNaN(Date.parse(text)) ? "must be of type date-time" : undefined;
}

function whyNoSize(schema: Fields, value: unknown): string | undefined {
	const [most, least, count] = Array.isArray(value)
		? [schema["maxItems"], schema["minItems"], value.length]
		: isFields(value)
			? [schema["maxProperties"], schema["minProperties"], Object.keys(value).length]
			: [schema["maximum"], schema["minimum"], Number(value)];
	if (count > Number(most ?? Number.POSITIVE_INFINITY)) return `Too many: ${count}: must have at most ${most} items`;
	return count < Number(least ?? Number.NEGATIVE_INFINITY) ? `Invalid value: ${count}: at least ${least}` : undefined;
}

// YAML nodes -> plain values. The package's own toJS() has no line for a duplicate key and copies merged maps without limit.

import { isAlias, isMap, isScalar, isSeq, type Pair, type ParsedNode, Scalar, type YAMLMap } from "yaml";
import { show } from "../../model/report.ts";

/** Nodes that all aliases of one document stand for together: a few lines of aliases of aliases could stand for billions. */
export const MAX_ALIASED_NODES = 100_000;

export interface ValueFailure {
	readonly kind: "failure";
	readonly reason: "InvalidYaml" | "TooLarge";
	readonly message: string;
	readonly offset: number;
	readonly alias: boolean;
}

class Refusal extends Error {
	readonly failure: ValueFailure;
	constructor(failure: ValueFailure) {
		super(failure.message);
		this.failure = failure;
	}
}

function refuse(node: unknown, message: string, more: Partial<ValueFailure> = {}): never {
	const offset = isAlias(node) || isScalar(node) || isMap(node) || isSeq(node) ? (node.range?.[0] ?? 0) : 0;
	throw new Refusal({ kind: "failure", reason: "InvalidYaml", message, offset, alias: false, ...more });
}

interface Anchor {
	readonly value: unknown;
	/** Nodes below and including it, aliases counted by what they stand for. */
	readonly size: number;
}

interface Reading {
	readonly anchors: Map<string, Anchor>;
	nodes: number;
	aliased: number;
}

/** Lists become arrays, maps become objects without a prototype (a key `__proto__` is a key), aliases share their value. */
export function toValue(node: ParsedNode | null): { readonly kind: "value"; readonly value: unknown } | ValueFailure {
	try {
		return { kind: "value", value: read(node, { anchors: new Map(), nodes: 0, aliased: 0 }) };
	} catch (error) {
		if (error instanceof Refusal) return error.failure;
		throw error;
	}
}

function read(node: unknown, reading: Reading): unknown {
	const before = reading.nodes++;
	if (isAlias(node)) return follow(node, node.source, reading);
	let value: unknown = null;
	let anchor: string | undefined;
	if (isScalar(node)) {
		value = node.value;
		anchor = node.anchor;
	} else if (isSeq(node)) {
		value = node.items.map((item) => read(item, reading));
		anchor = node.anchor;
	} else if (isMap(node)) {
		value = readMap(node, reading);
		anchor = node.anchor;
	}
	if (anchor !== undefined) reading.anchors.set(anchor, { value, size: reading.nodes - before });
	return value;
}

function follow(node: unknown, name: string, reading: Reading): unknown {
	const anchor = reading.anchors.get(name);
	if (anchor === undefined)
		refuse(node, `No anchor &${name.slice(0, 60)} before this alias: add it or write the value`, { alias: true });
	reading.aliased += anchor.size;
	reading.nodes += anchor.size;
	if (reading.aliased > MAX_ALIASED_NODES) {
		refuse(node, `Aliases stand for over ${MAX_ALIASED_NODES} values: write them out`, { reason: "TooLarge" });
	}
	return anchor.value;
}

function readMap(map: YAMLMap, reading: Reading): Record<string, unknown> {
	const object: Record<string, unknown> = Object.create(null);
	const merged: unknown[] = [];
	for (const pair of map.items) {
		if (isMerge(pair)) merged.push(pair.value);
		else {
			const key = readKey(pair, reading);
			if (Object.hasOwn(object, key)) refuse(pair.key, `A second key ${show(key)} in one object: keep one of them`);
			object[key] = read(pair.value, reading);
		}
	}
	for (const source of merged) mergeInto(object, source, reading);
	return object;
}

/** A key of any scalar type is its text, as when kubectl makes JSON of YAML. */
function readKey(pair: Pair, reading: Reading): string {
	const key = read(pair.key, reading);
	if (typeof key === "object" && key !== null) refuse(pair.key, "A key that is a list or an object: use a string");
	return String(key);
}

/** The merge key of YAML 1.1 (yaml.org/type/merge.html), which kubectl knows. */
function isMerge(pair: Pair): boolean {
	return isScalar(pair.key) && pair.key.value === "<<" && pair.key.type === Scalar.PLAIN;
}

function mergeInto(object: Record<string, unknown>, source: unknown, reading: Reading): void {
	const value = read(source, reading);
	for (const each of Array.isArray(value) ? value : [value]) {
		if (typeof each !== "object" || each === null || Array.isArray(each))
			refuse(source, "A merge key << without an object: give an alias of one");
		for (const [key, entry] of Object.entries(each)) if (!Object.hasOwn(object, key)) object[key] = entry;
	}
}

// Where a field stands in a JSON text: JSON.parse is quick and tells no places.

import type { FieldPath } from "../../model/field_path.ts";

/** Finds the offset of the field at `path`, or of the innermost part of it that is there. */
export type JsonLocator = (path: FieldPath) => number;

/** The offsets of a list's items by index, or of an object's keys and values by key. */
type Index = ReadonlyMap<string | number, { readonly at: number; readonly value: number }>;

/** `text` is JSON that JSON.parse has accepted. What is looked into is remembered: a List has thousands of items. */
export function createJsonLocator(text: string): JsonLocator {
	const indexes = new Map<number, Index>();

	function indexAt(value: number): Index {
		const known = indexes.get(value);
		if (known !== undefined) return known;
		const opening = text.charAt(value);
		const index = opening === "[" ? indexList(text, value) : opening === "{" ? indexObject(text, value) : new Map();
		indexes.set(value, index);
		return index;
	}

	return (path) => {
		let value = skipSpace(text, 0);
		let at = value;
		for (const step of path) {
			const found = indexAt(value).get(step);
			if (found === undefined) return at;
			value = found.value;
			at = found.at;
		}
		return at;
	};
}

function indexList(text: string, open: number): Index {
	const index = new Map<number, { readonly at: number; readonly value: number }>();
	let at = skipSpace(text, open + 1);
	while (at < text.length && text.charAt(at) !== "]") {
		index.set(index.size, { at, value: at });
		at = skipComma(text, skipValue(text, at));
	}
	return index;
}

/** Of two members with one key, the last one counts, as for JSON.parse. */
function indexObject(text: string, open: number): Index {
	const index = new Map<string, { readonly at: number; readonly value: number }>();
	let at = skipSpace(text, open + 1);
	while (at < text.length && text.charAt(at) !== "}") {
		const end = skipString(text, at);
		const value = skipSpace(text, skipSpace(text, end) + 1);
		index.set(String(JSON.parse(text.slice(at, end))), { at, value });
		at = skipComma(text, skipValue(text, value));
	}
	return index;
}

function skipSpace(text: string, from: number): number {
	let at = from;
	while (at < text.length && " \t\r\n".includes(text.charAt(at))) at++;
	return at;
}

function skipComma(text: string, from: number): number {
	const at = skipSpace(text, from);
	return text.charAt(at) === "," ? skipSpace(text, at + 1) : at;
}

/** The offset behind the string whose opening quote is at `open`. */
function skipString(text: string, open: number): number {
	let close = text.indexOf('"', open + 1);
	while (close >= 0 && isEscaped(text, close)) close = text.indexOf('"', close + 1);
	return close < 0 ? text.length : close + 1;
}

function isEscaped(text: string, quote: number): boolean {
	let slashes = 0;
	while (text.charAt(quote - 1 - slashes) === "\\") slashes++;
	return slashes % 2 === 1;
}

const DEEPER: ReadonlyMap<string, number> = new Map([
	["{", 1],
	["[", 1],
	["}", -1],
	["]", -1],
]);
/** What a value without quotes or brackets consists of. */
const PLAIN = /[-+.0-9a-zA-Z]*/y;

/** The offset behind the value at `from`, however deep it is. */
function skipValue(text: string, from: number): number {
	let depth = 0;
	let at = from;
	do {
		const char = text.charAt(at);
		const step = DEEPER.get(char);
		if (char === '"') at = skipString(text, at);
		else if (step === undefined && depth === 0) at = skipPlain(text, at);
		else at++;
		depth += step ?? 0;
	} while (depth > 0 && at < text.length);
	return at;
}

function skipPlain(text: string, from: number): number {
	PLAIN.lastIndex = from;
	PLAIN.test(text);
	// An empty match would not get on; valid JSON has none.
	return Math.max(PLAIN.lastIndex, from + 1);
}

// Places in JSON against the YAML package's.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseDocument } from "yaml";
import type { FieldPath } from "../../model/field_path.ts";
import { createJsonLocator } from "./json_locate.ts";
import { createLines } from "./lines.ts";
import { findOffset } from "./yaml_locate.ts";

const TEXT = ' {"a": [1, {"b\\"]}": "x\\\\", "c": [[], {}]}, -1.5e3],\n "d" : null , "e":{"f":true}}';

describe("createJsonLocator()", () => {
	test.each<[FieldPath, string]>([
		[[], '{"a"'],
		[["a"], '"a"'],
		[["a", 0], "1,"],
		[["a", 1], '{"b'],
		[["a", 1, 'b"]}'], '"b\\"'],
		[["a", 1, "c", 1], "{}]"],
		[["a", 2], "-1.5e3"],
		[["d"], '"d"'],
		[["e", "f"], '"f"'],
		[["e", "none", "more"], '"e"'],
		[["a", 9], '"a"'],
		[["a", "0"], '"a"'],
		[["d", "x"], '"d"'],
	])("finds %j", (path, start) => {
		expect(TEXT.slice(createJsonLocator(TEXT)(path))).toStartWith(start);
	});

	test("takes the last of two keys, as JSON.parse does", () => {
		expect(createJsonLocator('{"a": 1, "a": {"b": 2}}')(["a", "b"])).toBe(15);
	});

	test("agrees with the YAML package on every place of any JSON", () => {
		fc.assert(
			fc.property(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom(0, 1, "\t"), (value, indent) => {
				const text = JSON.stringify({ value }, null, indent);
				const locate = createJsonLocator(text);
				const root = parseDocument(text, { uniqueKeys: false }).contents;
				for (const path of pathsIn({ value })) expect([path, locate(path)]).toEqual([path, findOffset(root, path)]);
			}),
			{ numRuns: 1000 },
		);
	});

	test("looks through deep nesting without recursion", () => {
		const text = `[${"[".repeat(100_000)}${"]".repeat(100_000)}, 7]`;
		expect(createJsonLocator(text)([1])).toBe(text.length - 2);
	});
});

test("createLines() counts line feeds before an offset", () => {
	const lines = createLines("a\n\nb\r\nc", 10);
	expect([0, 1, 2, 3, 4, 5, 6, 7].map(lines)).toEqual([10, 10, 11, 12, 12, 12, 13, 13]);
	expect(createLines("", 5)(0)).toBe(5);
});

function pathsIn(value: unknown): FieldPath[] {
	if (typeof value !== "object" || value === null) return [[]];
	const entries: [string | number, unknown][] = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
	return [[], ...entries.flatMap(([key, item]) => pathsIn(item).map((path) => [key, ...path]))];
}

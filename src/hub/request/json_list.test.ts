// Lists as API servers write them, in portions of every size, and what is no List.

import { expect, test } from "bun:test";
import fc from "fast-check";
import { HubError } from "./hub_error.ts";
import { createListSplitter } from "./json_list.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** In portions of so many bytes, each in memory that is overwritten afterwards, as a runtime may do. */
function split(text: string, portion: number, limit = 1 << 20): { items: unknown[]; frame: unknown } {
	const splitter = createListSplitter(limit);
	const bytes = bytesOf(text);
	const items: unknown[] = [];
	for (let at = 0; at < bytes.length; at += portion) {
		const chunk = bytes.slice(at, at + portion);
		items.push(...splitter.push(chunk));
		chunk.fill(0);
	}
	return { items, frame: splitter.end() };
}

const LISTS: readonly (readonly [string, string])[] = [
	[
		"kind, apiVersion, metadata, items, as the server writes it",
		'{"kind":"ServiceList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":[{"metadata":{"name":"a"}},{"metadata":{"name":"b"}}]}\n',
	],
	[
		"items before metadata, as of custom resources",
		'{"apiVersion":"v1","items":[{"a":[1,{"items":[2]}]}],"kind":"XList","metadata":{"continue":"t"}}',
	],
	["nothing in it", '{"kind":"L","metadata":{"resourceVersion":"1"},"items":[]}'],
	["null instead of items", '{"kind":"L","metadata":{},"items":null}'],
	["brackets, quotes and backslashes in strings", '{"items":[{"s":"]}[{\\"\\\\"},{"t":"\\\\\\""}],"k":"]"}'],
	["several bytes a character", '{"items":[{"s":"żółć 漢字 👍"}],"kind":"é"}'],
	["white space", '{\n  "kind": "L",\n  "items" : [\n    {"a": 1} ,\n\t{"b": [ ]}\n  ]\n}'],
	["items further down, which are none of the List's", '{"metadata":{"items":[1]},"x":[{"items":[2]}],"items":[{}]}'],
];

test.each(LISTS)("createListSplitter() reads %s", (_, text) => {
	const whole = JSON.parse(text);
	for (const portion of [1, 2, 3, 7, 64, 10_000]) {
		const { items, frame } = split(text, portion);
		expect(items).toEqual(whole.items ?? []);
		expect(frame).toEqual({ ...whole, items: whole.items === null ? null : [] });
	}
});

test("createListSplitter() reads any List in any portions", () => {
	const object = fc.dictionary(fc.string(), fc.jsonValue());
	fc.assert(
		fc.property(fc.array(object), object, fc.integer({ min: 1, max: 50 }), (items, rest, portion) => {
			const text = JSON.stringify({ ...rest, items });
			const found = split(text, portion);
			expect(found.items).toEqual(JSON.parse(text).items);
			expect(found.frame).toEqual({ ...JSON.parse(text), items: [] });
		}),
	);
});

test.each([
	["no JSON", "<html>[{</html>"],
	["an end too early", '{"kind":"L","items":[{"a":1}'],
	["an item that is no object", '{"items":[{"a":1},7]}'],
	["an item that is broken", '{"items":[{"a":}]}'],
	["nothing", ""],
])("createListSplitter() refuses %s", (_, text) => {
	expect(() => split(text, 5)).toThrow(HubError);
});

test("createListSplitter() holds no more than its limit of one item, or of what is around them", () => {
	const small = { items: Array.from({ length: 100 }, () => ({ a: "x".repeat(80) })) };
	expect(split(JSON.stringify(small), 16, 100).items).toHaveLength(100);
	expect(() => split(`{"items":[{"a":"${"x".repeat(200)}"}]}`, 16, 100)).toThrow("one part has over 100 bytes");
	expect(() => split(`{"a":"${"x".repeat(200)}","items":[]}`, 16, 100)).toThrow("one part has over 100 bytes");
	expect(() => split(`{"items":[${" ".repeat(101)}]}`, 16, 100)).toThrow("over 100 bytes stand between items");
});

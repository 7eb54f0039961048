// Lines cut and joined anywhere.

import { expect, test } from "bun:test";
import fc from "fast-check";
import { createLineSplitter } from "./json_lines.ts";

function split(text: string, portion: number, limit = 1000): readonly string[] {
	const splitter = createLineSplitter(limit);
	const bytes = new TextEncoder().encode(text);
	const lines: string[] = [];
	for (let at = 0; at < bytes.length; at += portion) {
		const chunk = bytes.slice(at, at + portion);
		lines.push(...splitter.push(chunk).map((line) => new TextDecoder().decode(line)));
		// The runtime may use the memory again.
		chunk.fill(120);
	}
	return lines;
}

test.each([
	["one line", "abc\n", ["abc"]],
	["several in one portion", "a\nb\nc\n", ["a", "b", "c"]],
	["a half line at the end, which is not given", "a\nb", ["a"]],
	["empty lines, which are left out", "\na\n\n\nb\n", ["a", "b"]],
	["characters of several bytes", "żółć\n👍\n", ["żółć", "👍"]],
])("createLineSplitter() gives %s", (_, text, lines) => {
	for (const portion of [1, 2, 3, 100]) expect(split(text, portion)).toEqual(lines);
});

test("createLineSplitter() gives any lines in any portions", () => {
	const line = fc.string({ unit: "grapheme", minLength: 1 }).map((text) => `${text.replaceAll("\n", "_")}.`);
	fc.assert(
		fc.property(fc.array(line), fc.integer({ min: 1, max: 40 }), (lines, portion) => {
			expect(split(lines.map((each) => `${each}\n`).join(""), portion, 10_000)).toEqual(lines);
		}),
	);
});

test("createLineSplitter() refuses a line over its limit, before it is complete", () => {
	expect(split(`${"x".repeat(100)}\n`, 7, 100)).toEqual(["x".repeat(100)]);
	expect(() => split("x".repeat(101), 7, 100)).toThrow("a line has over 100 bytes");
});

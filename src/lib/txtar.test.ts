// The format there and back again.

import { describe, expect, test } from "bun:test";
import { formatTxtar, parseTxtar } from "./txtar.ts";

describe("parseTxtar()", () => {
	test.each([
		["nothing", "", { comment: "", files: [] }],
		["a comment alone", "Hello\n\n", { comment: "Hello\n\n", files: [] }],
		["an empty file", "-- a --\n", { comment: "", files: [{ name: "a", text: "" }] }],
		[
			"two files",
			"Why\n-- a/b.yaml --\nx: 1\n\n-- c d --\n---\n-- no marker--\n",
			{
				comment: "Why\n",
				files: [
					{ name: "a/b.yaml", text: "x: 1\n\n" },
					{ name: "c d", text: "---\n-- no marker--\n" },
				],
			},
		],
	])("reads %s", (_, text, expected) => {
		expect(parseTxtar(text)).toEqual(expected);
		expect(formatTxtar(parseTxtar(text))).toBe(text);
	});

	test("adds the newline that the last line lacks", () => {
		expect(parseTxtar("-- a --\nx")).toEqual({ comment: "", files: [{ name: "a", text: "x\n" }] });
	});
});

// Documents and items as text, against the YAML package's own idea of them.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { parseAllDocuments, parseDocument } from "yaml";
import { parsePiece } from "./yaml_parse.ts";
import { splitDocuments, splitList } from "./yaml_split.ts";

setDefaultTimeout(60_000);

const split = (text: string) => [...splitDocuments(text)].map(({ text: each, line }) => [line, each.trim()]);

describe("splitDocuments()", () => {
	test.each<[string, string, [number, string][]]>([
		["nothing", "", []],
		["one document", "a: 1\n", [[1, "a: 1"]]],
		["a marker in front", "---\na: 1\n", [[1, "a: 1"]]],
		[
			"two",
			"a: 1\n---\nb: 2\n",
			[
				[1, "a: 1"],
				[2, "b: 2"],
			],
		],
		[
			"content behind the marker",
			"--- {a: 1}\n--- {b: 2}",
			[
				[1, "{a: 1}"],
				[2, "{b: 2}"],
			],
		],
		[
			"Windows lines",
			"a: 1\r\n---\r\nb: 2\r\n",
			[
				[1, "a: 1"],
				[2, "b: 2"],
			],
		],
		["empty documents", "---\n---\n\n---\n# nothing\n---\na: 1\n---\n", [[6, "a: 1"]]],
		["directives", "%YAML 1.2\n# text\n---\na: 1\n...\n", [[3, "a: 1\n..."]]],
		["a marker inside a line", "a: x --- y\nb: ---\n", [[1, "a: x --- y\nb: ---"]]],
		["a longer row of dashes", "a: |\n  x\n----\n---x\n", [[1, "a: |\n  x\n----\n---x"]]],
		[
			"a line of spaces in front",
			`${" ".repeat(300)}a: 1\n---\nb: 2`,
			[
				[1, "a: 1"],
				[2, "b: 2"],
			],
		],
	])("cuts %s", (_, text, expected) => {
		expect<unknown>(split(text)).toEqual(expected);
	});

	test("agrees with the YAML package on any stream of documents", () => {
		const values = fc.array(
			fc.dictionary(fc.string({ unit: "grapheme-ascii", maxLength: 6 }), fc.jsonValue({ maxDepth: 2 })),
			{ minLength: 1, maxLength: 4 },
		);
		fc.assert(
			fc.property(values, (objects) => {
				const text = objects.map((object) => `---\n${parseDocument(JSON.stringify(object)).toString()}`).join("");
				const whole = parseAllDocuments(text);
				const pieces = [...splitDocuments(text)];
				expect(pieces).toHaveLength(Array.isArray(whole) ? whole.length : 0);
				for (const [index, piece] of pieces.entries()) {
					const parsed = parsePiece(piece);
					if (parsed.kind === "failure") throw new Error(parsed.message);
					// As JSON text: -0 is 0 there.
					expect(JSON.parse(JSON.stringify(parsed.value))).toEqual(JSON.parse(JSON.stringify(objects[index])));
				}
			}),
			{ numRuns: 100 },
		);
	});
});

describe("splitList()", () => {
	const KUBECTL =
		"apiVersion: v1\nitems:\n- kind: A\n  ports:\n  - 1\n  - 2\n- kind: B\n  text: |\n    - x\n\n    y\n# note\n-\n  kind: C\nkind: List\nmetadata: {}\n";

	test("takes apart what kubectl writes, with the lines of the file", () => {
		const list = splitList({ text: KUBECTL, line: 10 });
		expect(list?.items.map(({ line }) => line)).toEqual([12, 16, 22]);
		expect(list?.items.map(({ text }) => parseDocument(text).toJS().kind)).toEqual(["A", "B", "C"]);
		expect(list?.items.map(({ text }) => parseDocument(text).toJS())).toEqual(parseDocument(KUBECTL).toJS().items);
		const frame = list?.frame ?? { text: "", line: 0 };
		expect(parseDocument(frame.text).toJS()).toEqual({ apiVersion: "v1", items: null, kind: "List", metadata: {} });
		expect(frame.line).toBe(10);
		// What stands behind the items keeps its line.
		expect(frame.text.split("\n").indexOf("kind: List")).toBe(KUBECTL.split("\n").indexOf("kind: List"));
	});

	test.each([
		["further in", "kind: List\nitems:\n  - a: 1\n    b:\n    - 1\n  - a: 2\nlast: x\n", [{ a: 1, b: [1] }, { a: 2 }]],
		["Windows lines", "items:\r\n- a: 1\r\n- a: 2\r\nkind: List\r\n", [{ a: 1 }, { a: 2 }]],
		["without an end of line", "items:\n- a: 1\n- a: 2", [{ a: 1 }, { a: 2 }]],
		["comments before and between", "items: \n# one\n\n- a: 1\n# two\n- a: 2\n", [{ a: 1 }, { a: 2 }]],
	])("takes apart a list %s", (_, text, items) => {
		expect(splitList({ text, line: 1 })?.items.map((item) => parseDocument(item.text).toJS())).toEqual(items);
	});

	test.each([
		["a flow list", "items: [{a: 1}]\n"],
		["no items", "kind: List\n"],
		["items of something inside", "spec:\n  items:\n  - a: 1\n"],
		["JSON", '{"items": [{"a": 1}]}'],
	])("leaves alone %s", (_, text) => {
		expect(splitList({ text, line: 1 })).toBeUndefined();
	});

	test("ends at a line further to the left, whatever it is", () => {
		const list = splitList({ text: "items:\n    - a: 1\n  - b: 2\n    - c: 3\n", line: 1 });
		expect(list?.items.map(({ text }) => text.trim())).toEqual(["a: 1"]);
		expect(list?.frame.text).toBe("items:\n\n  - b: 2\n    - c: 3\n");
	});

	test("agrees with the YAML package on any list", () => {
		const items = fc.array(
			fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), fc.jsonValue({ maxDepth: 3 }), { minKeys: 1 }),
			{ minLength: 1, maxLength: 5 },
		);
		fc.assert(
			fc.property(items, fc.boolean(), (objects, indentSeq) => {
				const text = parseDocument(JSON.stringify({ items: objects, kind: "List" }));
				const block = new (text.constructor as typeof import("yaml").Document)({
					items: objects,
					kind: "List",
				}).toString({ indentSeq });
				const list = splitList({ text: block, line: 1 });
				expect(list?.items.map((item) => parseDocument(item.text).toJS())).toEqual(parseDocument(block).toJS().items);
			}),
			{ numRuns: 100 },
		);
	});
});

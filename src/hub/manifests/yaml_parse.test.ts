// One document: its value, its lines, and what happens to abuse.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { FieldPath } from "../../model/field_path.ts";
import { MAX_DEPTH, MAX_TOKENS, parsePiece } from "./yaml_parse.ts";
import { MAX_ALIASED_NODES } from "./yaml_value.ts";

setDefaultTimeout(60_000);

function parse(text: string, line = 1) {
	return parsePiece({ text, line });
}

function parsed(text: string): unknown {
	const result = parse(text);
	if (result.kind === "failure") throw new Error(result.message);
	return JSON.parse(JSON.stringify(result.value));
}

function failureOf(text: string, line = 1) {
	const result = parse(text, line);
	if (result.kind === "document") throw new Error(`A value: ${JSON.stringify(result.value)}`);
	return result;
}

describe("parsePiece()", () => {
	test.each<[string, string, unknown]>([
		[
			"the YAML 1.2 core schema",
			"a: yes\nb: on\nc: true\nz: 010\ne: 0x10\nf: ~\ng: 1.0\nh: 2026-01-02T03:04:05Z\n",
			{ a: "yes", b: "on", c: true, z: 10, e: 16, f: null, g: 1, h: "2026-01-02T03:04:05Z" },
		],
		["keys of other types", "1: a\ntrue: b\nnull: c\n", { 1: "a", true: "b", null: "c" }],
		["aliases", "a: &x [1, {b: 2}]\nc: *x\n", { a: [1, { b: 2 }], c: [1, { b: 2 }] }],
		["the last anchor of a name", "a: &x 1\nb: *x\nc: &x 2\nz: *x\n", { a: 1, b: 1, c: 2, z: 2 }],
		[
			"merge keys, own keys first",
			"a: &x {p: 1, q: 2}\nb: {p: 9, <<: *x}\nc: {<<: [*x, {q: 8, r: 3}]}\n",
			{ a: { p: 1, q: 2 }, b: { p: 9, q: 2 }, c: { p: 1, q: 2, r: 3 } },
		],
		["a quoted << as a key", '"<<": 1\n', { "<<": 1 }],
		["unknown tags as what they hold", "a: !mine x\nb: !!binary aGk=\n", { a: "x", b: "aGk=" }],
		["JSON", '  {"a": [1, "x"]}', { a: [1, "x"] }],
		["JSON that is only YAML", '{"a": 1, # note\n}', { a: 1 }],
		["a scalar", "text", "text"],
		["no content", "# nothing\n", null],
	])("reads %s", (_, text, value) => {
		expect(parsed(text)).toEqual(value);
	});

	test("keeps __proto__ a key", () => {
		for (const text of ["__proto__: {polluted: 1}\na: 2\n", '{"__proto__": {"polluted": 1}, "a": 2}']) {
			const result = parse(text);
			const value = result.kind === "document" ? (result.value as object) : {};
			expect(Object.keys(value)).toEqual(["__proto__", "a"]);
			expect("polluted" in value).toBe(false);
		}
	});

	test.each<[string, string, number, RegExp]>([
		["an open quote", 'a: 1\nb: "x\n', 2, /^Not YAML \(Missing closing "quote/],
		["an open bracket", "a: 1\nb: [1,\n", 2, /^Not YAML \(Flow sequence/],
		["a tab", "a:\n\tb: 1\n", 2, /^Not YAML \(Tabs are not allowed/],
		["a second key", "a: 1\nb: 2\na: 3\n", 3, /^A second key "a" in one object: keep one of them$/],
		["an unknown alias", "a: 1\nb: *x\n", 2, /^No anchor &x before this alias: add it or write the value$/],
		["an alias of itself", "a: &x\n  - 1\n  - *x\n", 3, /^No anchor &x before this alias/],
		["a merge of a scalar", "a: 1\n<<: 5\n", 2, /^A merge key << without an object: give an alias of one$/],
		["a key that is a list", "a: 1\n? [1]\n: 2\n", 2, /^A key that is a list or an object: use a string$/],
		["a second document", "a: 1\n...\nb: 2\n", 3, /^A second document without --- before it: add the line$/],
	])("says what is wrong, and in which line: %s", (_, text, line, message) => {
		const failure = failureOf(text, 100);
		expect(failure.reason).toBe("InvalidYaml");
		expect(failure.line).toBe(99 + line);
		expect(failure.message).toMatch(message);
	});

	test("tells aliases without an anchor from other mistakes", () => {
		expect(failureOf("a: *x").alias).toBe(true);
		expect(failureOf("a: [").alias).toBe(false);
	});

	const pair = (name: string, of: string) =>
		`${name}: &${name} [${Array.from({ length: 10 }, () => `*${of}`).join(", ")}]\n`;
	test.each<[string, string, RegExp]>([
		["tokens", "[".concat("1,".repeat(MAX_TOKENS / 2), "1]"), /tokens: cut the document/],
		["blank lines", `a: 1${"\n".repeat(MAX_TOKENS + 10)}`, /tokens/],
		["brackets", "[".repeat(MAX_DEPTH * 2), /levels deep: make it flatter/],
		["a million brackets", "[".repeat(1_000_000), /levels deep/],
		["a million dashes", "- ".repeat(1_000_000), /levels deep/],
		["a million keys on one line", "a: ".repeat(1_000_000), /levels deep/],
		[
			"indentation",
			Array.from({ length: MAX_DEPTH * 2 }, (_, level) => `${" ".repeat(level)}a:\n`).join(""),
			/levels deep/,
		],
		[
			"aliases of aliases",
			`a: &a [1,1,1,1,1,1,1,1,1,1]\n${pair("b", "a")}${pair("c", "b")}${pair("d", "c")}${pair("e", "d")}${pair("f", "e")}`,
			/^Aliases stand for over 100000 values: write them out$/,
		],
		[
			"merged keys",
			`a: &a {${Array.from({ length: 1000 }, (_, key) => `k${key}: 1`).join(", ")}}\nb: [${"{<<: *a}, ".repeat(MAX_ALIASED_NODES / 1000)}]`,
			/^Aliases stand for over/,
		],
	])("is bounded: %s", (_, text, message) => {
		const failure = failureOf(text);
		expect(failure.reason).toBe("TooLarge");
		expect(failure.message).toMatch(message);
	});

	test("takes documents up to the bounds", () => {
		expect(parsed(`${"[".repeat(MAX_DEPTH - 5)}${"]".repeat(MAX_DEPTH - 5)}`)).toBeArray();
		expect(parsed(`a: &a [${"1,".repeat(900)}]\nb: [${"*a,".repeat(100)}]`)).toBeObject();
	});

	test("reads many keys of one object in a time that grows with their number, not its square", () => {
		const text = Array.from({ length: 50_000 }, (_, key) => `k${key}: 1\n`).join("");
		expect(Object.keys(parsed(text) as object)).toHaveLength(50_000);
	});

	const DOCUMENT =
		'kind: A # first\nspec: &s\n  ports:\n    - port: 1\n    - name: x\n      port: 2\n  "a/b": z\ncopy: *s\nmerged:\n  <<: *s\n';
	test.each<[FieldPath, number]>([
		[[], 1],
		[["kind"], 1],
		[["spec"], 2],
		[["spec", "ports"], 3],
		[["spec", "ports", 1], 5],
		[["spec", "ports", 1, "port"], 6],
		[["spec", "ports", 1, "nothing"], 5],
		[["spec", "ports", 7, "port"], 3],
		[["spec", "a/b"], 7],
		[["copy", "ports", 1, "port"], 6],
		[["merged", "ports"], 9],
		[["nothing"], 1],
	])("finds the line of %j", (path, line) => {
		const result = parse(`\n${DOCUMENT}`, 10);
		if (result.kind === "failure") throw new Error(result.message);
		expect(result.line).toBe(11);
		expect(result.locate(path)).toBe(10 + line);
	});

	test("finds lines in JSON", () => {
		const result = parse('\n{\n  "spec": {\n    "ports": [\n      {"port": 1},\n      {"port": 2}]}}', 5);
		if (result.kind === "failure") throw new Error(result.message);
		expect(result.line).toBe(6);
		expect(result.locate(["spec", "ports", 1, "port"])).toBe(10);
	});
});

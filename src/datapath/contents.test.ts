// Contents that share their texts say what they said before.

import { expect, test } from "bun:test";
import { type Contents, emptyContents, shareTexts } from "./contents.ts";

function contents(frontends: Readonly<Record<string, string>>): Contents {
	return { ...emptyContents(), frontends: new Map(Object.entries(frontends)) };
}

test.each([
	["the same", { a: "1", b: "2" }, { a: "1", b: "2" }],
	["other values", { a: "1", b: "2" }, { a: "3", b: "2" }],
	["more", { a: "1", b: "2" }, { b: "2" }],
	["less", { b: "2" }, { a: "1", b: "2", c: "3" }],
	["nothing", {}, { a: "1" }],
	["something where nothing is wanted", { a: "1" }, {}],
])("shareTexts() of %s changes neither", (_, is, should) => {
	const [actual, wanted] = [contents(is), contents(should)];
	const shared = shareTexts(actual, wanted);
	expect(Object.fromEntries(shared.frontends)).toEqual(is);
	expect(Object.fromEntries(wanted.frontends)).toEqual(should);
	expect(shared.frontends).not.toBe(wanted.frontends);
	expect(shared.slots).toBe(actual.slots);
});

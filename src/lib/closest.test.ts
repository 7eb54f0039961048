// Suggestions for what was mistyped.

import { expect, test } from "bun:test";
import { closest } from "./closest.ts";

const WORDS = ["agent", "backends", "frontends", "maps", "of"];

test.each([
	["agnet", "agent"],
	["back", "backends"],
	["mapsx", "maps"],
	["fronteds", "frontends"],
	["front-ends", "frontends"],
	["xx", undefined],
	["", undefined],
	["something", undefined],
	["a".repeat(51), undefined],
])("closest() of %j is %j", (typed, expected) => {
	expect(closest(typed, WORDS)).toBe(expected);
});

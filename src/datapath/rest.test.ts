// How long something rests.

import { describe, expect, test } from "bun:test";
import { createRest } from "./rest.ts";

const gone = () => true;
const there = () => false;

describe("createRest()", () => {
	test("settle() gives an item free two rounds after the one in which it was gone", () => {
		const rest = createRest<string>();
		rest.add("a");
		expect([gone, gone, gone, gone].map((isGone) => rest.settle(isGone))).toEqual([[], [], ["a"], []]);
		expect(rest.size()).toBe(0);
	});

	test("settle() counts from when the item is gone, not from when it was added", () => {
		const rest = createRest<string>();
		rest.add("a");
		expect([there, there, gone, gone, gone].map((isGone) => rest.settle(isGone))).toEqual([[], [], [], [], ["a"]]);
	});

	test("settle() begins anew if the item shows up again", () => {
		const rest = createRest<string>();
		rest.add("a");
		expect([gone, gone, there, gone, gone, gone].flatMap((isGone) => rest.settle(isGone))).toEqual(["a"]);
		rest.add("a");
		expect([gone, gone, there, gone, gone].flatMap((isGone) => rest.settle(isGone))).toEqual([]);
	});

	test("remove() forgets the item", () => {
		const rest = createRest<string>();
		rest.add("a");
		rest.settle(gone);
		rest.remove("a");
		expect([gone, gone, gone].flatMap((isGone) => rest.settle(isGone))).toEqual([]);
	});
});

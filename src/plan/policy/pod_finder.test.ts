// The same pods are found whether all are looked at or only those with a label's value.

import { expect, test } from "bun:test";
import fc from "fast-check";
import { checkProperty } from "../../../test/support/property.ts";
import { pod } from "../../../test/support/snapshots.ts";
import { type LabelSelector, parseLabelSelector } from "../../model/label_selector.ts";
import { createPodFinder } from "./pod_finder.ts";

const PODS = [
	pod("demo/c ready here app=web,tier=edge"),
	pod("demo/a ready here app=web,tier=core"),
	pod("other/b ready here app=db"),
	pod("demo/d ready here tier=edge"),
	pod("demo/e ready here"),
];

function selector(text: string): LabelSelector {
	const parsed = parseLabelSelector(text);
	if (parsed.kind === "wrong") throw new Error(parsed.message);
	return parsed.selector;
}

test.each([
	["app=web", "demo/a demo/c"],
	["app in (db,web)", "demo/a demo/c other/b"],
	["app=web,tier=core", "demo/a"],
	["tier=edge,app", "demo/c"],
	["app!=web", "demo/d demo/e other/b"],
	["!app", "demo/d demo/e"],
	["app=gone", ""],
	["", "demo/a demo/c demo/d demo/e other/b"],
])("find() of %j, the first time and later", (text, expected) => {
	const finder = createPodFinder(PODS);
	for (let time = 1; time <= 5; time++)
		expect(
			finder
				.find(selector(text))
				.map(({ key }) => key)
				.join(" "),
		).toBe(expected);
});

test("find() gives no pod twice and none too few, whatever was asked before", () => {
	const text = fc.constantFrom("app=web", "app in (web,web,db)", "tier in (edge),app=web", "tier", "app notin (db)");
	const property = fc.property(fc.array(text, { maxLength: 8 }), (texts) => {
		const finder = createPodFinder(PODS);
		for (const each of texts) expect(finder.find(selector(each))).toEqual(createPodFinder(PODS).find(selector(each)));
	});
	checkProperty("finding pods", property, 200);
});

// Which labels a selector takes, and which texts are none.

import { describe, expect, test } from "bun:test";
import { formatLabelSelector, matchesLabels, parseLabelSelector } from "./label_selector.ts";

const LABELS: Readonly<Record<string, string>> = {
	app: "web",
	tier: "",
	"example.com/zone": "a",
	weight: "20",
	big: "9007199254740993",
};

function matches(text: string): boolean {
	const parsed = parseLabelSelector(text);
	if (parsed.kind === "wrong") throw new Error(parsed.message);
	return matchesLabels(parsed.selector, (key) => LABELS[key]);
}

// The column is what k8s.io/apimachinery pkg/labels says of the same text and labels.
test.each([
	["", true],
	["  ", true],
	["app", true],
	["other", false],
	["!app", false],
	["! other", true],
	["app=web", true],
	["app == web", true],
	["app=", false],
	["tier=", true],
	["tier==", true],
	["tier", true],
	["app=web,tier=x", false],
	[" app=web , !other ", true],
	["app!=web", false],
	["app!=db", true],
	["other!=x", true],
	["tier!=", false],
	["other!=", true],
	["app in (db, web)", true],
	["app in(db)", false],
	["app in (web),example.com/zone in (a,b)", true],
	["tier in ()", true],
	["tier in (,x)", true],
	["other in ()", false],
	["app notin (db,web)", false],
	["app notin (db)", true],
	["other notin (a)", true],
	["example.com/zone=a", true],
	["weight>19", true],
	["weight>20", false],
	["weight<21", true],
	["weight<20", false],
	["app>1", false],
	["app<1", false],
	["other<1", false],
	["big>9007199254740992", true],
	["in=x", false],
	["notin", false],
] as const)("matchesLabels() of %j is %p", (text, expected) => {
	expect(matches(text)).toBe(expected);
});

test("matchesLabels() takes what is no string for no label", () => {
	const parsed = parseLabelSelector("app");
	if (parsed.kind === "wrong") throw new Error(parsed.message);
	expect([1, null, {}, undefined].map((value) => matchesLabels(parsed.selector, () => value))).toEqual([
		false,
		false,
		false,
		false,
	]);
	expect(matchesLabels(parsed.selector, () => "")).toBe(true);
});

test.each([
	["app=web,", '"" is no requirement: write app=web, app in (a,b), app or !app'],
	[",", '"" is no requirement: write app=web, app in (a,b), app or !app'],
	["app in web", '"app in web" is no requirement: write app=web, app in (a,b), app or !app'],
	["app in (web", '"app in (web" is no requirement: write app=web, app in (a,b), app or !app'],
	["app=we b", '"app=we b" is no requirement: write app=web, app in (a,b), app or !app'],
	["=web", '"=web" is no requirement: write app=web, app in (a,b), app or !app'],
	["a/b/c", '"a/b/c" is no requirement: write app=web, app in (a,b), app or !app'],
	["Example.com/app", '"Example.com/app" has no DNS subdomain before the slash: write example.com/app'],
	["-app", `"-app" has no label's name: use up to 63 of letters, digits, -, _ and .`],
	[`${"a".repeat(64)}=b`, /^"a+\.\.\."?|has no label's name/],
	["app=-web", `"app=-web" has "-web", which is no label's value: use up to 63 of letters, digits, -, _ and .`],
	[
		"app in (web,x_)",
		`"app in (web,x_)" has "x_", which is no label's value: use up to 63 of letters, digits, -, _ and .`,
	],
	["app>web", '"app>web" compares with what is no whole number'],
] as const)("parseLabelSelector() refuses %j", (text, message) => {
	const parsed = parseLabelSelector(text);
	expect(parsed.kind).toBe("wrong");
	if (parsed.kind === "wrong")
		expect(parsed.message).toMatch(typeof message === "string" ? new RegExp(`^${RegExp.escape(message)}$`) : message);
});

test("parseLabelSelector() gives the operators of matchExpressions", () => {
	expect(parseLabelSelector("a=1,b!=2,c in (3,4),d notin (5),e,!f")).toEqual({
		kind: "selector",
		selector: [
			{ key: "a", operator: "in", values: ["1"] },
			{ key: "b", operator: "notIn", values: ["2"] },
			{ key: "c", operator: "in", values: ["3", "4"] },
			{ key: "d", operator: "notIn", values: ["5"] },
			{ key: "e", operator: "exists", values: [] },
			{ key: "f", operator: "doesNotExist", values: [] },
		],
	});
});

describe("formatLabelSelector()", () => {
	test.each([
		["app=web"],
		["app in (a,b)"],
		["tier!=test"],
		["tier notin (a,b)"],
		["app"],
		["!app"],
		["age>5"],
		["age<5"],
		["app="],
		["app in (,a)"],
		["!x,app in (a,b),example.com/app=web,tier!=test"],
		[""],
	])("gives %p as it was read", (text) => {
		const parsed = parseLabelSelector(text);
		expect(parsed.kind === "selector" && formatLabelSelector(parsed.selector)).toBe(text);
	});

	test.each([
		["b=1,a=2", "a=2,b=1"],
		["a in (y,x,y)", "a in (x,y)"],
		["a==x,a in (x)", "a=x"],
		["a notin (x)", "a!=x"],
	])("gives %p as it gives %p", (text, expected) => {
		const parsed = parseLabelSelector(text);
		expect(parsed.kind === "selector" && formatLabelSelector(parsed.selector)).toBe(expected);
	});
});

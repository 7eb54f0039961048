// What becomes of metav1.LabelSelector.

import { describe, expect, test } from "bun:test";
import { type LabelSelector, matchesLabels } from "./label_selector.ts";
import { readLabelSelector } from "./label_selector_object.ts";
import type { Raw } from "./raw.ts";
import { createReport } from "./report.ts";

function read(selector: Raw): { readonly value: LabelSelector | undefined; readonly problems: readonly string[] } {
	const report = createReport("X");
	const value = readLabelSelector(selector, { path: ["s"], report });
	return { value, problems: report.problems().map(({ field, message }) => `${field}: ${message}`) };
}

const expression = (key: unknown, operator: unknown, values?: unknown) => ({
	matchExpressions: [{ key, operator, values }],
});

describe("readLabelSelector()", () => {
	test.each<[string, Raw, unknown]>([
		["nothing", {}, []],
		["null", { matchLabels: null, matchExpressions: null }, []],
		[
			"labels",
			{ matchLabels: { b: "2", a: "1" } },
			[
				{ key: "a", operator: "in", values: ["1"] },
				{ key: "b", operator: "in", values: ["2"] },
			],
		],
		[
			"an empty label",
			{ matchLabels: { a: "", b: null } },
			[
				{ key: "a", operator: "in", values: [""] },
				{ key: "b", operator: "in", values: [""] },
			],
		],
		["In", expression("a", "In", ["z", "b", "z"]), [{ key: "a", operator: "in", values: ["b", "z"] }]],
		["NotIn", expression("x.y/a", "NotIn", [""]), [{ key: "x.y/a", operator: "notIn", values: [""] }]],
		["Exists", expression("a", "Exists"), [{ key: "a", operator: "exists", values: [] }]],
		["DoesNotExist", expression("a", "DoesNotExist", []), [{ key: "a", operator: "doesNotExist", values: [] }]],
		[
			"the same thing twice",
			{ matchLabels: { a: "1" }, ...expression("a", "In", ["1"]) },
			[{ key: "a", operator: "in", values: ["1"] }],
		],
	])("takes %s", (_, selector, expected) => {
		expect<unknown>(read(selector)).toEqual({ value: expected, problems: [] });
	});

	test.each<[string, Raw, string]>([
		[
			"labels of another type",
			{ matchLabels: ["a"] },
			".matchLabels: a list is not an object: give labels as keys and strings",
		],
		["a label's value", { matchLabels: { a: 1 } }, ".matchLabels.a: 1 is not a string: put it in quotes"],
		[
			"a label's text",
			{ matchLabels: { a: "x y" } },
			`.matchLabels.a: "x y" is not a label's value: use up to 63 of letters, digits, -, _ and .`,
		],
		[
			"a label's key",
			{ matchLabels: { "a b": "1" } },
			`.matchLabels["a b"]: "a b" is not a label's key: write app or example.com/app, up to 63 of letters, digits, -, _ and . after the slash`,
		],
		[
			"expressions of another type",
			{ matchExpressions: {} },
			".matchExpressions: an object is not a list: give a list",
		],
		[
			"no object",
			{ matchExpressions: ["a"] },
			'.matchExpressions[0]: "a" is not an object: give key, operator and values',
		],
		[
			"no key",
			expression(undefined, "Exists"),
			".matchExpressions[0].key: Missing: write app or example.com/app, up to 63 of letters, digits, -, _ and . after the slash",
		],
		[
			"no operator",
			expression("a", undefined),
			".matchExpressions[0].operator: Missing: use In, NotIn, Exists, DoesNotExist",
		],
		[
			"an operator of nodes",
			expression("a", "Gt", ["1"]),
			'.matchExpressions[0].operator: "Gt" is not an operator: use In, NotIn, Exists, DoesNotExist',
		],
		["no values", expression("a", "In"), ".matchExpressions[0].values: Missing: In needs at least one"],
		["values", expression("a", "Exists", ["1"]), ".matchExpressions[0].values: Exists takes no values: remove them"],
		["a value", expression("a", "NotIn", [1]), ".matchExpressions[0].values[0]: 1 is not a string: put it in quotes"],
		[
			"too many labels",
			{ matchLabels: Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`k${index}`, "v"])) },
			".matchLabels: 65 entries: give at most 64",
		],
		[
			"too many values",
			expression(
				"a",
				"In",
				Array.from({ length: 65 }, (_, index) => `v${index}`),
			),
			".matchExpressions[0].values: 65 entries: give at most 64",
		],
	])("takes nothing of a selector with a mistake: %s", (_, selector, expected) => {
		expect(read({ matchLabels: { good: "1" }, ...selector })).toEqual({
			value: undefined,
			problems: [`s${expected}; the policy is left out`],
		});
	});

	test("selects what Kubernetes does", () => {
		const { value = [] } = read({
			matchLabels: { app: "web" },
			matchExpressions: [
				{ key: "tier", operator: "NotIn", values: ["test"] },
				{ key: "canary", operator: "DoesNotExist" },
			],
		});
		const matches = (labels: Readonly<Record<string, string>>) => matchesLabels(value, (key) => labels[key]);
		expect(matches({ app: "web" })).toBe(true);
		expect(matches({ app: "web", tier: "prod" })).toBe(true);
		expect(matches({ app: "web", tier: "test" })).toBe(false);
		expect(matches({ app: "web", canary: "" })).toBe(false);
		expect(matches({ tier: "prod" })).toBe(false);
	});
});

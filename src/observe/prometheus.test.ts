// The exposition format, to the letter: scrapers drop a whole page for one bad line.

import { expect, test } from "bun:test";
import { renderMetrics } from "./prometheus.ts";

test("renderMetrics() writes help, type and samples of each metric", () => {
	const text = renderMetrics([
		{ name: "a", help: "First.", type: "gauge", samples: [{ value: 1.5 }] },
		{
			name: "b_total",
			help: "Second.",
			type: "counter",
			samples: [
				{ labels: { map: "x", reason: "y" }, value: 0 },
				{ labels: { map: "z" }, value: 12 },
			],
		},
	]);
	expect(text).toBe(
		`# HELP balancing_a First.
# TYPE balancing_a gauge
balancing_a 1.5
# HELP balancing_b_total Second.
# TYPE balancing_b_total counter
balancing_b_total{map="x",reason="y"} 0
balancing_b_total{map="z"} 12
`,
	);
});

test("renderMetrics() leaves out what has no sample", () => {
	expect(renderMetrics([{ name: "a", help: "x", type: "gauge", samples: [] }])).toBe("");
});

test.each([
	['a"b', 'a\\"b'],
	["a\\b", "a\\\\b"],
	["a\nb", "a\\nb"],
	['\\"\n', '\\\\\\"\\n'],
	["manifests /ä", "manifests /ä"],
])("renderMetrics() writes the label value %j as %j", (value, expected) => {
	const text = renderMetrics([{ name: "a", help: "x", type: "gauge", samples: [{ labels: { l: value }, value: 1 }] }]);
	expect(text.split("\n")[2]).toBe(`balancing_a{l="${expected}"} 1`);
});

test("renderMetrics() escapes help, where a quote is a quote", () => {
	const [help] = renderMetrics([{ name: "a", help: 'a\\b\n"c"', type: "gauge", samples: [{ value: 1 }] }]).split("\n");
	expect(help).toBe('# HELP balancing_a a\\\\b\\n"c"');
});

test.each([
	[0.1, "0.1"],
	[1e21, "1e+21"],
	[-3, "-3"],
	[Number.POSITIVE_INFINITY, "+Inf"],
	[Number.NEGATIVE_INFINITY, "-Inf"],
	[Number.NaN, "NaN"],
])("renderMetrics() writes the value %p as %s", (value, expected) => {
	expect(renderMetrics([{ name: "a", help: "x", type: "gauge", samples: [{ value }] }])).toEndWith(
		`balancing_a ${expected}\n`,
	);
});

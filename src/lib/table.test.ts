// Columns line up whatever is in them.

import { expect, test } from "bun:test";
import { table } from "./table.ts";

test.each([
	[["A", "B"], [], "A  B\n"],
	[
		["NAME", "N"],
		[
			["x", "1"],
			["longer", "22"],
		],
		"NAME    N\nx       1\nlonger  22\n",
	],
	[
		["A", "B"],
		[
			["", "x"],
			["y", ""],
		],
		"A  B\n   x\ny\n",
	],
])("table(%j, %j)", (header, rows, expected) => {
	expect(table(header, rows)).toBe(expected);
});

test("table() takes as many rows as the maps hold", () => {
	const rows = Array.from({ length: 131_071 }, (_, index) => [String(index), "x"]);
	const lines = table(["ID", "X"], rows).split("\n");
	expect(lines).toHaveLength(131_073);
	expect(lines[1]).toBe("0       x");
});

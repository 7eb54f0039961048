// Every row of the Service contract holds, and the published table is of these rows.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { tryRows } from "./conformance.ts";
import { expectedOf, pageOf, pageRows, type Result } from "./result.ts";
import { ROWS } from "./rows.ts";

const PAGE = readFileSync(`${import.meta.dir}/../conformance.md`, "utf8");
const results = await tryRows();

describe("the Service contract", () => {
	test.each(results.map((one) => [`${one.id} ${one.title} ${one.family} ${one.protocol}`.trim(), one] as const))(
		"%s",
		(_, { verdict, reason }) => {
			if (verdict === "fail") throw new Error(reason);
		},
	);
});

test("all rows have been tried", () => {
	const heads = results.map(({ verdict: _, reason: __, ...head }) => head);
	expect(heads).toEqual(ROWS.flatMap(expectedOf));
});

test("no two rows have one id", () => {
	const ids = ROWS.map(({ id }) => id);
	expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([]);
});

function tableOf(page: string): readonly string[] {
	return page.split("\n").filter((line) => /^\| (?!ID |---)/.test(line));
}

test("test/conformance.md is of these rows (bun run conformance --write)", () => {
	expect(tableOf(PAGE)).toEqual([...pageRows(results)]);
});

test("pageOf() writes a line for each result, and the counts", () => {
	const head = { id: "S1", title: "a | b", source: "own", family: "IPv4", protocol: "TCP", reason: "" } as const;
	const tried: readonly Result[] = [
		{ ...head, verdict: "pass" },
		{ ...head, id: "S2", verdict: "fail", reason: "x" },
	];
	const page = pageOf(tried, { kernel: "6.1.0", date: "2026-01-02" });
	expect(page).toContain("Linux 6.1.0, 2026-01-02: 1 passed, 1 failed, 0 not applicable.");
	expect(tableOf(page)).toEqual([
		"| S1 | a \\| b | IPv4 | TCP | pass |  | own |",
		"| S2 | a \\| b | IPv4 | TCP | fail | x | own |",
	]);
});

// What stands in the log, for machines and for people.

import { describe, expect, test } from "bun:test";
import { createLog, prettyLine } from "./log.ts";

function written(format: "json" | "pretty", level = "info", stamped = true) {
	const lines: string[] = [];
	const log = createLog({ level, format, stamped, write: (line) => lines.push(line) });
	return { log, lines };
}

describe("createLog()", () => {
	test("writes one JSON object a line: level, time, the fields, the message", () => {
		const { log, lines } = written("json");
		log.info({ a: 1, b: { c: "d" } }, "done");
		expect(lines).toHaveLength(1);
		expect(lines[0]).toEndWith("\n");
		const { time, ...rest } = JSON.parse(lines[0] ?? "");
		expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
		expect(rest).toEqual({ level: "info", a: 1, b: { c: "d" }, msg: "done" });
	});

	test("leaves the time to the line where it is not stamped", () => {
		const { log, lines } = written("json", "info", false);
		log.info({ time: "2026-01-02T03:04:05.678Z" }, "resolution");
		expect(lines[0]).toBe('{"level":"info","time":"2026-01-02T03:04:05.678Z","msg":"resolution"}\n');
	});

	test.each([
		["debug", ["debug", "info", "warn", "error"]],
		["info", ["info", "warn", "error"]],
		["warn", ["warn", "error"]],
		["error", ["error"]],
		["silent", []],
	])("writes at level %s: %j", (level, expected) => {
		const { log, lines } = written("json", level);
		for (const name of ["debug", "info", "warn", "error"] as const) log[name]({}, "x");
		expect(lines.map((line) => JSON.parse(line).level)).toEqual(expected);
	});

	test("writes an error with message, stack and cause", () => {
		const { log, lines } = written("json");
		log.error({ err: new Error("Cannot do it", { cause: new Error("EPERM") }) }, "failed");
		const { err } = JSON.parse(lines[0] ?? "");
		expect(err.message).toContain("Cannot do it");
		expect(err.message + err.stack).toContain("EPERM");
		expect(err.stack).toContain("log.test.ts");
	});

	test("writes lines for people", () => {
		const { log, lines } = written("pretty");
		log.warn({ path: "/a b", n: 2 }, "something is odd");
		expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} warn {2}something is odd path="\/a b" n=2\n$/);
	});

	test("writes an error for people as its message, and the stack below", () => {
		const { log, lines } = written("pretty");
		log.error({ err: new Error("Cannot do it"), n: 1 }, "failed");
		const [head, ...stack] = (lines[0] ?? "").split("\n");
		expect(head).toMatch(/ error failed n=1 err="Cannot do it"$/);
		expect(stack[0]).toMatch(/^ {4}at .*log\.test\.ts/);
	});
});

test.each([
	[{ a: "plain" }, "a=plain"],
	[{ a: "two words" }, 'a="two words"'],
	[{ a: "" }, 'a=""'],
	[{ a: "x=y" }, 'a="x=y"'],
	[{ a: 'say "x"' }, 'a="say \\"x\\""'],
	[{ a: null, b: true, c: [1, "x"] }, 'a=null b=true c=[1,"x"]'],
	[{ err: "only text" }, 'err="only text"'],
	[{ a: "line\nbreak" }, 'a="line\\nbreak"'],
])("prettyLine() writes the fields %j as %s", (fields, expected) => {
	const line = JSON.stringify({ level: "info", time: "2026-01-02T03:04:05.678Z", ...fields, msg: "m" });
	expect(prettyLine(line)).toBe(`03:04:05.678 info  m ${expected}\n`);
});

// What counts as passed: the runner must not call a broken test process a good one.

import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { findTests, judge, runTests } from "./tests.ts";

const folder = mkdtempSync(join(tmpdir(), `balancing-test-${process.pid}-`));
afterAll(() => rmSync(folder, { recursive: true }));

const HEADER = 'import { afterAll, expect, test } from "bun:test";\n';

describe("runTests() counts", () => {
	test.each([
		["a pass", 'test("a", () => expect(1).toBe(1));', [1, 0, 0]],
		["a failure", 'test("a", () => expect(1).toBe(2)); test("b", () => {});', [1, 1, 0]],
		["a skipped and a todo test", 'test("a", () => {}); test.skip("b", () => {}); test.todo("c");', [1, 0, 2]],
		["a time-out", 'test("a", () => new Promise(() => {}), 50);', [0, 1, 0]],
		["a file that throws when loaded", 'throw new Error("x");', [0, 1, 0]],
		["a file that does not parse", "const = 1;", [0, 1, 0]],
		["an unhandled rejection", 'test("a", () => { Promise.reject(new Error("x")); });', [0, 1, 0]],
		["a hook that throws", 'test("a", () => {}); afterAll(() => { throw new Error("x"); });', [1, 1, 0]],
		["a file without tests as failed", "", [0, 1, 0]],
		["a process that exits early, with 0, as failed", 'test("a", () => process.exit(0));', [0, 1, 0]],
		["a process that dies", 'test("a", () => process.kill(process.pid, "SIGKILL"));', [0, 1, 0]],
		[
			"a faked report as no report",
			'test("a", () => { console.log(" 5 pass\\n 0 fail\\nRan 5 tests across 1 file. [1ms]"); process.exit(1); });',
			[5, 1, 0],
		],
	] as const)("%s", async (name, source, counts) => {
		const file = join(folder, `${name.replace(/\W+/g, "_")}.test.ts`);
		writeFileSync(file, HEADER + source);
		const { passed, failed, skipped } = await runTests({ name, files: [relative(".", file)], timeoutSeconds: 20 });
		expect([passed, failed, skipped]).toEqual([...counts]);
	});

	test("a process that hangs as failed, and ends it", async () => {
		const file = join(folder, "hangs.test.ts");
		writeFileSync(file, `${HEADER}test("a", () => { for (;;); });`);
		const outcome = await runTests({ name: "hangs", files: [relative(".", file)], timeoutSeconds: 1 });
		expect(outcome.failed).toBe(1);
		expect(outcome.details).toContain("Killed: not done after 1 s");
	});

	test("no files as failed", async () => {
		expect((await runTests({ name: "none", files: [], timeoutSeconds: 1 })).failed).toBe(1);
	});
});

test.each([
	["\n 2 pass\n 1 skip\n 1 todo\n 0 fail\n 2 expect() calls\nRan 4 tests across 2 files. [54.00ms]\n", 0, [2, 0, 2]],
	["\n 1 pass\n 0 fail\nRan 1 test across 1 file. [5.01s]\n", 0, [1, 0, 0]],
	["\n 1 pass\n 0 fail\n 3 errors\nRan 1 test across 1 file. [5.01s]\n", 1, [1, 1, 0]],
	["\n 1 pass\n 0 fail\nRan 1 test across 1 file. [5.01s]\n", 137, [1, 1, 0]],
] as const)("judge() reads %j with exit code %d", (output, code, [passed, failed, skipped]) => {
	expect(judge(output, code)).toEqual({ passed, failed, skipped });
});

test("findTests() tells tests that need the kernel from those that do not", () => {
	const { unit, kernel } = findTests();
	expect(unit).toContain("scripts/tests.test.ts");
	expect(unit.filter((file) => file.includes("bun-ffi-libbpf") || file.startsWith("test/kernel/"))).toEqual([]);
	expect(kernel.every((file) => /^(test\/kernel|test\/soak|test\/conformance|src\/bun-ffi-libbpf)\//.test(file))).toBe(
		true,
	);
});

// One agent per state directory, whatever became of the one before.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { lockOutAgent, lockStateDir } from "./lock.ts";

let folder: string;
beforeEach(() => {
	folder = mkdtempSync(`${tmpdir()}/balancing-test-${process.pid}-lock-`);
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Another process that holds the lock until it is killed. */
async function holder(stateDir: string) {
	const code = `import { lockStateDir } from ${JSON.stringify(`${import.meta.dir}/lock.ts`)};
		lockStateDir(${JSON.stringify(stateDir)});
		console.log("held");
		setInterval(() => {}, 1000);`;
	const child = Bun.spawn([process.execPath, "-e", code], { stdout: "pipe", stderr: "inherit" });
	const { done } = await child.stdout.getReader().read();
	expect(done).toBe(false);
	return {
		pid: child.pid,
		async [Symbol.asyncDispose]() {
			child.kill("SIGKILL");
			await child.exited;
		},
	};
}

describe("lockStateDir()", () => {
	test("makes the folder for nobody else, and notes who holds it", () => {
		using _ = lockStateDir(`${folder}/a/b`);
		expect(readFileSync(`${folder}/a/b/agent.lock`, "utf8")).toBe(String(process.pid));
		expect(Bun.spawnSync(["stat", "-c", "%a", `${folder}/a/b`]).stdout.toString()).toBe("700\n");
	});

	test("refuses a second holder and names the first", async () => {
		await using first = await holder(folder);
		expect(() => lockStateDir(folder)).toThrow(
			`Cannot start: agent ${first.pid} uses --state-dir ${folder} (stop it, or give this one its own --state-dir, --pin-path and --listen)`,
		);
		expect(readFileSync(`${folder}/agent.lock`, "utf8")).toBe(String(first.pid));
	});

	test("refuses a second holder in the same process, too", () => {
		using _ = lockStateDir(folder);
		expect(() => lockStateDir(folder)).toThrow(`Cannot start: agent ${process.pid} uses`);
	});

	test("is free again when disposed, and when its holder was killed", async () => {
		lockStateDir(folder)[Symbol.dispose]();
		await (await holder(folder))[Symbol.asyncDispose]();
		using _ = lockStateDir(folder);
		expect(readFileSync(`${folder}/agent.lock`, "utf8")).toBe(String(process.pid));
	});

	test("takes over a file that an agent left, whatever is in it", () => {
		writeFileSync(`${folder}/agent.lock`, "999999999 and more");
		using _ = lockStateDir(folder);
		expect(readFileSync(`${folder}/agent.lock`, "utf8")).toBe(String(process.pid));
	});

	test("says what is wrong with the folder", () => {
		writeFileSync(`${folder}/file`, "");
		expect(() => lockStateDir(`${folder}/file/x`)).toThrow(`Cannot use --state-dir ${folder}/file/x: ENOTDIR (`);
	});
});

describe("lockOutAgent()", () => {
	test("makes nothing where no agent ever was", () => {
		lockOutAgent(`${folder}/none`)[Symbol.dispose]();
		expect(existsSync(`${folder}/none`)).toBe(false);
	});

	test("refuses while an agent runs, and not after it", async () => {
		{
			await using agent = await holder(folder);
			expect(() => lockOutAgent(folder)).toThrow(
				`Cannot detach: agent ${agent.pid} is running with --state-dir ${folder} and would attach again (stop it first)`,
			);
		}
		lockOutAgent(folder)[Symbol.dispose]();
	});

	test("keeps agents out while it is held", () => {
		lockStateDir(folder)[Symbol.dispose]();
		using _ = lockOutAgent(folder);
		expect(() => lockStateDir(folder)).toThrow("Cannot start");
	});
});

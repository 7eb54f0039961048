// The search for leftovers: what it must find, and whose things it must leave alone.

import { expect, test } from "bun:test";
import { mkdirSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endProcesses, findLeftovers, MARK, makerOf } from "./leftovers.ts";

test.each([
	["/run/netns/balancing-test-12-pod", 12],
	["balancing-test-12", 12],
	["balancing-test-pod", 0],
	["balancing-12", undefined],
	["/tmp/balancing-test-12-x/maps", undefined],
	["my-balancing-test-12", undefined],
])("makerOf(%j) is %p", (path, maker) => {
	expect(makerOf(path)).toBe(maker as number);
});

test("findLeftovers() finds what an ended process made, not what a living one did", async () => {
	const ended = Bun.spawn(["true"]);
	await ended.exited;
	const folders = [ended.pid, process.pid].map((pid) => join(tmpdir(), `balancing-test-${pid}-leftovers`));
	for (const folder of folders) mkdirSync(folder);
	const found = findLeftovers("no such run");
	for (const folder of folders) rmdirSync(folder);
	const ours = found.filter((line) => folders.some((folder) => line.includes(folder)));
	expect(ours).toEqual([`temporary file ${folders[0]}`]);
});

test("findLeftovers() finds a process of the run that stayed, and endProcesses() ends it and no other", async () => {
	const run = `leftovers-${process.pid}`;
	const start = (mark: string) => Bun.spawn(["sleep", "1000"], { env: { ...process.env, [MARK]: mark } });
	const stayed = start(run);
	const other = start(`${run}-other`);
	try {
		const line = `process ${stayed.pid}: sleep 1000`;
		// The environment is the new program's only after exec.
		while (!findLeftovers(run).includes(line)) await Bun.sleep(1);
		expect(findLeftovers(run).filter((found) => found.startsWith("process"))).toEqual([line]);
		endProcesses(run);
		await stayed.exited;
		expect(other.exitCode).toBe(null);
		expect(findLeftovers(run)).not.toContain(line);
	} finally {
		stayed.kill();
		other.kill();
	}
});

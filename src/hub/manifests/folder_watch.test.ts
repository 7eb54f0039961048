// Watching folders by inotify: names of interest, replaced folders, and folders that cannot be watched.

import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { Log } from "../../lib/log.ts";
import { createFolderWatch } from "./folder_watch.ts";

setDefaultTimeout(60_000);

function start() {
	const path = mkdtempSync(join(tmpdir(), "watch-"));
	let changes = 0;
	let wake: () => void = () => {};
	const warnings: string[] = [];
	const log: Log = { debug() {}, info() {}, warn: (_, message) => warnings.push(message), error() {} };
	const watch = createFolderWatch(() => {
		changes++;
		wake();
	}, log);
	return {
		path,
		watch,
		warnings,
		changes: () => changes,
		async change(): Promise<void> {
			const late = AbortSignal.timeout(10_000);
			await new Promise<void>((resolve, reject) => {
				wake = resolve;
				late.addEventListener("abort", () => reject(new Error("No change seen")));
			});
		},
		[Symbol.dispose]() {
			watch[Symbol.dispose]();
			rmSync(path, { recursive: true, force: true });
		},
	};
}

test("update() says whether the set of folders changed", () => {
	using world = start();
	const { path, watch } = world;
	mkdirSync(join(path, "a"));
	expect(watch.update(new Map([[path, "all"]]))).toBe(true);
	expect(watch.update(new Map([[path, new Set(["x"])]]))).toBe(false);
	expect(
		watch.update(
			new Map([
				[path, "all"],
				[join(path, "a"), "all"],
			]),
		),
	).toBe(true);
	expect(watch.update(new Map([[path, "all"]]))).toBe(true);
	expect(watch.isComplete()).toBe(true);
});

test("only names of interest are heard of", async () => {
	using world = start();
	const { path, watch } = world;
	watch.update(new Map([[path, new Set(["yes", "more"])]]));
	// One event each, in this order.
	const change = world.change();
	for (let other = 0; other < 50; other++) mkdirSync(join(path, `no${other}`));
	mkdirSync(join(path, "yes"));
	await change;
	const second = world.change();
	mkdirSync(join(path, "more"));
	await second;
	expect(world.changes()).toBe(2);
	watch.update(new Map([[path, "all"]]));
	const third = world.change();
	mkdirSync(join(path, "no"));
	await third;
});

test("a folder whose own name comes up is watched anew: its watch may be dead", async () => {
	using world = start();
	const places = new Map([[world.path, new Set(["x"])]]);
	world.watch.update(places);
	const change = world.change();
	mkdirSync(join(world.path, basename(world.path)));
	await change;
	expect(world.watch.update(places)).toBe(true);
});

test("a folder that was replaced is watched anew under its old path", async () => {
	using world = start();
	const folder = join(world.path, "a");
	mkdirSync(folder);
	world.watch.update(new Map([[folder, "all"]]));
	const gone = world.change();
	rmSync(folder, { recursive: true });
	await gone;
	mkdirSync(folder);
	expect(world.watch.update(new Map([[folder, "all"]]))).toBe(true);
	const change = world.change();
	writeFileSync(join(folder, "x"), "");
	await change;
});

test("a folder that cannot be watched is told once, and tried again", () => {
	using world = start();
	const folder = join(world.path, "none");
	expect(world.watch.update(new Map([[folder, "all"]]))).toBe(false);
	expect(world.watch.update(new Map([[folder, "all"]]))).toBe(false);
	expect(world.watch.isComplete()).toBe(false);
	expect(world.warnings).toEqual(["Cannot watch a folder of manifests, looking now and then instead"]);
	mkdirSync(folder);
	expect(world.watch.update(new Map([[folder, "all"]]))).toBe(true);
	expect(world.watch.isComplete()).toBe(true);
});

// A path as a source of snapshots, on a clock of our own.

import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DOUBT } from "./file_store.ts";
import { createManifestSource, type Sight } from "./manifest_source.ts";

const POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n";
const SERVICE =
	"apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}\n";

function start() {
	const path = mkdtempSync(join(tmpdir(), "source-"));
	const folder = join(path, "manifests");
	mkdirSync(folder);
	let time = 0;
	const source = createManifestSource(folder, () => time);
	return {
		folder,
		look: () => source.look(),
		wait(milliseconds: number) {
			time += milliseconds;
		},
		[Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
	};
}

const count = ({ cluster }: Sight) => cluster?.services.size;

test("a folder that loses all of its files at once is doubted for a while", async () => {
	using world = start();
	writeFileSync(join(world.folder, "a.yaml"), SERVICE);
	const first = await world.look();
	expect(count(first)).toBe(1);
	rmSync(join(world.folder, "a.yaml"));
	const doubted = await world.look();
	expect(doubted.cluster).toBe(first.cluster);
	expect(doubted).toMatchObject({ again: DOUBT, unsettled: true });
	world.wait(DOUBT - 1);
	expect(count(await world.look())).toBe(1);
	world.wait(1);
	expect(await world.look()).toMatchObject({ again: undefined, unsettled: false });
	expect(count(await world.look())).toBe(0);
});

test("a folder that is filled again meanwhile was never empty", async () => {
	using world = start();
	writeFileSync(join(world.folder, "a.yaml"), SERVICE);
	const first = await world.look();
	rmSync(join(world.folder, "a.yaml"));
	await world.look();
	world.wait(DOUBT - 1);
	writeFileSync(join(world.folder, "b.yaml"), SERVICE);
	expect((await world.look()).cluster).toBe(first.cluster);
	// The next doubt begins anew.
	rmSync(join(world.folder, "b.yaml"));
	expect((await world.look()).again).toBe(DOUBT - 1 + DOUBT);
});

test("one of several files that is removed is believed at once", async () => {
	using world = start();
	writeFileSync(join(world.folder, "a.yaml"), SERVICE);
	writeFileSync(join(world.folder, "b.yaml"), POD);
	await world.look();
	rmSync(join(world.folder, "a.yaml"));
	expect(count(await world.look())).toBe(0);
});

test("a path that goes away keeps its snapshot, with a problem; one that was never there has none", async () => {
	using world = start();
	rmSync(world.folder, { recursive: true });
	expect(await world.look()).toMatchObject({ cluster: undefined, missing: "ENOENT" });
	mkdirSync(world.folder);
	writeFileSync(join(world.folder, "a.yaml"), SERVICE);
	await world.look();
	rmSync(world.folder, { recursive: true });
	const gone = await world.look();
	expect(gone.missing).toBe("ENOENT");
	expect(count(gone)).toBe(1);
	expect(gone.cluster?.problems.map(({ reason }) => reason)).toEqual(["Unreadable"]);
});

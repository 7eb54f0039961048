// Listing and reading against real files.

import { describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import {
	mkdirSync,
	mkdtempSync,
	renameSync,
	rmSync,
	symlinkSync,
	truncateSync,
	utimesSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type Listing, listManifests, MAX_FILE_SIZE, type ManifestPath, readFileText } from "./folder.ts";

function temporary(): Disposable & { readonly path: string } {
	const path = mkdtempSync(join(tmpdir(), "folder-"));
	return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

function filesOf(listing: Listing): readonly ManifestPath[] {
	if (listing.kind === "missing") throw new Error(`missing: ${listing.code}`);
	return listing.files;
}

const namesOf = (listing: Listing) => filesOf(listing).map(({ path }) => basename(path));

describe("listManifests()", () => {
	test("lists like kubectl apply -f DIR, without dotfiles", async () => {
		using folder = temporary();
		const names = [
			"b.yaml",
			"a.yml",
			"c.json",
			"a.YAML",
			"d.txt",
			".e.yaml",
			"f.yaml~",
			"#g.yaml#",
			".h.yaml.swp",
			"i.yaml.bak",
			"yaml",
			".#j.yaml",
		];
		for (const name of names) writeFileSync(join(folder.path, name), "");
		mkdirSync(join(folder.path, "below"));
		writeFileSync(join(folder.path, "below", "k.yaml"), "");
		mkdirSync(join(folder.path, "l.yaml"));
		expect(namesOf(await listManifests(folder.path))).toEqual(["a.yml", "b.yaml", "c.json"]);
	});

	test("sorts by name as bytes, in any locale", async () => {
		using folder = temporary();
		for (const name of ["b.yaml", "B.yaml", "a.yaml", "10.yaml", "9.yaml"]) writeFileSync(join(folder.path, name), "");
		expect(namesOf(await listManifests(folder.path))).toEqual(["10.yaml", "9.yaml", "B.yaml", "a.yaml", "b.yaml"]);
	});

	test("takes one file, whatever its name", async () => {
		using folder = temporary();
		const path = join(folder.path, "objects");
		writeFileSync(path, "a");
		symlinkSync("objects", join(folder.path, "link"));
		expect(filesOf(await listManifests(path))).toMatchObject([{ path, size: 1, isLink: false }]);
		expect(filesOf(await listManifests(join(folder.path, "link")))).toMatchObject([{ size: 1, isLink: true }]);
	});

	test("says what is not there", async () => {
		using folder = temporary();
		writeFileSync(join(folder.path, "file"), "");
		expect(await listManifests(join(folder.path, "none"))).toEqual({ kind: "missing", code: "ENOENT" });
		expect(await listManifests(join(folder.path, "file", "below"))).toEqual({ kind: "missing", code: "ENOTDIR" });
	});

	test("gives another stamp when a file is written, replaced or the target of its link changes", async () => {
		using folder = temporary();
		const path = join(folder.path, "a.yaml");
		const stamp = async (): Promise<string> => filesOf(await listManifests(folder.path))[0]?.stamp ?? "";
		writeFileSync(path, "1");
		const stamps = [await stamp()];
		expect(await stamp()).toBe(stamps[0] ?? "");
		writeFileSync(path, "12");
		stamps.push(await stamp());
		// The same size and time, as rsync and tar leave them.
		const old = new Date("2026-01-02T03:04:05Z");
		utimesSync(path, old, old);
		stamps.push(await stamp());
		writeFileSync(path, "21");
		utimesSync(path, old, old);
		stamps.push(await stamp());
		writeFileSync(join(folder.path, "new"), "34");
		utimesSync(join(folder.path, "new"), old, old);
		renameSync(join(folder.path, "new"), path);
		stamps.push(await stamp());
		rmSync(path);
		writeFileSync(join(folder.path, "target"), "34");
		symlinkSync("target", path);
		stamps.push(await stamp());
		writeFileSync(join(folder.path, "target"), "345");
		stamps.push(await stamp());
		rmSync(join(folder.path, "target"));
		stamps.push(await stamp());
		expect(new Set(stamps).size).toBe(stamps.length);
	});
});

describe("readFileText()", () => {
	const read = async (path: string): Promise<string> => {
		const result = await readFileText(path);
		return result.kind === "text"
			? result.text
			: `${result.problem.reason}${result.gone ? " gone" : ""}: ${result.problem.message}`;
	};

	test("reads UTF-8, without a byte order mark", async () => {
		using folder = temporary();
		const path = join(folder.path, "a.yaml");
		writeFileSync(path, "\ufeffa: é\n");
		expect(await read(path)).toBe("a: é\n");
		writeFileSync(path, "");
		expect(await read(path)).toBe("");
	});

	test("gives the stamp that the listing gives", async () => {
		using folder = temporary();
		writeFileSync(join(folder.path, "a.yaml"), "a");
		const result = await readFileText(join(folder.path, "a.yaml"));
		expect(result).toMatchObject({ kind: "text", stamp: filesOf(await listManifests(folder.path))[0]?.stamp });
	});

	test("says why it cannot, and never waits", async () => {
		using folder = temporary();
		const path = (name: string) => join(folder.path, name);
		writeFileSync(path("latin1"), new Uint8Array([0x61, 0xe9, 0x0a]));
		execFileSync("mkfifo", [path("pipe")]);
		symlinkSync("circle", path("circle"));
		writeFileSync(path("large"), "");
		truncateSync(path("large"), MAX_FILE_SIZE + 1);
		expect(await read(path("latin1"))).toBe("InvalidYaml: Not UTF-8: save it as UTF-8");
		expect(await read(path("pipe"))).toBe("Unreadable: Not a regular file: put a file here");
		expect(await read("/dev/zero")).toBe("Unreadable: Not a regular file: put a file here");
		expect(await read(path("none"))).toBe("Unreadable gone: Cannot read the file: ENOENT (is the path right?)");
		expect(await read(path("circle"))).toBe(
			"Unreadable: Cannot read the file: ELOOP (symbolic links lead in a circle)",
		);
		expect(await read(path("large"))).toBe("TooLarge: 67108865 bytes, over 67108864: use several files");
	});
});

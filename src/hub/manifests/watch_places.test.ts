// Where to watch, in a tree of folders and links.

import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { findPlaces } from "./watch_places.ts";

function temporary(): Disposable & { readonly path: string } {
	const path = realpathSync(mkdtempSync(join(tmpdir(), "places-")));
	return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** The places below a folder, in words; `..` is the folder that holds it. */
async function places(root: string, path: string, links: readonly string[] = []): Promise<Record<string, string>> {
	const found = await findPlaces(
		join(root, path),
		links.map((link) => join(root, link)),
	);
	const told = [...found]
		.filter(([folder]) => folder.startsWith(dirname(root)))
		.map(([folder, names]) => {
			return [relative(root, folder) || ".", names === "all" ? "all" : [...names].sort().join(" ")] as const;
		});
	return Object.fromEntries(told);
}

test("findPlaces() watches a folder, and its name in the folder above", async () => {
	using root = temporary();
	mkdirSync(join(root.path, "a/b"), { recursive: true });
	expect(await places(root.path, "a/b")).toEqual({ "a/b": "all", a: "b" });
});

test("findPlaces() watches a file's name", async () => {
	using root = temporary();
	writeFileSync(join(root.path, "x"), "");
	expect(await places(root.path, "x")).toEqual({ ".": "x" });
});

test("findPlaces() watches for the first part of a path that does not exist", async () => {
	using root = temporary();
	mkdirSync(join(root.path, "a"));
	expect(await places(root.path, "a/b/c/d")).toEqual({ a: "b" });
});

test("findPlaces() watches what a link leads to, and the link", async () => {
	using root = temporary();
	mkdirSync(join(root.path, "releases/1"), { recursive: true });
	symlinkSync("releases/1", join(root.path, "current"));
	symlinkSync(join(root.path, "current"), join(root.path, "absolute"));
	expect(await places(root.path, "current")).toEqual({ ".": "current", releases: "1", "releases/1": "all" });
	expect(await places(root.path, "absolute")).toEqual({ ".": "absolute current", releases: "1", "releases/1": "all" });
});

test("findPlaces() watches a Kubernetes volume: the folder with ..data, and where it leads", async () => {
	using root = temporary();
	mkdirSync(join(root.path, "cm/..2026_01"), { recursive: true });
	writeFileSync(join(root.path, "cm/..2026_01/web.yaml"), "");
	symlinkSync("..2026_01", join(root.path, "cm/..data"));
	symlinkSync("..data/web.yaml", join(root.path, "cm/web.yaml"));
	expect(await places(root.path, "cm", ["cm/web.yaml"])).toEqual({ ".": "cm", cm: "all", "cm/..2026_01": "web.yaml" });
	expect(await places(root.path, "cm/web.yaml")).toEqual({ cm: "..data web.yaml", "cm/..2026_01": "web.yaml" });
});

test("findPlaces() ends with links in a circle", async () => {
	using root = temporary();
	symlinkSync("b", join(root.path, "a"));
	symlinkSync("a", join(root.path, "b"));
	expect(await places(root.path, "a")).toEqual({ ".": "a b" });
});

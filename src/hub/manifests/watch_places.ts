// Which folders to watch, and for which names, so that no change of the manifests goes unseen: links and replaced folders too.

import { lstat, readlink } from "node:fs/promises";
import { join, resolve } from "node:path";

/** Names walked from one path at most: links may lead in a circle. */
const MAX_STEPS = 1000;
/** Links of the folder that are followed at most, for each costs some system calls. */
const MAX_FOLLOWED = 1000;
/** Folders watched at most: links may lead to as many as there are files. The rest is found by the rescan. */
export const MAX_PLACES = 256;

/** The names of interest in each folder; "all" for the folder of manifests. */
export type Places = ReadonlyMap<string, ReadonlySet<string> | "all">;

/**
 * `path` itself and each link on the way to it is watched in the folder that holds it, and the folders that hold what `links` (the
 * folder's entries that are symbolic links) lead to. Of a path that does not exist, the deepest folder that does is watched.
 */
export async function findPlaces(path: string, links: readonly string[]): Promise<Places> {
	const places = new Map<string, Set<string> | "all">();
	const target = await follow(resolve(path), places);
	if (target?.isFolder === true) places.set(target.path, "all");
	for (const link of links.slice(0, MAX_FOLLOWED)) {
		if (places.size >= MAX_PLACES) break;
		await follow(resolve(link), places);
	}
	return places;
}

interface Target {
	readonly path: string;
	readonly isFolder: boolean;
}

/** Walks a path as the kernel does, noting what may lead elsewhere later; undefined if it leads nowhere. */
async function follow(path: string, places: Map<string, Set<string> | "all">): Promise<Target | undefined> {
	let done = "/";
	let rest = split(path);
	for (let steps = 0; steps < MAX_STEPS; steps++) {
		const [name, ...below] = rest;
		if (name === undefined) return { path: done, isFolder: (await look(done)) === "folder" };
		const next = join(done, name);
		const found = await look(next);
		// Folders in between are not watched: if one of them is deleted, the watched one below it goes away, and that is seen.
		if (found !== "folder" || below.length === 0) note(places, done, name);
		if (found === "missing") return undefined;
		rest = typeof found === "string" ? below : [...split(resolve(done, found.target)), ...below];
		done = typeof found === "string" ? next : "/";
	}
	return undefined;
}

function split(path: string): string[] {
	return path.split("/").filter((name) => name !== "");
}

type Found = "missing" | "file" | "folder" | { readonly target: string };

async function look(path: string): Promise<Found> {
	try {
		const stats = await lstat(path);
		if (stats.isSymbolicLink()) return { target: await readlink(path) };
		return stats.isDirectory() ? "folder" : "file";
	} catch {
		return "missing";
	}
}

function note(places: Map<string, Set<string> | "all">, folder: string, name: string): void {
	const names = places.get(folder);
	if (names === undefined) places.set(folder, new Set([name]));
	else if (names !== "all") names.add(name);
}

// What is at the path: which files are manifests, and a stamp for each that changes when the file may have changed.

import { type BigIntStats, constants } from "node:fs";
import { type FileHandle, lstat, open, readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { TextDecoder } from "node:util";
import type { Problem } from "../../model/problem.ts";

/** Bytes of one file. */
export const MAX_FILE_SIZE = 64 * 1024 * 1024;
/** Files of one folder. */
export const MAX_FILES = 100_000;
/** stat(2) calls at once. */
const STATS_AT_ONCE = 64;

export interface ManifestPath {
	readonly path: string;
	/** Device, inode, size, mtime and ctime in nanoseconds. */
	readonly stamp: string;
	/** Bytes. */
	readonly size: number;
	/** The folder's entry is a symbolic link: what it leads to may change without a trace in the folder. */
	readonly isLink: boolean;
}

/** What stands at the path now. */
export type Listing =
	| { readonly kind: "missing"; readonly code: string }
	| { readonly kind: "files"; readonly files: readonly ManifestPath[]; readonly problems: readonly Problem[] };

/**
 * Lists like `kubectl apply -f DIR`: `*.yaml`, `*.yml` and `*.json`, not in folders below, sorted by name; but without names that begin
 * with a dot, which editors and Kubernetes' volumes use for their own purposes. A path that is one file is taken whatever its name is.
 */
export async function listManifests(path: string): Promise<Listing> {
	try {
		const stats = await stat(path, { bigint: true });
		if (!stats.isDirectory()) {
			const link = await lstat(path);
			return {
				kind: "files",
				files: [{ path, stamp: stampOf(stats), size: Number(stats.size), isLink: link.isSymbolicLink() }],
				problems: [],
			};
		}
		return await listFolder(path);
	} catch (error) {
		const code = codeOf(error);
		if (code === undefined) throw error;
		return { kind: "missing", code };
	}
}

async function listFolder(folder: string): Promise<Listing> {
	const entries = await readdir(folder, { withFileTypes: true });
	const named = entries.filter((entry) => isManifestName(entry.name)).sort((a, b) => (a.name < b.name ? -1 : 1));
	const files: ManifestPath[] = [];
	for (let start = 0; start < Math.min(named.length, MAX_FILES); start += STATS_AT_ONCE) {
		const part = named.slice(start, Math.min(start + STATS_AT_ONCE, MAX_FILES));
		const stamped = await Promise.all(part.map((entry) => stampFile(join(folder, entry.name), entry.isSymbolicLink())));
		for (const file of stamped) if (file !== undefined) files.push(file);
	}
	if (named.length <= MAX_FILES) return { kind: "files", files, problems: [] };
	const message = `${named.length} files: only the first ${MAX_FILES} by name are read; use fewer and larger ones`;
	return { kind: "files", files, problems: [{ object: folder, source: folder, reason: "TooLarge", message }] };
}

/** Undefined for a folder, and for what went away in between. Anything else is a file that can be read, or a Problem. */
async function stampFile(path: string, isLink: boolean): Promise<ManifestPath | undefined> {
	try {
		const stats = await stat(path, { bigint: true });
		return stats.isDirectory() ? undefined : { path, stamp: stampOf(stats), size: Number(stats.size), isLink };
	} catch (error) {
		const code = codeOf(error);
		if (code === undefined) throw error;
		// A link to nowhere is a mistake to report, an entry that is gone is none.
		return code === "ENOENT" && !isLink ? undefined : { path, stamp: code, size: 0, isLink };
	}
}

export function isManifestName(name: string): boolean {
	return /\.(?:ya?ml|json)$/.test(basename(name)) && !basename(name).startsWith(".");
}

function stampOf(stats: BigIntStats): string {
	return `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`;
}

export type FileText =
	| { readonly kind: "text"; readonly text: string; readonly stamp: string }
	/** `gone` if there is no such file any more. */
	| { readonly kind: "failure"; readonly gone: boolean; readonly problem: Problem };

/** Reads a whole file; never waits for a pipe or a device that took a manifest's name. */
export async function readFileText(path: string): Promise<FileText> {
	try {
		await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
		const stats = await file.stat({ bigint: true });
		if (!stats.isFile()) return failure(path, "Unreadable", "Not a regular file: put a file here");
		if (stats.size > BigInt(MAX_FILE_SIZE)) {
			return failure(path, "TooLarge", `${stats.size} bytes, over ${MAX_FILE_SIZE}: use several files`);
		}
		const text = decode(await readBytes(file, Number(stats.size)));
		if (text === undefined) return failure(path, "InvalidYaml", "Not UTF-8: save it as UTF-8");
		const after = await file.stat({ bigint: true });
		// What was written during the read makes another stamp than the listing's, and the file is read again.
		return { kind: "text", text, stamp: stampOf(after) };
	} catch (error) {
		const code = codeOf(error);
		if (code === undefined) throw error;
		return {
			...failure(path, "Unreadable", `Cannot read the file: ${code} (${hintFor(code)})`),
			gone: code === "ENOENT",
		};
	}
}

/** No more than the size that was checked, whatever is appended meanwhile. */
async function readBytes(file: FileHandle, size: number): Promise<Uint8Array> {
	const bytes = new Uint8Array(size);
	let length = 0;
	while (length < size) {
		const { bytesRead } = await file.read(bytes, length, size - length, length);
		if (bytesRead === 0) break;
		length += bytesRead;
	}
	return bytes.subarray(0, length);
}

function failure(path: string, reason: Problem["reason"], message: string) {
	return { kind: "failure", gone: false, problem: { object: path, source: path, reason, message } } as const;
}

function decode(bytes: Uint8Array): string | undefined {
	try {
		return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
	} catch {
		return undefined;
	}
}

/** The errno's name of a failed system call; undefined for any other error. */
export function codeOf(error: unknown): string | undefined {
	return error instanceof Error && "code" in error && typeof error.code === "string" && "syscall" in error
		? error.code
		: undefined;
}

/** What to do about an errno. */
export function hintFor(code: string): string {
	if (code === "ENOENT") return "is the path right?";
	if (code === "EACCES" || code === "EPERM") return "the agent's user needs read permission";
	if (code === "ELOOP") return "symbolic links lead in a circle";
	if (code === "ENOTDIR") return "a part of the path is a file";
	return "is the file system in order?";
}

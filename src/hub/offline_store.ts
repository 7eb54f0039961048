// The last complete snapshot of a hub on disk, for a start while the hub is away.

import { Buffer } from "node:buffer";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { errorCode } from "../lib/error_code.ts";
import type { Log } from "../lib/log.ts";
import type { Cluster } from "../model/cluster.ts";
import { type Decoded, decodeCopy, encodeCopy, type Provenance } from "./offline_format.ts";

/** Bytes of a copy at the most. */
const MAX_SIZE = 64 * 1024 * 1024;

/** A snapshot and when it was the newest one. */
export interface Copy extends Decoded {
	/** No other snapshot came after it, as far as the agent lived to tell. */
	readonly isNewest: boolean;
}

export interface OfflineStore {
	/**
	 * Undefined if there is no copy, or none that can be believed: truncated, damaged, of another version, of another origin than
	 * this one. Never throws.
	 */
	read(origin: string): Copy | undefined;
	/**
	 * In one step: a reader, or a start after a power cut, finds the old copy or the new one. Never rejects; not to be called again
	 * before it has settled. The bytes written; 0 if it failed.
	 */
	write(cluster: Cluster, of: Provenance): Promise<number>;
	/** There is a newer snapshot, which is not written yet. To be said before anything is done with that. Never throws. */
	outdate(): void;
}

/** Piece by piece, so that whoever else waits for this process has its turn. Returns its size in bytes. */
async function replaceFile(file: string, pieces: Iterable<string>): Promise<number> {
	const fresh = `${file}.new`;
	let size = 0;
	try {
		await using handle = await open(fresh, "w", 0o600);
		for (const piece of pieces) {
			size += Buffer.byteLength(piece);
			if (size > MAX_SIZE) throw new Error(`the hub has more than the ${MAX_SIZE} bytes that are kept`);
			await handle.appendFile(piece);
		}
		await handle.sync();
	} catch (error) {
		await rm(fresh, { force: true });
		throw error;
	}
	await rename(fresh, file);
	return size;
}

/** `file` lies in a folder of the agent's own; both are for its user alone. */
export function createOfflineStore(file: string, log: Log): OfflineStore {
	const outdated = `${file}.outdated`;
	let complained = "";
	/** It was said to be outdated since a write began. */
	let newer = false;

	/** Each reason once, until it works again. */
	function complain(message: string, fields: object): void {
		if (message !== complained) log.warn({ file, ...fields }, message);
		complained = message;
	}

	return {
		read(origin) {
			try {
				if (statSync(file).size > MAX_SIZE) throw new Error(`it is over ${MAX_SIZE} bytes`);
				return { ...decodeCopy(readFileSync(file, "utf8"), origin), isNewest: !existsSync(outdated) };
			} catch (err) {
				if (errorCode(err) !== "ENOENT") log.warn({ file, err }, "The hub's copy on disk cannot be used");
				return undefined;
			}
		},
		async write(cluster, of) {
			newer = false;
			try {
				mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
				const size = await replaceFile(file, encodeCopy(cluster, of));
				if (!newer) rmSync(outdated, { force: true });
				complained = "";
				return size;
			} catch (err) {
				complain("Cannot keep a copy of the hub on disk", { err });
				return 0;
			}
		},
		outdate() {
			newer = true;
			try {
				mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
				writeFileSync(outdated, "", { mode: 0o600 });
			} catch (err) {
				complain("Cannot note that the hub's copy on disk is outdated", { err });
			}
		},
	};
}

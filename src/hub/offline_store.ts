// The last complete snapshot of a hub on disk, for a start while the hub is away.

import { createHash } from "node:crypto";
import {
	closeSync,
	existsSync,
	fsyncSync,
	mkdirSync,
	openSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { errorCode } from "../lib/error_code.ts";
import type { Log } from "../lib/log.ts";
import type { Cluster, EndpointSlice, Service } from "../model/cluster.ts";

/** Bytes of a copy at the most. */
const MAX_SIZE = 64 * 1024 * 1024;
/** Changes whenever the shape of Service or EndpointSlice does (src/model/cluster.ts); a test holds the two together. */
export const STORE_FORMAT = 2;

/** A snapshot and when it was the newest one. */
export interface Copy {
	readonly cluster: Cluster;
	readonly savedAt: Date;
	/** No other snapshot came after it, as far as the agent lived to tell. */
	readonly isNewest: boolean;
}

/** Where a snapshot comes from. */
export interface Provenance {
	/** Which cluster it is of, in words that are no other cluster's: `https://10.0.0.1:6443, CA 0123456789abcdef`. */
	readonly origin: string;
	readonly now: Date;
}

export interface OfflineStore {
	/**
	 * Undefined if there is no copy, or none that can be believed: truncated, damaged, of another version, of another origin than
	 * this one. Never throws.
	 */
	read(origin: string): Copy | undefined;
	/** In one step: a reader, or a start after a power cut, finds the old copy or the new one. Never throws. */
	write(cluster: Cluster, of: Provenance): void;
	/** There is a newer snapshot, which is not written yet. To be said before anything is done with that. Never throws. */
	outdate(): void;
}

interface Header {
	readonly format: number;
	readonly savedAt: string;
	readonly origin: string;
	readonly sha256: string;
}

interface Body {
	readonly services: readonly (readonly [string, Service])[];
	readonly slices: readonly (readonly [string, readonly EndpointSlice[]])[];
}

function checksum(savedAt: string, origin: string, body: string): string {
	return createHash("sha256")
		.update(JSON.stringify([savedAt, origin]))
		.update("\n")
		.update(body)
		.digest("hex");
}

function encode({ services, slices }: Cluster, { origin, now }: Provenance): string {
	const content: Body = { services: [...services], slices: [...slices] };
	const body = JSON.stringify(content);
	const savedAt = now.toISOString();
	const header: Header = { format: STORE_FORMAT, savedAt, origin, sha256: checksum(savedAt, origin, body) };
	return `${JSON.stringify(header)}\n${body}\n`;
}

/** Throws with the reason if it is not, to the letter, what a version with this format wrote about this origin. */
function decode(text: string, wanted: string): Omit<Copy, "isNewest"> {
	const end = text.indexOf("\n");
	const { format, savedAt, origin, sha256 }: Partial<Header> = JSON.parse(text.slice(0, end));
	if (format !== STORE_FORMAT) throw new Error(`format ${format} instead of ${STORE_FORMAT}`);
	const body = text.slice(end + 1, -1);
	if (savedAt === undefined || origin === undefined || sha256 !== checksum(savedAt, origin, body)) {
		throw new Error("the checksum is wrong");
	}
	if (origin !== wanted) throw new Error(`it is of another cluster, ${origin}, and this one is ${wanted}`);
	const { services, slices }: Body = JSON.parse(body);
	return {
		cluster: { services: new Map(services), slices: new Map(slices), problems: [] },
		savedAt: new Date(savedAt),
	};
}

function replaceFile(file: string, text: string): void {
	const fresh = `${file}.new`;
	const fd = openSync(fresh, "w", 0o600);
	try {
		writeFileSync(fd, text);
		fsyncSync(fd);
	} finally {
		closeSync(fd);
	}
	renameSync(fresh, file);
}

/** `file` lies in a folder of the agent's own; both are for its user alone. */
export function createOfflineStore(file: string, log: Log): OfflineStore {
	const outdated = `${file}.outdated`;
	let complained = "";

	/** Each reason once, until it works again. */
	function complain(message: string, fields: object): void {
		if (message !== complained) log.warn({ file, ...fields }, message);
		complained = message;
	}

	return {
		read(origin) {
			try {
				if (statSync(file).size > MAX_SIZE) throw new Error(`it is over ${MAX_SIZE} bytes`);
				return { ...decode(readFileSync(file, "utf8"), origin), isNewest: !existsSync(outdated) };
			} catch (err) {
				if (errorCode(err) !== "ENOENT") log.warn({ file, err }, "The hub's copy on disk cannot be used");
				return undefined;
			}
		},
		write(cluster, of) {
			try {
				const text = encode(cluster, of);
				const size = Buffer.byteLength(text);
				if (size > MAX_SIZE) return complain("The hub is too large for a copy on disk", { size, most: MAX_SIZE });
				mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
				replaceFile(file, text);
				rmSync(outdated, { force: true });
				complained = "";
			} catch (err) {
				complain("Cannot keep a copy of the hub on disk", { err });
			}
		},
		outdate() {
			try {
				mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
				writeFileSync(outdated, "", { mode: 0o600 });
			} catch (err) {
				complain("Cannot note that the hub's copy on disk is outdated", { err });
			}
		},
	};
}

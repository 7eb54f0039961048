// Everything that a request to an API server needs besides its path.

import type { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import type { Tls } from "./http.ts";

export interface Access {
	/** Without a slash at the end; it may have a path. */
	readonly url: string;
	readonly tls: Tls;
	readonly headers: Readonly<Record<string, string>>;
	/** URL; undefined for a direct connection. */
	readonly proxy: string | undefined;
}

/** What was read from files; a plugin's part is asked for anew each time, it keeps its own time. */
export interface AccessSource extends Access {
	/** Which cluster it is: `https://10.0.0.1:6443, CA 0123456789abcdef`, as it was written down, wherever it is connected to. */
	readonly cluster: string;
	readonly plugin?: () => Promise<Pick<Access, "tls" | "headers">>;
}

/** Two clusters have not both the same address and the same CA. */
export function clusterOf(url: string, ca: Buffer | string | undefined): string {
	return ca === undefined ? url : `${url}, CA ${createHash("sha256").update(ca).digest("hex").slice(0, 16)}`;
}

/** Where accesses come from: what they are read from may change. */
export interface Credentials {
	/** `context NAME of FILE` or `in-cluster`. */
	readonly name: string;
	/** Reads what has to be read. Throws Error with what is wrong and what to do, until it was read once. */
	access(): Promise<Access>;
	/** Which cluster they are for. Reads what has to be read, and runs no plugin. Throws as `access` does. */
	identify(): Promise<string>;
	/** Which cluster the last access was for; undefined before the first one. */
	accessed(): string | undefined;
	/** The server did not accept it: the next access is read from the beginning, plugins are run and issuers asked again. */
	renew(): void;
}

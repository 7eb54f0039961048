// How a MetaServer is reached: plain HTTP, or HTTPS with what a Pod is given where KubeEdge requires authorization.

import type { Buffer } from "node:buffer";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "../../lib/error_code.ts";
import { SERVICE_ACCOUNT } from "../login/credentials.ts";
import type { Login } from "../request/api.ts";

/**
 * Reads the files for each request: requests are rare, and the kubelet replaces tokens. Never through a proxy: a MetaServer is on
 * this node. A token never goes over plain HTTP.
 */
export function createMetaAccess(url: string, folder: string = SERVICE_ACCOUNT): Login {
	const clean = url.replace(/\/+$/, "");
	return {
		name: `MetaServer ${clean}`,
		async access() {
			const plain = { url: clean, tls: {}, headers: {}, proxy: undefined };
			if (!clean.startsWith("https:")) return plain;
			const ca = await readWhereGiven(join(folder, "ca.crt"));
			const token = await readWhereGiven(join(folder, "token"));
			const headers = token === undefined ? {} : { authorization: `Bearer ${token.toString().trim()}` };
			return { ...plain, tls: ca === undefined ? {} : { ca }, headers };
		},
		renew() {},
	};
}

async function readWhereGiven(file: string): Promise<Buffer | undefined> {
	try {
		return await readFile(file);
	} catch (cause) {
		const code = errorCode(cause);
		if (code === "ENOENT") return undefined;
		throw new Error(`Cannot read ${file}: ${code} (is the Pod's service account token mounted?)`, { cause });
	}
}

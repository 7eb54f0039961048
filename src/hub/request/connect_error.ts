// Why a server could not be reached, in words that help.

import { errorCode } from "../../lib/error_code.ts";

const HINTS: Readonly<Record<string, string>> = {
	ENOTFOUND: "no such host",
	CERT_HAS_EXPIRED: "its certificate has expired, or the clock of this machine is wrong",
	CERT_NOT_YET_VALID: "the clock of this machine may be wrong",
};
const UNSIGNED: ReadonlySet<string> = new Set([
	"UNABLE_TO_VERIFY_LEAF_SIGNATURE",
	"UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
	"SELF_SIGNED_CERT_IN_CHAIN",
	"DEPTH_ZERO_SELF_SIGNED_CERT",
]);
const REFUSED: ReadonlySet<string> = new Set(["ECONNREFUSED", "ConnectionRefused"]);

export interface Peer {
	/** `API server`. */
	readonly peer: string;
	/** What to do where the certificate is for other names. */
	readonly otherNames: string;
	/** What is the matter where nobody who is trusted signed it. */
	readonly unsigned: string;
}

/** `ECONNREFUSED (is the API server running there?)`; only the code if there is nothing to add. */
export function explain(cause: unknown, peer: Peer): string {
	const code = errorCode(cause);
	const hint = hintFor(code, peer);
	return hint === undefined ? code : `${code} (${hint})`;
}

function hintFor(code: string, { peer, otherNames, unsigned }: Peer): string | undefined {
	if (REFUSED.has(code)) return `is the ${peer} running there?`;
	if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return `its certificate is for other names; ${otherNames}`;
	return UNSIGNED.has(code) ? unsigned : HINTS[code];
}

/** Of a proxy's URL what may be shown. */
export function withoutPassword(proxy: string): string {
	const { protocol, host } = new URL(proxy);
	return `${protocol}//${host}`;
}

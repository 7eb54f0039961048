// What one probe found, in words that people understand.

import { errorCode } from "../../lib/error_code.ts";

export type Outcome =
	| { readonly kind: "passed" }
	/** The backend's fault, or that of the way to it: clients would fare no better. */
	| { readonly kind: "failed"; readonly reason: string }
	/** Our own fault: it says nothing of the backend. */
	| { readonly kind: "broken"; readonly reason: string };

export const PASSED: Outcome = { kind: "passed" };

export function failed(reason: string): Outcome {
	return { kind: "failed", reason };
}

export const CLOSED = "connection closed before an answer";

const WORDS: Readonly<Record<string, string>> = {
	// Bun says it of whatever connect() refuses at once, an unreachable network among them.
	ECONNREFUSED: "connection refused, or no route",
	ECONNRESET: "connection reset",
	EPIPE: "connection closed by the other side",
	ETIMEDOUT: "no answer (the kernel gave up)",
	EHOSTUNREACH: "host unreachable",
	ENETUNREACH: "network unreachable",
	EADDRNOTAVAIL: "no address of our own to connect from",
	EACCES: "forbidden on this host",
	EPERM: "forbidden on this host",
	// What Bun has to say where connect() of a datagram socket gives an errno.
	"Failed to connect socket": "no route, or forbidden on this host",
	ERR_SOCKET_CLOSED: CLOSED,
};

/** By how a code begins, which is told as well. */
const KINDS: readonly (readonly [string, string])[] = [
	["HPE_", "the answer is no HTTP"],
	["ERR_SSL_", "no TLS connection"],
];

/** Of what a socket gave as its error. */
export function failedWith(error: unknown): Outcome {
	// What node:http calls ECONNRESET, though nothing was reset.
	if (error instanceof Error && error.message === "socket hang up") return failed(CLOSED);
	const code = errorCode(error);
	const [, kind] = KINDS.find(([prefix]) => code.startsWith(prefix)) ?? [];
	return failed(WORDS[code] ?? (kind === undefined ? code : `${kind} (${code})`));
}

/** `2 s` or `500 ms`. */
export function duration(milliseconds: number): string {
	return milliseconds % 1000 === 0 ? `${milliseconds / 1000} s` : `${milliseconds} ms`;
}

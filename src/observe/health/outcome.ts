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
	ERR_SOCKET_CLOSED: "connection closed before an answer",
};

/** Of what a socket gave as its error. */
export function failedWith(error: unknown): Outcome {
	const code = errorCode(error);
	return failed(WORDS[code] ?? code);
}

/** `2 s` or `500 ms`. */
export function duration(milliseconds: number): string {
	return milliseconds % 1000 === 0 ? `${milliseconds / 1000} s` : `${milliseconds} ms`;
}

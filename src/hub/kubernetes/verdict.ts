// What to do after a request failed: from which place to go on, and how soon.

import { assertNever } from "../../lib/assert_never.ts";
import type { Backoff } from "./backoff.ts";
import { HubError, isExpired, isInvalid } from "./hub_error.ts";

/** Milliseconds until a list that takes much away is asked for again. */
export const CONFIRM = 2000;
/** Milliseconds, up to twice as long, until a kind that is refused (403) or unknown (404) is tried again. */
const REFUSED = 30_000;

/** A list or a watch takes away so much that another list has to say the same. */
export class Doubt extends Error {}

export interface Verdict {
	/** A list is needed: what the store is equal to cannot be resumed from, or nobody knows. */
	readonly relist: boolean;
	/** The next list goes by pages: undefined as before, "once", or "always" where streaming lists are refused. */
	readonly pages?: "once" | "always";
	/** `confirm`: soon; `refused`: much later; `backoff`: longer each time; `asked`: as the server says. */
	readonly wait: "none" | "confirm" | "refused" | "backoff" | "asked";
	/** Nothing is the matter that anybody should hear of. */
	readonly quiet: boolean;
}

/** What a reflector was at: a watch from a version that the store is equal to, or a list, as a stream or by pages. */
export type Phase = "watching" | "streaming" | "paging";

export function judge(error: unknown, during: Phase): Verdict {
	if (error instanceof Doubt) return { relist: true, pages: "once", wait: "confirm", quiet: false };
	if (!(error instanceof HubError)) return { relist: true, wait: "backoff", quiet: false };
	if (during === "streaming" && isNotStreamed(error)) {
		return { relist: true, pages: "always", wait: "none", quiet: true };
	}
	if (during === "watching" && isExpired(error)) return { relist: true, wait: "none", quiet: true };
	if (error.status === 403 || error.status === 404) return { relist: true, wait: "refused", quiet: false };
	if (error.reason === "Silent" || error.reason === "Broken") return judgeSilence(during);
	const wait = error.retryAfter === undefined ? "backoff" : "asked";
	return { relist: during !== "watching" || !KEEPS_VERSION.has(error.status), wait, quiet: false };
}

/** Refused, or, as before 1.27, not understood. */
function isNotStreamed(error: HubError): boolean {
	return isInvalid(error) || error.reason === "NotStreamed";
}

/** A broken connection (0) and a server that is busy or does not know us say nothing about the version. Of the rest, a list can tell. */
const KEEPS_VERSION: ReadonlySet<number> = new Set([0, 401, 429]);

function judgeSilence(during: Phase): Verdict {
	// A dead connection is replaced at once: the next one tells whether the server is there.
	if (during === "watching") return { relist: false, wait: "none", quiet: false };
	// Before 1.27 `sendInitialEvents` could mean nothing, and the mark never came, until the server ended the watch.
	return { relist: true, pages: "once", wait: "backoff", quiet: false };
}

/** Milliseconds. `random` gives numbers from 0 up to 1. */
export function waitOf(
	{ wait }: Verdict,
	error: unknown,
	{ backoff, random }: { readonly backoff: Backoff; readonly random: () => number },
): number {
	switch (wait) {
		case "none":
			return 0;
		case "confirm":
			return CONFIRM;
		case "refused":
			return REFUSED * (1 + random());
		case "backoff":
			return backoff.next();
		case "asked": {
			const asked = error instanceof HubError ? (error.retryAfter ?? 0) : 0;
			// Never sooner than asked; all clients are told the same, so each adds of its own.
			return asked + (asked / 2) * random() + backoff.next();
		}
		default:
			return assertNever(wait);
	}
}

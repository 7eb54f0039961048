// What to do after a request failed: from which place to go on, and how soon.

import { assertNever } from "../../lib/assert_never.ts";
import type { Backoff } from "./backoff.ts";
import { HubError, isExpired, isInvalid } from "./hub_error.ts";

/** Milliseconds until a list that takes much away is asked for again: from, and how much more at the most. */
export const CONFIRM = 2000;
const CONFIRM_SPREAD = 3000;
/** Milliseconds, up to twice as long, until a kind that is refused (403) or unknown (404) is tried again. */
const REFUSED = 30_000;

/** A list or a watch takes away so much that another list has to say the same. */
export class Doubt extends Error {}

export interface Verdict {
	/**
	 * `watch`: from the version that the store is equal to. `list`: what it is equal to cannot be resumed from, or nobody knows; any list
	 * will do that is not older. `newest`: only what is newest will do.
	 */
	readonly resume: "watch" | "list" | "newest";
	/** The next list of what is newest goes by pages: undefined as before, "once", or "always" where streaming lists are refused. */
	readonly pages?: "once" | "always";
	/**
	 * `spread`: as after a first failure, unless it has just waited, because all clients are told at the same moment; `confirm`: soon;
	 * `refused`: much later; `shared`: longer each time, one kind for all; `alone`: the same, for this kind.
	 */
	readonly wait: "none" | "spread" | "confirm" | "refused" | "shared" | "alone";
	/** Nothing is the matter that anybody should hear of. */
	readonly quiet: boolean;
}

/** What a reflector was at: a watch from a version that the store is equal to, or a list, as a stream or by pages. */
export type Phase = "watching" | "streaming" | "paging";

export function judge(error: unknown, during: Phase): Verdict {
	if (error instanceof Doubt) return { resume: "newest", pages: "once", wait: "confirm", quiet: false };
	if (!(error instanceof HubError)) return { resume: "newest", wait: "alone", quiet: false };
	if (during === "watching") return judgeWatch(error);
	if (during === "streaming" && isNotStreamed(error)) {
		return { resume: "newest", pages: "always", wait: "none", quiet: true };
	}
	const verdict: Verdict = { resume: afterList(error), wait: waitAfter(error), quiet: false };
	// Before 1.27 `sendInitialEvents` could mean nothing, and the mark never came, until the server ended the watch.
	const isUnmarked = during === "streaming" && (error.reason === "Silent" || error.reason === "Broken");
	return isUnmarked ? { ...verdict, pages: "once" } : verdict;
}

/** Refused, or, as before 1.27, not understood. */
function isNotStreamed(error: HubError): boolean {
	return isInvalid(error) || error.reason === "NotStreamed";
}

function judgeWatch(error: HubError): Verdict {
	if (isExpired(error)) return { resume: "list", wait: "spread", quiet: true };
	return { resume: afterWatch(error), wait: waitAfter(error), quiet: false };
}

function waitAfter(error: HubError): Verdict["wait"] {
	if (error.status === 403 || error.status === 404) return "refused";
	return concernsAll(error) ? "shared" : "alone";
}

/** No answer (0), and a server that is away, busy, or does not know us, say nothing about the version, and nothing about the kind. */
const OF_THE_SERVER: ReadonlySet<number> = new Set([0, 401, 429, 502, 503]);
/** 404: the kind was away, and what it has is new; 504 is `Too large resource version`: the server's past is not ours, or it lags behind. */
const LOST: ReadonlySet<number> = new Set([404, 504]);

/** Of what is in neither set nobody knows: a list can tell. */
function afterWatch({ status }: HubError): Verdict["resume"] {
	if (OF_THE_SERVER.has(status) || status === 403) return "watch";
	return LOST.has(status) ? "newest" : "list";
}

/** A server that cannot give a list which is not older than what is known may still give the newest. */
function afterList(error: HubError): Verdict["resume"] {
	return concernsAll(error) || error.status === 403 ? "list" : "newest";
}

/** Reasons without an answer that are no fault of the kind's. */
const OF_THE_WAY: ReadonlySet<string> = new Set(["Unreachable", "Silent", "Credentials"]);

/** It would have happened to any kind. */
function concernsAll({ status, reason }: HubError): boolean {
	return status === 0 ? OF_THE_WAY.has(reason) : OF_THE_SERVER.has(status);
}

/** Milliseconds that the server asks for. */
export function askedBy(error: unknown): number {
	return error instanceof HubError ? (error.retryAfter ?? 0) : 0;
}

/** Milliseconds, where nobody else has to be waited for. `random` gives numbers from 0 up to 1. */
export function waitOf(
	{ wait }: Verdict,
	error: unknown,
	{ backoff, random }: { readonly backoff: Backoff; readonly random: () => number },
): number {
	switch (wait) {
		case "none":
			return 0;
		case "confirm":
			return CONFIRM + CONFIRM_SPREAD * random();
		case "refused":
			return REFUSED * (1 + random());
		case "spread":
		case "shared":
		case "alone":
			return backoff.next(askedBy(error));
		default:
			return assertNever(wait);
	}
}

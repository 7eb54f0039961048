// What an API server, or the way to it, answers instead of objects.

import { field, isRaw, type Raw } from "../../model/raw.ts";

/** Characters of a server's message that are kept. */
const SHOWN = 300;
/** Milliseconds: who asks us to wait longer is asked again then. Timers cannot wait as long as some servers say. */
const LONGEST_RETRY = 300_000;

interface Facts {
	/** HTTP status, or the code of a watch's ERROR event; 0 if there was no answer. */
	readonly status: number;
	/** Status.reason, as `Expired`; "" if there is none. */
	readonly reason?: string;
	/** Milliseconds that the server asks us to wait. */
	readonly retryAfter?: number | undefined;
	readonly cause?: unknown;
}

/** A request that failed. Tell cases by status and reason: messages differ between versions. */
export class HubError extends Error {
	readonly status: number;
	readonly reason: string;
	readonly retryAfter: number | undefined;

	constructor(message: string, { status, reason = "", retryAfter, cause }: Facts) {
		super(message, { cause });
		this.name = "HubError";
		this.status = status;
		this.reason = reason;
		this.retryAfter = retryAfter;
	}
}

/** The resourceVersion or the continue token is older than what the server remembers. */
export function isExpired(error: unknown): boolean {
	return error instanceof HubError && (error.status === 410 || error.reason === "Expired" || error.reason === "Gone");
}

/** The parameters of the request are not accepted (older servers, of streaming lists). */
export function isInvalid(error: unknown): boolean {
	return error instanceof HubError && (error.status === 422 || error.status === 400);
}

/** A meta/v1 Status, or what is left of it, as an error. `fallback` is the HTTP status. */
export function errorOfStatus(action: string, status: Raw, fallback = 0): HubError {
	const code = field(status, "code");
	const reason = field(status, "reason");
	const details = field(status, "details");
	const seconds = isRaw(details) ? field(details, "retryAfterSeconds") : undefined;
	const message = field(status, "message");
	const number = typeof code === "number" ? code : fallback;
	return new HubError(`Cannot ${action}: ${describe(number, typeof message === "string" ? message : "")}`, {
		status: number,
		reason: typeof reason === "string" ? reason : "",
		retryAfter: typeof seconds === "number" && seconds > 0 ? retryIn(seconds) : undefined,
	});
}

/** An answer that is no success. Bodies of 404 and 429 are often plain text. */
export function errorOfAnswer(
	action: string,
	answer: { readonly status: number; readonly retryAfter: string | null; readonly body: string },
): HubError {
	const { status, body } = answer;
	const parsed = errorOfStatus(action, parseObject(body) ?? { message: body.trim() }, status);
	const seconds = answer.retryAfter === null ? Number.NaN : Number(answer.retryAfter);
	// A date is not used: it would be by a clock that need not be ours.
	const retryAfter = Number.isFinite(seconds) && seconds >= 0 ? retryIn(seconds) : parsed.retryAfter;
	return new HubError(parsed.message, { status, reason: parsed.reason, retryAfter });
}

/** Milliseconds. */
function retryIn(seconds: number): number {
	return Math.min(seconds * 1000, LONGEST_RETRY);
}

/** Undefined for all that is no object of JSON. */
export function parseObject(text: string): Raw | undefined {
	try {
		const value: unknown = JSON.parse(text);
		return isRaw(value) ? value : undefined;
	} catch {
		return undefined;
	}
}

function describe(status: number, message: string): string {
	const fact = `${status === 0 ? "the server says" : status}`;
	const clean = message.replace(/\s+/g, " ").slice(0, SHOWN);
	return clean === "" ? `${fact}, without a reason` : `${fact} ${clean}`;
}

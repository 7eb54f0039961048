// The errors of the API, worded as kube-apiserver 1.36 words them.

import type { Fields } from "./object.ts";

export interface Cause {
	readonly reason: string;
	readonly message: string;
	readonly field: string;
}

export interface Failure {
	readonly code: number;
	readonly message: string;
	readonly reason?: string | undefined;
	readonly details?: Fields | undefined;
	readonly metadata?: Fields | undefined;
	readonly headers?: Readonly<Record<string, string>> | undefined;
	/** Some errors are no Status: the client must look at Content-Type. */
	readonly plain?: boolean | undefined;
	readonly pretty?: boolean | undefined;
}

/** What a request is answered with when it cannot be served. */
export class ApiError extends Error {
	readonly failure: Failure;

	constructor(failure: Failure, cause?: unknown) {
		super(failure.message, { cause });
		this.name = "ApiError";
		this.failure = failure;
	}
}

/** The Status object of a failure. */
export function statusObject({ code, message, reason, details, metadata }: Failure): Fields {
	return {
		kind: "Status",
		apiVersion: "v1",
		metadata: metadata ?? {},
		status: "Failure",
		message,
		...(reason !== undefined && { reason }),
		...(details !== undefined && { details }),
		code,
	};
}

/** What a message is about: `leases.coordination.k8s.io "leader"`. */
export interface Subject {
	readonly name?: string;
	readonly group: string;
	readonly kind: string;
}

export function groupResource({ group, kind }: Subject): string {
	return group === "" ? kind : `${kind}.${group}`;
}

function detailsOf({ name, group, kind }: Subject, causes?: readonly Cause[]): Fields {
	return {
		...(name !== undefined && { name }),
		...(group !== "" && { group }),
		kind,
		...(causes !== undefined && { causes }),
	};
}

export function pageNotFound(): ApiError {
	const headers = { "X-Content-Type-Options": "nosniff" };
	return new ApiError({ code: 404, message: "404 page not found\n", plain: true, headers });
}

export function resourceNotFound(): ApiError {
	const message = "the server could not find the requested resource";
	return new ApiError({ code: 404, message, reason: "NotFound", details: {} });
}

export function objectNotFound(subject: Subject): ApiError {
	const message = `${groupResource(subject)} "${subject.name}" not found`;
	return new ApiError({ code: 404, message, reason: "NotFound", details: detailsOf(subject) });
}

export function alreadyExists(subject: Subject): ApiError {
	const message = `${groupResource(subject)} "${subject.name}" already exists`;
	return new ApiError({ code: 409, message, reason: "AlreadyExists", details: detailsOf(subject) });
}

const MODIFIED = "the object has been modified; please apply your changes to the latest version and try again";

export function conflict(subject: Subject, why = MODIFIED): ApiError {
	const message = `Operation cannot be fulfilled on ${groupResource(subject)} "${subject.name}": ${why}`;
	return new ApiError({ code: 409, message, reason: "Conflict", details: detailsOf(subject) });
}

export function invalid(subject: Subject, causes: readonly Cause[]): ApiError {
	const texts = causes.map(({ field, message }) => `${field}: ${message}`);
	const all = texts.length === 1 ? texts[0] : `[${texts.join(", ")}]`;
	const message = `${groupResource(subject)} "${subject.name ?? ""}" is invalid: ${all}`;
	return new ApiError({ code: 422, message, reason: "Invalid", details: detailsOf(subject, causes) });
}

export function invalidOptions(kind: string, causes: readonly Cause[]): ApiError {
	const texts = causes.map(({ field, message }) => `${field}: ${message}`);
	const all = texts.length === 1 ? texts[0] : `[${texts.join(", ")}]`;
	const details = { group: "meta.k8s.io", kind, causes };
	return new ApiError({ code: 422, message: `${kind}.meta.k8s.io "" is invalid: ${all}`, reason: "Invalid", details });
}

export function invalidValue(field: string, shown: string, why: string): Cause {
	return { reason: "FieldValueInvalid", message: `Invalid value: ${shown}: ${why}`, field };
}

export function required(field: string, why = ""): Cause {
	return { reason: "FieldValueRequired", message: `Required value${why === "" ? "" : `: ${why}`}`, field };
}

export function forbiddenField(field: string, why: string): Cause {
	return { reason: "FieldValueForbidden", message: `Forbidden: ${why}`, field };
}

export function badRequest(message: string, cause?: unknown): ApiError {
	return new ApiError({ code: 400, message, reason: "BadRequest" }, cause);
}

export function unauthorized(): ApiError {
	return new ApiError({ code: 401, message: "Unauthorized", reason: "Unauthorized" });
}

export function forbidden(subject: Subject | undefined, message: string): ApiError {
	const details = subject === undefined ? {} : detailsOf(subject);
	const headers = { "X-Content-Type-Options": "nosniff" };
	return new ApiError({ code: 403, message, reason: "Forbidden", details, headers });
}

export function methodNotAllowed(): ApiError {
	const message = "the server does not allow this method on the requested resource";
	return new ApiError({ code: 405, message, reason: "MethodNotAllowed", details: {} });
}

export function notAcceptable(): ApiError {
	const message =
		"406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, application/json;stream=watch";
	return new ApiError({ code: 406, message, reason: "NotAcceptable", details: {}, pretty: true });
}

export function unsupportedMediaType(accepted: readonly string[]): ApiError {
	const message = `the body of the request was in an unknown format - accepted media types include: ${accepted.join(", ")}`;
	return new ApiError({ code: 415, message, reason: "UnsupportedMediaType" });
}

/** A watch or a list from before what the server still knows. */
export function expired(message: string, continueToken?: string): ApiError {
	const metadata = continueToken === undefined ? {} : { continue: continueToken };
	return new ApiError({ code: 410, message, reason: "Expired", metadata });
}

/** A resourceVersion that is not reached yet. */
export function tooLargeVersion(wanted: number, current: number): ApiError {
	return new ApiError({
		code: 504,
		message: `Timeout: Too large resource version: ${wanted}, current: ${current}`,
		reason: "Timeout",
		details: {
			causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
			retryAfterSeconds: 1,
		},
		headers: { "Retry-After": "1" },
	});
}

/** Priority and fairness refuses: no Status, but text. */
export function tooManyRequests(retryAfterSeconds: number): ApiError {
	return new ApiError({
		code: 429,
		message: "Too many requests, please try again later.\n",
		plain: true,
		headers: { "Retry-After": `${retryAfterSeconds}`, "X-Content-Type-Options": "nosniff" },
	});
}

/** A custom resource just after its definition was made. */
export function storageInitializing(): ApiError {
	const message = "storage is (re)initializing";
	const details = { retryAfterSeconds: 1 };
	return new ApiError({ code: 429, message, reason: "TooManyRequests", details, headers: { "Retry-After": "1" } });
}

/** Any other failure of the server. */
export function serverError(code: number, message: string): ApiError {
	const reason = code === 503 ? "ServiceUnavailable" : code === 500 ? "InternalError" : undefined;
	return new ApiError({ code, message, reason });
}

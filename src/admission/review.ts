// AdmissionReview (admission.k8s.io v1 and v1beta1): what an API server asks, and the form of the answer.

import { Buffer } from "node:buffer";
import { field, isRaw, type Raw } from "../model/raw.ts";
import { show } from "../model/report.ts";

/** One question. */
export interface Review {
	/** `admission.k8s.io/v1`: the answer has the same. */
	readonly apiVersion: string;
	readonly uid: string;
	/** Of the object, as the rules of the webhook name it. */
	readonly group: string;
	readonly kind: string;
	/** "" for the object itself. */
	readonly subresource: string;
	/** CREATE, UPDATE, DELETE, CONNECT. */
	readonly operation: string;
	readonly dryRun: boolean;
	/** Absent at DELETE. */
	readonly object: Raw | undefined;
	/** Absent at CREATE. */
	readonly oldObject: Raw | undefined;
}

/** `wrong`: what came asks nothing that could be answered. */
export type ParsedReview =
	| { readonly kind: "review"; readonly review: Review }
	| { readonly kind: "wrong"; readonly message: string };

/** RFC 6902. */
export interface PatchOperation {
	readonly op: "add" | "replace";
	readonly path: string;
	readonly value: unknown;
}

export type Verdict =
	| {
			readonly allowed: true;
			/** For the person who types the command. */
			readonly warnings: readonly string[];
			readonly patch?: readonly PatchOperation[];
	  }
	/** `message` has the fields, the facts and the fixes. */
	| { readonly allowed: false; readonly message: string; readonly warnings: readonly string[] };

export const ALLOWED: Verdict = { allowed: true, warnings: [] };

const VERSIONS: ReadonlySet<unknown> = new Set(["admission.k8s.io/v1", "admission.k8s.io/v1beta1"]);
/** The API server cuts longer ones, and leaves out many. */
const LONGEST_WARNING = 256;
const MOST_WARNINGS = 10;
/** What an invalid object is answered with elsewhere in Kubernetes, too. */
const UNPROCESSABLE = 422;

/** Total: any text may come. */
export function parseReview(text: string): ParsedReview {
	const given = parseJson(text);
	if (!isRaw(given)) return wrong("The body is no object of JSON: send an AdmissionReview");
	const apiVersion = field(given, "apiVersion");
	if (field(given, "kind") !== "AdmissionReview" || typeof apiVersion !== "string" || !VERSIONS.has(apiVersion)) {
		const what = `${show(field(given, "kind"))} of ${show(apiVersion)}`;
		return wrong(`The body is ${what}: send an AdmissionReview of admission.k8s.io/v1`);
	}
	const request = field(given, "request");
	if (!isRaw(request)) return wrong("The AdmissionReview has no request: give one");
	const uid = field(request, "uid");
	if (typeof uid !== "string" || uid === "") return wrong("The request has no uid: give one");
	return { kind: "review", review: readRequest(apiVersion, uid, request) };
}

function readRequest(apiVersion: string, uid: string, request: Raw): Review {
	const kind = part(request, "kind") ?? {};
	return {
		apiVersion,
		uid,
		group: textOf(kind, "group"),
		kind: textOf(kind, "kind"),
		subresource: textOf(request, "subResource"),
		operation: textOf(request, "operation"),
		dryRun: field(request, "dryRun") === true,
		object: part(request, "object"),
		oldObject: part(request, "oldObject"),
	};
}

function wrong(message: string): ParsedReview {
	return { kind: "wrong", message };
}

function parseJson(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}

function part(owner: Raw, key: string): Raw | undefined {
	const value = field(owner, key);
	return isRaw(value) ? value : undefined;
}

function textOf(owner: Raw, key: string): string {
	const value = field(owner, key);
	return typeof value === "string" ? value : "";
}

/** The AdmissionReview that answers. */
export function answerReview({ apiVersion, uid }: Review, verdict: Verdict): Raw {
	const warnings = verdict.warnings.slice(0, MOST_WARNINGS).map(shorten);
	const response = {
		uid,
		allowed: verdict.allowed,
		...(verdict.allowed ? {} : { status: { code: UNPROCESSABLE, reason: "Invalid", message: verdict.message } }),
		...(warnings.length === 0 ? {} : { warnings }),
		...(verdict.allowed && verdict.patch !== undefined ? patchOf(verdict.patch) : {}),
	};
	return { apiVersion, kind: "AdmissionReview", response };
}

function patchOf(patch: readonly PatchOperation[]): Raw {
	return { patchType: "JSONPatch", patch: Buffer.from(JSON.stringify(patch)).toString("base64") };
}

function shorten(text: string): string {
	return text.length <= LONGEST_WARNING ? text : `${text.slice(0, LONGEST_WARNING - 3)}...`;
}

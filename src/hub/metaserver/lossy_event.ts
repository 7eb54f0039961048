// One line of a MetaServer's watch -> one event, or the reason why there is none: such streams carry anything.

import { field, isRaw, type Raw } from "../../model/raw.ts";
import { errorOfStatus, type HubError } from "../request/hub_error.ts";

export type LossyEvent =
	| { readonly kind: "added" | "modified" | "deleted"; readonly object: Raw }
	| { readonly kind: "error"; readonly error: HubError }
	/** Of no use, and no harm. */
	| { readonly kind: "skipped"; readonly why: string }
	/** An object of another kind: the MetaServer mixes things up. */
	| { readonly kind: "stranger"; readonly found: string };

const decoder = new TextDecoder("utf-8");

/** `wanted` is the kind that the watch is for; objects need not say theirs. */
export function parseLossyEvent(line: Uint8Array, wanted: string): LossyEvent {
	const event = parseJson(line);
	const object = isRaw(event) ? field(event, "object") : undefined;
	if (!isRaw(event) || !isRaw(object)) return { kind: "skipped", why: "it has no object" };
	const type = field(event, "type");
	if (type === "ERROR") return { kind: "error", error: errorOfStatus("go on watching", object) };
	const kind = KINDS.get(type);
	if (kind === undefined) return { kind: "skipped", why: "its type is unknown" };
	if (!hasName(object)) return { kind: "skipped", why: "its object has no name" };
	const stranger = strangerOf(object, wanted);
	return stranger === undefined ? { kind, object } : { kind: "stranger", found: stranger };
}

const KINDS: ReadonlyMap<unknown, "added" | "modified" | "deleted"> = new Map([
	["ADDED", "added"],
	["MODIFIED", "modified"],
	["DELETED", "deleted"],
]);

function parseJson(line: Uint8Array): unknown {
	try {
		return JSON.parse(decoder.decode(line));
	} catch {
		return undefined;
	}
}

function hasName(object: Raw): boolean {
	const metadata = field(object, "metadata");
	const name = isRaw(metadata) ? field(metadata, "name") : undefined;
	return typeof name === "string" && name !== "";
}

/** The kind that an object says it is of, if that is not the wanted one. */
export function strangerOf(object: Raw, wanted: string): string | undefined {
	const kind = field(object, "kind") ?? "";
	return kind === "" || kind === wanted ? undefined : String(kind).slice(0, 100);
}

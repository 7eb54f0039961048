// Looks into objects as they came from people: any type anywhere, any key, nothing of it kept.

import { Buffer } from "node:buffer";

/** An object of JSON or YAML whose fields nobody has looked at. */
export type Raw = { readonly [key: string]: unknown };

export function isRaw(value: unknown): value is Raw {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An own field: `constructor` and `__proto__` are absent unless the user wrote them. */
export function field(object: Raw, key: string): unknown {
	return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** A copy of a short string. Engines let a piece of a text keep the whole text alive; 3 labels of a file would hold its megabytes. */
export function ownString<T extends string>(text: T): T {
	return Buffer.from(text, "utf8").toString("utf8") as T;
}

/** Strings that are remembered at once; then it begins anew. */
const MOST_SHARED = 5000;
const shared = new Map<string, string>();

/** As `ownString`, for what many objects have in common: names of nodes and ports, times. Equal ones are one in memory. */
export function sharedString(text: string): string {
	const known = shared.get(text);
	if (known !== undefined) return known;
	if (shared.size >= MOST_SHARED) shared.clear();
	const own = ownString(text);
	shared.set(own, own);
	return own;
}

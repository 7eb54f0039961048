// Parts of a policy's spec that are objects: what stands in them, and what nobody reads.

import { closest } from "../lib/closest.ts";
import type { FieldPath } from "./field_path.ts";
import { field, isRaw, type Raw } from "./raw.ts";
import { type Report, show } from "./report.ts";

/** What every mistake that cannot be left out by itself ends in. */
export const LEFT_OUT = "the policy is left out";

/** Where a part stands. */
export interface At {
	readonly path: FieldPath;
	readonly report: Report;
}

/**
 * The object under `key`; undefined if it is absent or null, and after a Problem. `known` are its fields: of any other there is a Problem,
 * because a field that was misspelt would change what the policy means without a word.
 */
export function readPart(owner: Raw, key: string, known: readonly string[], { path, report }: At): Raw | undefined {
	const value = field(owner, key) ?? undefined;
	if (value === undefined) return undefined;
	const at = [...path, key];
	if (!isRaw(value)) {
		report.add(at, "InvalidObject", `${show(value)} is not an object: give ${known.join(", ")}; ${LEFT_OUT}`);
		return undefined;
	}
	for (const name of Object.keys(value)) {
		if (known.includes(name)) continue;
		const meant = closest(name, known);
		const fix = meant === undefined ? `use ${known.join(", ")}` : `write ${meant}`;
		report.add([...at, name.slice(0, 100)], "InvalidObject", `Unknown field: ${fix}; it is left out`);
	}
	return value;
}

/** As `readPart`, with a Problem where it is absent. */
export function demandPart(owner: Raw, key: string, known: readonly string[], at: At): Raw | undefined {
	const isThere = (field(owner, key) ?? undefined) !== undefined;
	if (!isThere) at.report.add([...at.path, key], "InvalidObject", `Missing: give ${known.join(", ")}; ${LEFT_OUT}`);
	return readPart(owner, key, known, at);
}

/** Which one of two alternatives is there; undefined after a Problem if none or both are. */
export function chooseOne<T extends string>(owner: Raw, [a, b]: readonly [T, T], { path, report }: At): T | undefined {
	const [hasA, hasB] = [a, b].map((key) => (field(owner, key) ?? undefined) !== undefined);
	if (hasA !== hasB) return hasA ? a : b;
	const message = hasA ? `${a} and ${b} are both there: keep one of them` : `Missing: give ${a} or ${b}`;
	report.add(path, "InvalidObject", `${message}; ${LEFT_OUT}`);
	return undefined;
}

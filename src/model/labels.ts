// An object's labels as one text: small in memory, the same in a copy on disk, and equal where they are equal.

import { ownString } from "./raw.ts";

declare const brand: unique symbol;

/** A line `key=value` for each label, sorted by key. Neither keys nor values of labels have "=" or a line break. */
export type Labels = string & { readonly [brand]: "Labels" };

export const NO_LABELS = "" as Labels;

export function listLabels(labels: Iterable<readonly [key: string, value: string]>): Labels {
	let text = "";
	for (const [key, value] of [...labels].sort(([a], [b]) => (a < b ? -1 : 1))) text += `${key}=${value}\n`;
	// In one piece: engines keep the pieces of a text that was put together.
	return (text === "" ? NO_LABELS : ownString(text)) as Labels;
}

/** Undefined if there is no such label. */
export function labelIn(labels: Labels, key: string): string | undefined {
	const start = labels.startsWith(`${key}=`) ? 0 : labels.indexOf(`\n${key}=`) + 1;
	if (start === 0 && !labels.startsWith(`${key}=`)) return undefined;
	return labels.slice(start + key.length + 1, labels.indexOf("\n", start));
}

export function* labelsIn(labels: Labels): Generator<readonly [key: string, value: string], undefined> {
	for (let at = 0; at < labels.length; ) {
		const end = labels.indexOf("\n", at);
		const sign = labels.indexOf("=", at);
		yield [labels.slice(at, sign), labels.slice(sign + 1, end)];
		at = end + 1;
	}
}

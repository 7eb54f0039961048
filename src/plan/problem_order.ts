// Problems in an order that depends on nothing but what they say.

import type { Problem } from "../model/problem.ts";

/** By object, then message, then where it stands. */
export function byObject(a: Problem, b: Problem): number {
	return (
		compareText(a.object, b.object) ||
		compareText(a.message, b.message) ||
		compareText(a.source ?? "", b.source ?? "") ||
		compareText(a.field ?? "", b.field ?? "")
	);
}

function compareText(a: string, b: string): number {
	if (a === b) return 0;
	return a < b ? -1 : 1;
}

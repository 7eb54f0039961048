// Rules of schemas, in CEL (https://kubernetes.io/docs/reference/using-api/cel).

import { parse } from "@marcbachmann/cel-js";

const expressions = new Map<string, ReturnType<typeof parse>>();

/** Whether a rule holds. Throws for what is no CEL. */
export function holds(rule: string, self: unknown): boolean {
	const expression = expressions.get(rule) ?? parse(rule);
	expressions.set(rule, expression);
	return expression({ self }) === true;
}

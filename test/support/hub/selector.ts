// Label and field selectors: who asks gets only what is selected.

import type { Kind } from "./kind.ts";
import { at, type KubeObject } from "./object.ts";
import { badRequest } from "./status.ts";

export type Matches = (object: KubeObject) => boolean;

/** One requirement per comma, all must hold. Throws 400. */
export function parseLabelSelector(text: string): Matches {
	const requirements = splitOutsideParentheses(text).map(parseRequirement);
	return ({ metadata: { labels } }) => requirements.every((holds) => holds(labels ?? {}));
}

type Labels = Readonly<Record<string, string>>;

const NAME = String.raw`(?:[\w.-]+/)?[\w.-]+`;
const SET = new RegExp(String.raw`^(${NAME})\s+(in|notin)\s*\(([^()]*)\)$`);
const EQUAL = new RegExp(String.raw`^(${NAME})\s*(==|=|!=|>|<)\s*([\w.-]*)$`);
const EXISTS = new RegExp(String.raw`^(!?)\s*(${NAME})$`);

function parseRequirement(text: string): (labels: Labels) => boolean {
	const [, setKey, setOperator, list] = SET.exec(text) ?? [];
	if (setKey !== undefined && list !== undefined) {
		const values = new Set(list.split(",").map((value) => value.trim()));
		const wanted = setOperator === "in";
		// Like !=, notin holds for an object without the label.
		return (labels) => values.has(own(labels, setKey) ?? "\0") === wanted;
	}
	const [, key, operator, value] = EQUAL.exec(text) ?? [];
	if (key !== undefined && operator !== undefined && value !== undefined) {
		return (labels) => compare(own(labels, key), operator, value);
	}
	const [, not, present] = EXISTS.exec(text) ?? [];
	if (present !== undefined) return (labels) => (own(labels, present) === undefined) === (not === "!");
	const found = /^[=!<>]+/.exec(text)?.[0] ?? text;
	throw badRequest(`found '${found}', expected: !, identifier, or 'end of string'`);
}

function own(labels: Labels, key: string): string | undefined {
	return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

function compare(found: string | undefined, operator: string, value: string): boolean {
	if (operator === "!=") return found !== value;
	if (found === undefined) return false;
	if (operator === ">") return Number(found) > Number(value);
	if (operator === "<") return Number(found) < Number(value);
	return found === value;
}

function splitOutsideParentheses(text: string): readonly string[] {
	const parts: string[] = [];
	let depth = 0;
	let part = "";
	for (const character of text) {
		depth += character === "(" ? 1 : character === ")" ? -1 : 0;
		if (character === "," && depth === 0) {
			parts.push(part.trim());
			part = "";
		} else part += character;
	}
	return [...parts, part.trim()];
}

/** Only what the kind allows can be selected by. Throws 400. */
export function parseFieldSelector(text: string, kind: Kind): Matches {
	const allowed = ["metadata.name", ...(kind.namespaced ? ["metadata.namespace"] : []), ...kind.fields];
	const terms = text
		.split(",")
		.filter((term) => term !== "")
		.map((term) => {
			const [, path, operator, value] = /^([^=!]+)(==|=|!=)(.*)$/.exec(term) ?? [];
			if (path === undefined || value === undefined)
				throw badRequest(`invalid selector: '${term}'; can't understand '${term}'`);
			if (!allowed.includes(path)) throw badRequest(`field label not supported: ${path}`);
			return (object: KubeObject) => (`${at(object, ...path.split(".")) ?? ""}` === value) === (operator !== "!=");
		});
	return (object) => terms.every((holds) => holds(object));
}

/** The one name that a field selector asks for, if it does: RBAC by resourceNames looks at it. */
export function selectedName(text: string): string | undefined {
	return /(?:^|,)metadata\.name==?([^,]*)/.exec(text)?.[1];
}

// Label selectors as text: which labels an object must have, or must not (k8s.io/apimachinery pkg/labels, selector.go).

import { assertNever } from "../lib/assert_never.ts";
import { show } from "./report.ts";

/** All requirements must hold; none selects everything. */
export type LabelSelector = readonly Requirement[];

export interface Requirement {
	readonly key: string;
	/** `notIn` and `doesNotExist` hold for an object without the label, too; `greater` and `less` compare whole numbers. */
	readonly operator: "in" | "notIn" | "exists" | "doesNotExist" | "greater" | "less";
	/** Empty for `exists` and `doesNotExist`, one for `greater` and `less`. */
	readonly values: readonly string[];
}

export type ParsedSelector =
	| { readonly kind: "selector"; readonly selector: LabelSelector }
	/** The fact and the fix. */
	| { readonly kind: "wrong"; readonly message: string };

const KEY = `(?:[A-Za-z0-9._-]+/)?[A-Za-z0-9._-]+`;
const SET = new RegExp(String.raw`^(${KEY})\s+(in|notin)\s*\(([^()]*)\)$`);
const COMPARISON = new RegExp(String.raw`^(${KEY})\s*(==|=|!=|>|<)\s*([A-Za-z0-9._-]*)$`);
const PRESENCE = new RegExp(String.raw`^(!?)\s*(${KEY})$`);

const OPERATORS = {
	"=": "in",
	"==": "in",
	"!=": "notIn",
	">": "greater",
	"<": "less",
	in: "in",
	notin: "notIn",
} as const;

/** Reads `app=web,tier!=test,zone in (a, b),!canary`. "" selects everything. */
export function parseLabelSelector(text: string): ParsedSelector {
	if (text.trim() === "") return { kind: "selector", selector: [] };
	const selector: Requirement[] = [];
	for (const part of splitOutsideParentheses(text)) {
		const requirement = parseRequirement(part.trim());
		const fault =
			requirement === undefined ? "is no requirement: write app=web, app in (a,b), app or !app" : whyWrong(requirement);
		if (fault !== undefined) return { kind: "wrong", message: `${show(part.trim())} ${fault}` };
		if (requirement !== undefined) selector.push(requirement);
	}
	return { kind: "selector", selector };
}

/** `labelOf` gives the value of a label; undefined, or anything that is no string, is no label. */
export function matchesLabels(selector: LabelSelector, labelOf: (key: string) => unknown): boolean {
	return selector.every(({ key, operator, values }) => {
		const found = labelOf(key);
		const value = typeof found === "string" ? found : undefined;
		switch (operator) {
			case "in":
				return value !== undefined && values.includes(value);
			case "notIn":
				return value === undefined || !values.includes(value);
			case "exists":
				return value !== undefined;
			case "doesNotExist":
				return value === undefined;
			case "greater":
				return compare(value, values) > 0;
			case "less":
				return compare(value, values) < 0;
			default:
				return assertNever(operator);
		}
	});
}

/** 0 where one of both is no whole number: then neither requirement holds. */
function compare(value: string | undefined, [bound]: readonly string[]): number {
	if (value === undefined || bound === undefined || !WHOLE.test(value)) return 0;
	const difference = BigInt(value) - BigInt(bound);
	return difference > 0n ? 1 : difference < 0n ? -1 : 0;
}

const WHOLE = /^\d+$/;

function parseRequirement(text: string): Requirement | undefined {
	const [, setKey, membership, list] = SET.exec(text) ?? [];
	if (setKey !== undefined && (membership === "in" || membership === "notin") && list !== undefined) {
		return { key: setKey, operator: OPERATORS[membership], values: list.split(",").map((value) => value.trim()) };
	}
	const [, key, sign, value] = COMPARISON.exec(text) ?? [];
	if (key !== undefined && isSign(sign) && value !== undefined) {
		return { key, operator: OPERATORS[sign], values: [value] };
	}
	const [, not, present] = PRESENCE.exec(text) ?? [];
	if (present === undefined) return undefined;
	return { key: present, operator: not === "!" ? "doesNotExist" : "exists", values: [] };
}

function isSign(text: string | undefined): text is keyof typeof OPERATORS {
	return text !== undefined && Object.hasOwn(OPERATORS, text);
}

const NAME = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const PREFIX = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
const MAX_PREFIX = 253;

export const LABEL_KEY_FIX = "write app or example.com/app, up to 63 of letters, digits, -, _ and . after the slash";

/** A qualified name (k8s.io/apimachinery pkg/util/validation). */
export function isLabelKey(key: string): boolean {
	const [first = "", second, ...others] = key.split("/", 3);
	if (others.length > 0) return false;
	if (second === undefined) return NAME.test(first);
	return NAME.test(second) && first.length <= MAX_PREFIX && PREFIX.test(first);
}

function whyWrong({ key, operator, values }: Requirement): string | undefined {
	const [prefix, name] = key.includes("/") ? key.split("/") : [undefined, key];
	if (prefix !== undefined && (!PREFIX.test(prefix) || prefix.length > MAX_PREFIX)) {
		return "has no DNS subdomain before the slash: write example.com/app";
	}
	if (name === undefined || !NAME.test(name)) {
		return "has no label's name: use up to 63 of letters, digits, -, _ and .";
	}
	if ((operator === "greater" || operator === "less") && !WHOLE.test(values[0] ?? "")) {
		return "compares with what is no whole number";
	}
	const wrong = values.find((value) => value !== "" && !NAME.test(value));
	return wrong === undefined
		? undefined
		: `has ${show(wrong)}, which is no label's value: use up to 63 of letters, digits, -, _ and .`;
}

function splitOutsideParentheses(text: string): readonly string[] {
	const parts: string[] = [];
	let depth = 0;
	let start = 0;
	for (let at = 0; at < text.length; at++) {
		const character = text[at];
		if (character === "(") depth++;
		else if (character === ")") depth--;
		else if (character === "," && depth === 0) {
			parts.push(text.slice(start, at));
			start = at + 1;
		}
	}
	return [...parts, text.slice(start)];
}

/** As text that `parseLabelSelector` reads; selectors that say the same in another order give the same. Each `in` has a value. */
export function formatLabelSelector(selector: LabelSelector): string {
	return [...new Set(selector.map(formatRequirement))].sort().join(",");
}

function formatRequirement({ key, operator, values }: Requirement): string {
	const sorted = [...new Set(values)].sort();
	switch (operator) {
		case "in":
			return sorted.length === 1 ? `${key}=${sorted[0]}` : `${key} in (${sorted})`;
		case "notIn":
			return sorted.length === 1 ? `${key}!=${sorted[0]}` : `${key} notin (${sorted})`;
		case "exists":
			return key;
		case "doesNotExist":
			return `!${key}`;
		case "greater":
			return `${key}>${sorted[0]}`;
		case "less":
			return `${key}<${sorted[0]}`;
		default:
			return assertNever(operator);
	}
}

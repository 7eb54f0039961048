// metav1.LabelSelector -> LabelSelector: matchLabels and matchExpressions as one list of requirements.

import type { FieldPath } from "./field_path.ts";
import { isLabelKey, LABEL_KEY_FIX, type LabelSelector, type Requirement } from "./label_selector.ts";
import { type At, LEFT_OUT } from "./policy_fields.ts";
import { MAX_REQUIREMENTS, MAX_VALUES, OPERATORS } from "./policy_limits.ts";
import { field, isRaw, ownString, type Raw } from "./raw.ts";
import { type Report, show } from "./report.ts";
import { isLabelValue, LABEL_VALUE_FIX } from "./schemas.ts";

/** Its fields. */
export const SELECTOR_FIELDS = ["matchLabels", "matchExpressions"];

/**
 * Sorted and without repetitions, so that selectors which ask for the same mostly are the same. Undefined after a Problem: with one
 * requirement left out it would select more than was meant.
 */
export function readLabelSelector(selector: Raw, { path, report }: At): LabelSelector | undefined {
	const labels = readLabels(selector, [...path, "matchLabels"], report);
	const expressions = readExpressions(selector, [...path, "matchExpressions"], report);
	if (labels === undefined || expressions === undefined) return undefined;
	const sorted = new Map([...labels, ...expressions].map((each) => [JSON.stringify(each), each]));
	return [...sorted].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, requirement]) => requirement);
}

function readLabels(selector: Raw, path: FieldPath, report: Report): readonly Requirement[] | undefined {
	const map = field(selector, "matchLabels") ?? {};
	if (!isRaw(map)) {
		report.add(path, "InvalidObject", `${show(map)} is not an object: give labels as keys and strings; ${LEFT_OUT}`);
		return undefined;
	}
	const keys = Object.keys(map);
	if (isTooMany(keys.length, MAX_REQUIREMENTS, { path, report })) return undefined;
	const requirements = keys.flatMap((key): readonly Requirement[] => {
		const value = map[key] ?? "";
		const at = { path: [...path, key.slice(0, 330)], report };
		if (!isKey(key, at) || !isValue(value, at)) return [];
		return [{ key: ownString(key), operator: "in", values: [ownString(value)] }];
	});
	return requirements.length === keys.length ? requirements : undefined;
}

function readExpressions(selector: Raw, path: FieldPath, report: Report): readonly Requirement[] | undefined {
	const list = report.list(field(selector, "matchExpressions"), { path, consequence: LEFT_OUT });
	if (list === undefined || isTooMany(list.length, MAX_REQUIREMENTS, { path, report })) return undefined;
	const requirements = list.flatMap((raw, index) => readExpression(raw, { path: [...path, index], report }) ?? []);
	return requirements.length === list.length ? requirements : undefined;
}

function readExpression(raw: unknown, { path, report }: At): Requirement | undefined {
	if (!isRaw(raw)) {
		report.add(path, "InvalidObject", `${show(raw)} is not an object: give key, operator and values; ${LEFT_OUT}`);
		return undefined;
	}
	const key = field(raw, "key") ?? undefined;
	const operator = field(raw, "operator");
	const isRightKey = isKey(key, { path: [...path, "key"], report });
	if (!isOperator(operator)) {
		const fact = operator === undefined ? "Missing" : `${show(operator)} is not an operator`;
		const fix = `use ${Object.keys(OPERATORS).join(", ")}`;
		report.add([...path, "operator"], "InvalidObject", `${fact}: ${fix}; ${LEFT_OUT}`);
		return undefined;
	}
	const values = readValues(raw, operator, { path: [...path, "values"], report });
	return isRightKey && values !== undefined
		? { key: ownString(key), operator: OPERATORS[operator], values }
		: undefined;
}

type Operator = keyof typeof OPERATORS;

function isOperator(value: unknown): value is Operator {
	return typeof value === "string" && Object.hasOwn(OPERATORS, value);
}

function readValues(raw: Raw, operator: Operator, { path, report }: At): readonly string[] | undefined {
	const list = report.list(field(raw, "values"), { path, consequence: LEFT_OUT });
	if (list === undefined || isTooMany(list.length, MAX_VALUES, { path, report })) return undefined;
	const asksForValues = operator === "In" || operator === "NotIn";
	if (asksForValues !== list.length > 0) {
		const message = asksForValues
			? `Missing: ${operator} needs at least one`
			: `${operator} takes no values: remove them`;
		report.add(path, "InvalidObject", `${message}; ${LEFT_OUT}`);
		return undefined;
	}
	const values = list.filter((value, index) => isValue(value, { path: [...path, index], report }));
	return values.length === list.length ? [...new Set(values.map(ownString))].sort() : undefined;
}

function isTooMany(count: number, most: number, { path, report }: At): boolean {
	if (count > most) report.add(path, "TooLarge", `${count} entries: give at most ${most}; ${LEFT_OUT}`);
	return count > most;
}

function isKey(key: unknown, { path, report }: At): key is string {
	if (typeof key === "string" && isLabelKey(key)) return true;
	const fact = key === undefined ? "Missing" : `${show(key)} is not a label's key`;
	report.add(path, "InvalidObject", `${fact}: ${LABEL_KEY_FIX}; ${LEFT_OUT}`);
	return false;
}

function isValue(value: unknown, { path, report }: At): value is string {
	if (typeof value === "string" && isLabelValue(value)) return true;
	const message =
		typeof value === "string"
			? `${show(value)} is not a label's value: ${LABEL_VALUE_FIX}`
			: `${show(value)} is not a string: put it in quotes`;
	report.add(path, "InvalidObject", `${message}; ${LEFT_OUT}`);
	return false;
}

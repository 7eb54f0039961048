// Collects the Problems of one object while it is projected, so that one bad field does not hide the others.

import * as v from "valibot";
import { type FieldPath, formatField } from "./field_path.ts";
import type { Problem, ProblemReason } from "./problem.ts";
import { ownString } from "./raw.ts";

/** Problems listed for one object; the rest is counted. An object may have millions of bad fields. */
export const MAX_PROBLEMS_PER_OBJECT = 20;
/** Characters of a user's value shown in a message. */
const SHOWN = 60;

/** What a raw object gave: nothing if no sensible remainder exists, and what is wrong with it. */
export interface Projection<T> {
	readonly value: T | undefined;
	readonly problems: readonly Problem[];
}

export interface Report {
	/** `Service demo/web`. */
	readonly object: string;
	add(path: FieldPath, reason: ProblemReason, message: string): void;
	/** Parses one part; undefined after its first issue, which becomes a Problem. `consequence` ends the message. */
	read<Schema extends v.GenericSchema>(schema: Schema, value: unknown, at: Place): v.InferOutput<Schema> | undefined;
	/**
	 * A list that may be absent or null (empty then); undefined after a Problem about anything else. Of one with more entries than
	 * `most`, the others are left out, after a Problem.
	 */
	list(value: unknown, at: Place, most?: number): readonly unknown[] | undefined;
	problems(): readonly Problem[];
}

/** Where a part stands and what becomes of the object without it. */
export interface Place {
	readonly path: FieldPath;
	/** `this port is left out`. */
	readonly consequence?: string;
}

export function createReport(object: string): Report {
	const problems: Problem[] = [];
	let more = 0;

	function add(path: FieldPath, reason: ProblemReason, message: string): void {
		if (problems.length >= MAX_PROBLEMS_PER_OBJECT) more++;
		else {
			const field = path.length > 0 ? { field: ownString(formatField(path)) } : {};
			problems.push({ object, ...field, reason, message: ownString(message) });
		}
	}

	return {
		object,
		add,
		read(schema, value, at) {
			const result = v.safeParse(schema, value, { abortEarly: true });
			if (result.success) return result.output;
			const [issue] = result.issues;
			const inner = (issue.path ?? []).map(({ key }) => (typeof key === "number" ? key : String(key)));
			const end = at.consequence === undefined ? "" : `; ${at.consequence}`;
			add([...at.path, ...inner], "InvalidObject", `${issue.message}${end}`);
			return undefined;
		},
		list(value, { path, consequence }, most = Number.POSITIVE_INFINITY) {
			if (value === undefined || value === null) return [];
			if (Array.isArray(value) && value.length <= most) return value;
			if (Array.isArray(value)) {
				add(path, "TooLarge", `${value.length} entries: give at most ${most}; the others are left out`);
				return value.slice(0, most);
			}
			const end = consequence === undefined ? "" : `; ${consequence}`;
			add(path, "InvalidObject", `${show(value)} is not a list: give a list${end}`);
			return undefined;
		},
		problems() {
			if (more === 0) return problems;
			return [
				...problems,
				{ object, reason: "InvalidObject", message: `${more} more problems in this object: correct these first` },
			];
		},
	};
}

/** A user's value for a message: short, on one line, unmistakable. */
export function show(value: unknown): string {
	if (typeof value === "string") {
		return value.length <= SHOWN
			? JSON.stringify(value)
			: `${JSON.stringify(value.slice(0, SHOWN))}... (${value.length} characters)`;
	}
	if (value === undefined) return "nothing";
	if (value === null) return "null";
	if (Array.isArray(value)) return "a list";
	if (typeof value === "object") return "an object";
	return String(value);
}

/** A valibot message of fact and fix: `70000 is not a port: give a whole number from 1 to 65535`. */
export function wrong(what: string, fix: string): (issue: { readonly input: unknown }) => string {
	return ({ input }) => (input === undefined ? `Missing: ${fix}` : `${show(input)} is not ${what}: ${fix}`);
}

// The text of one file -> the objects it declares, and what is wrong with the rest.

import { assertNever } from "../../lib/assert_never.ts";
import { projectBalancingPolicy } from "../../model/balancing_policy.ts";
import type { EndpointSlice, Node, Service } from "../../model/cluster.ts";
import { projectEndpointSlice } from "../../model/endpoint_slice.ts";
import { type FieldPath, parseField } from "../../model/field_path.ts";
import { projectLocalRedirectPolicy } from "../../model/local_redirect_policy.ts";
import { titleOf } from "../../model/metadata.ts";
import { projectNode } from "../../model/node.ts";
import { type Pod, projectPod } from "../../model/pod.ts";
import type { Policy } from "../../model/policy.ts";
import type { Problem } from "../../model/problem.ts";
import { ownString, type Raw } from "../../model/raw.ts";
import type { Projection } from "../../model/report.ts";
import { projectSelection, type Selection } from "../../model/selection.ts";
import { projectService } from "../../model/service.ts";
import { classify, type Kind, type TypeMeta } from "./manifest_kind.ts";
import { type ParsedDocument, type ParseFailure, parsePiece } from "./yaml_parse.ts";
import { type SplitList, splitDocuments, splitList } from "./yaml_split.ts";

/** Objects of one file, and likewise documents. */
export const MAX_OBJECTS_PER_FILE = 200_000;
/** Problems listed for one file; the rest is counted. */
export const MAX_PROBLEMS_PER_FILE = 100;
/** Lists in Lists. */
const MAX_LIST_DEPTH = 4;

/** One object that a plan may use. */
export type Declared =
	| { readonly kind: "Service"; readonly service: Service; readonly selection: Selection | undefined }
	| { readonly kind: "EndpointSlice"; readonly slice: EndpointSlice }
	| { readonly kind: "Pod"; readonly pod: Pod }
	| { readonly kind: "Node"; readonly node: Node }
	| { readonly kind: "Policy"; readonly policy: Policy };

/** An object and where it stands. */
export interface Entry {
	/** `Service demo/web` or `Node n1`: kind, namespace if it is in one, and name. */
	readonly id: string;
	/** `FILE:LINE`. */
	readonly source: string;
	readonly declared: Declared;
}

/** What one file says. */
export interface Manifest {
	readonly entries: readonly Entry[];
	readonly problems: readonly Problem[];
	/** Objects that are declared in a way that cannot be accepted. */
	readonly rejected: ReadonlySet<string>;
	/** Some part could not be read, and nobody knows what it declares. */
	readonly broken: boolean;
}

interface Reading {
	readonly file: string;
	readonly ownNode: string;
	readonly entries: Entry[];
	readonly problems: Problem[];
	readonly rejected: Set<string>;
	broken: boolean;
	objects: number;
	moreProblems: number;
}

/**
 * Reads a file in steps: the caller may do something else between two of them, because a large file takes seconds. `ownNode` is what
 * the host's own Node is called.
 */
export function* readManifest(file: string, text: string, ownNode = ""): Generator<void, Manifest> {
	const reading = startReading(file, ownNode);
	for (const piece of splitDocuments(text)) {
		const list = splitList(piece);
		if (list === undefined || !(yield* readList(list, reading))) readDocument(parsePiece(piece), undefined, reading);
		if (reading.objects > MAX_OBJECTS_PER_FILE) {
			const message = `Over ${MAX_OBJECTS_PER_FILE} objects in one file: use several files`;
			add(reading, { object: file, source: `${file}:${piece.line}`, reason: "TooLarge", message });
			reading.broken = true;
			break;
		}
		yield;
	}
	const { entries, problems, rejected, broken, moreProblems } = reading;
	if (moreProblems === 0) return { entries, problems, rejected, broken };
	const message = `${moreProblems} more problems in this file: correct these first`;
	return {
		entries,
		problems: [...problems, { object: file, source: file, reason: "InvalidObject", message }],
		rejected,
		broken,
	};
}

function startReading(file: string, ownNode: string): Reading {
	return { file, ownNode, entries: [], problems: [], rejected: new Set(), broken: false, objects: 0, moreProblems: 0 };
}

function add(reading: Reading, problem: Problem): void {
	if (reading.problems.length < MAX_PROBLEMS_PER_FILE) reading.problems.push(problem);
	else reading.moreProblems++;
}

/** Reads a List item by item. False, with nothing read, if it has to be read as a whole. */
function* readList({ frame, items }: SplitList, reading: Reading): Generator<void, boolean> {
	const outer = parsePiece(frame);
	const role = outer.kind === "document" ? classify(outer.value, undefined) : undefined;
	if (role?.role !== "list") return false;
	const inner = startReading(reading.file, reading.ownNode);
	inner.objects = reading.objects;
	for (const item of items) {
		const document = parsePiece(item);
		// An anchor may stand in another item.
		if (document.kind === "failure" && document.alias) return false;
		readDocument(document, role.itemType, inner);
		if (inner.objects > MAX_OBJECTS_PER_FILE) break;
		yield;
	}
	for (const entry of inner.entries) reading.entries.push(entry);
	for (const problem of inner.problems) add(reading, problem);
	for (const id of inner.rejected) reading.rejected.add(id);
	reading.broken ||= inner.broken;
	reading.objects = inner.objects;
	reading.moreProblems += inner.moreProblems;
	return true;
}

function readDocument(
	document: ParsedDocument | ParseFailure,
	inherited: TypeMeta | undefined,
	reading: Reading,
): void {
	if (document.kind === "document") {
		readValue(document.value, { document, path: [], inherited }, reading);
		return;
	}
	const { reason, message, line } = document;
	add(reading, { object: reading.file, source: `${reading.file}:${line}`, reason, message: ownString(message) });
	reading.objects++;
	reading.broken = true;
}

interface Position {
	readonly document: ParsedDocument;
	/** From the document's root to the object. */
	readonly path: FieldPath;
	readonly inherited: TypeMeta | undefined;
}

function readValue(value: unknown, at: Position, reading: Reading): void {
	if (++reading.objects > MAX_OBJECTS_PER_FILE) return;
	const role = classify(value, at.inherited);
	switch (role.role) {
		case "ignored":
			return;
		case "object":
			readObject(role.kind, role.object, { at, reading });
			return;
		case "list":
			if (at.path.length >= 2 * MAX_LIST_DEPTH) return;
			for (const [index, item] of role.items.entries()) {
				readValue(
					item,
					{ document: at.document, path: [...at.path, "items", index], inherited: role.itemType },
					reading,
				);
			}
			return;
		case "mistake": {
			const problem = {
				object: role.title ?? reading.file,
				field: role.field,
				reason: role.reason,
				message: role.message,
			};
			add(reading, { ...problem, source: sourceOf(at, role.field, reading.file) });
			if (role.title === undefined) reading.broken = true;
			return;
		}
		default:
			assertNever(role);
	}
}

function sourceOf({ document, path }: Position, field: string | undefined, file: string): string {
	if (path.length === 0 && field === undefined) return `${file}:${document.line}`;
	return `${file}:${document.locate([...path, ...parseField(field ?? "")])}`;
}

function readObject(
	kind: Kind,
	object: Raw,
	{ at, reading }: { readonly at: Position; readonly reading: Reading },
): void {
	const { declared, problems } = project(kind, object, reading.ownNode);
	for (const problem of problems) {
		// Lines are looked up only for Problems that are listed: the look-up goes through the text.
		if (reading.problems.length >= MAX_PROBLEMS_PER_FILE) reading.moreProblems++;
		else add(reading, { ...problem, source: sourceOf(at, problem.field, reading.file) });
	}
	const id = titleOf(kind, object);
	if (declared === undefined) reading.rejected.add(id);
	else reading.entries.push({ id, source: sourceOf(at, undefined, reading.file), declared });
}

interface Projected {
	readonly declared: Declared | undefined;
	readonly problems: readonly Problem[];
}

function project(kind: Kind, object: Raw, ownNode: string): Projected {
	switch (kind) {
		case "Service": {
			const { value: service, problems } = projectService(object);
			if (service === undefined) return { declared: undefined, problems };
			const selection = projectSelection(object);
			return {
				declared: { kind, service, selection: selection.value },
				problems: [...problems, ...selection.problems],
			};
		}
		case "EndpointSlice": {
			const { value: slice, problems } = projectEndpointSlice(object);
			return { declared: slice && { kind, slice }, problems };
		}
		case "Pod": {
			const { value: pod, problems } = projectPod(object);
			return { declared: pod && { kind, pod }, problems };
		}
		case "Node": {
			const { value: node, problems } = projectNode(object, ownNode);
			return { declared: node && { kind, node }, problems };
		}
		case "LocalRedirectPolicy":
			return declarePolicy(projectLocalRedirectPolicy(object));
		case "BalancingPolicy":
			return declarePolicy(projectBalancingPolicy(object));
		default:
			return assertNever(kind);
	}
}

function declarePolicy({ value: policy, problems }: Projection<Policy>): Projected {
	return { declared: policy && { kind: "Policy", policy }, problems };
}

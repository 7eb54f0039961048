// One YAML or JSON document -> its value, under limits that hold for any bytes, and the line of any of its fields.

import { Composer, type Document, Lexer, type ParsedNode, Parser } from "yaml";
import type { FieldPath } from "../../model/field_path.ts";
import { createJsonLocator } from "./json_locate.ts";
import { createLines } from "./lines.ts";
import { findOffset } from "./yaml_locate.ts";
import type { Piece } from "./yaml_split.ts";
import { toValue } from "./yaml_value.ts";

/** Tokens of one document, some 3 MB of text: its nodes take 0.3 kB of memory for each. */
export const MAX_TOKENS = 1_000_000;
/** Levels of lists and objects in each other. Kubernetes objects have some 20. */
export const MAX_DEPTH = 100;

/** Why a document has no value. `alias` if it refers to an anchor that it does not have. */
export interface ParseFailure {
	readonly kind: "failure";
	readonly reason: "InvalidYaml" | "TooLarge";
	readonly message: string;
	readonly line: number;
	readonly alias: boolean;
}

export interface ParsedDocument {
	readonly kind: "document";
	readonly value: unknown;
	/** The line where the document's content begins. */
	readonly line: number;
	/** The line of a field, or of the innermost part of its path that is there. */
	locate(path: FieldPath): number;
}

/** Parses a piece that `splitDocuments` or `splitList` gave. Total: any text gives a document or a failure. */
export function parsePiece(piece: Piece): ParsedDocument | ParseFailure {
	const start = piece.text.search(/\S/);
	if (piece.text.charAt(start) === "{") {
		const json = parseJson(piece);
		if (json !== undefined) return json;
	}
	const composed = compose(piece);
	if (composed.kind === "failure") return composed;
	const { node, lineOf } = composed;
	const result = toValue(node);
	if (result.kind === "failure") {
		return {
			kind: "failure",
			reason: result.reason,
			message: result.message,
			line: lineOf(result.offset),
			alias: result.alias,
		};
	}
	return {
		kind: "document",
		value: result.value,
		line: lineOf(node?.range[0] ?? 0),
		locate: (path) => lineOf(findOffset(node, path)),
	};
}

/** JSON is YAML, but many times quicker by itself. Undefined if it is none: the YAML parser then says what is wrong. */
function parseJson({ text, line }: Piece): ParsedDocument | undefined {
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch {
		return undefined;
	}
	const lineOf = createLines(text, line);
	const locate = createJsonLocator(text);
	return { kind: "document", value, line: lineOf(locate([])), locate: (path) => lineOf(locate(path)) };
}

interface Composed {
	readonly kind: "composed";
	readonly node: ParsedNode | null;
	lineOf(offset: number): number;
}

function compose(piece: Piece): Composed | ParseFailure {
	// What is missing is missing at the end; that is the last line with text, not the empty one after it.
	const end = piece.text.trimEnd().length;
	const lines = createLines(piece.text, piece.line);
	const lineOf = (offset: number): number => lines(Math.min(offset, end));
	const fail = (reason: ParseFailure["reason"], message: string, offset: number): ParseFailure => {
		return { kind: "failure", reason, message, line: lineOf(offset), alias: false };
	};
	const limit: Limit = { exceeded: undefined };
	const documents: Document.Parsed<ParsedNode>[] = [];
	try {
		// Keys are compared in yaml_value.ts: the package does it in quadratic time.
		const composer = new Composer({
			uniqueKeys: false,
			prettyErrors: false,
			resolveKnownTags: false,
			logLevel: "silent",
		});
		for (const document of composer.compose(parseLimited(piece.text, limit), false)) documents.push(document);
	} catch (error) {
		// The package throws on a few malformed documents instead of reporting; a depth that passes the limit may overflow the stack.
		return fail("InvalidYaml", `Not YAML (${firstLine(error)}): correct it`, 0);
	}
	if (limit.exceeded !== undefined) return fail("TooLarge", limit.exceeded, 0);
	const [document, second] = documents;
	const [error] = document?.errors ?? [];
	if (error !== undefined) return fail("InvalidYaml", `Not YAML (${firstLine(error)}): correct it`, error.pos[0]);
	if (second !== undefined) {
		return fail("InvalidYaml", "A second document without --- before it: add the line", second.range[0]);
	}
	return { kind: "composed", node: document?.contents ?? null, lineOf };
}

interface Limit {
	exceeded: string | undefined;
}

/** The package's own loop over tokens, which has no limits; past one, it yields no further token and the document is dropped. */
function* parseLimited(text: string, limit: Limit) {
	const parser = new Parser();
	let tokens = 0;
	for (const lexeme of new Lexer().lex(text)) {
		if (++tokens > MAX_TOKENS)
			limit.exceeded = `Over ${MAX_TOKENS} YAML tokens: cut the document with --- lines, or write JSON`;
		else if (parser.stack.length > MAX_DEPTH) limit.exceeded = `Over ${MAX_DEPTH} levels deep: make it flatter`;
		if (limit.exceeded !== undefined) return;
		yield* parser.next(lexeme);
	}
	yield* parser.end();
}

function firstLine(error: unknown): string {
	const message = error instanceof Error ? error.message : String(error);
	return (message.split("\n", 1)[0] ?? "").slice(0, 200);
}

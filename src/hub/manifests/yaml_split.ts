// Cuts a YAML stream into documents, and a List into items, as text: one mistake stays in its piece, and one piece is in memory at a time.

/** A piece of a file that is parsed by itself. */
export interface Piece {
	readonly text: string;
	/** The line of the file that the text begins on, from 1. */
	readonly line: number;
}

/** The documents of a stream (YAML 1.2.2 section 9.2, `---` at the start of a line), without those that say nothing. */
export function* splitDocuments(text: string): Generator<Piece, void> {
	let line = 1;
	let start = 0;
	while (start <= text.length) {
		const end = findMarker(text, start);
		const piece = text.slice(start, end);
		if (!isBlank(piece)) yield { text: piece, line };
		if (end === text.length) return;
		line += countLines(text, start, end);
		start = end + 3;
	}
}

/** The offset of the next `---` at the start of a line that ends or goes on with white space; the length if there is none. */
function findMarker(text: string, from: number): number {
	// A piece begins right after a marker: there, a line has begun only in front of the first one.
	if (from === 0 && isMarker(text, 0)) return 0;
	for (let at = text.indexOf("\n---", from); at >= 0; at = text.indexOf("\n---", at + 1)) {
		if (isMarker(text, at + 1)) return at + 1;
	}
	return text.length;
}

function isMarker(text: string, at: number): boolean {
	return text.startsWith("---", at) && (at + 3 === text.length || " \t\r\n".includes(text.charAt(at + 3)));
}

/** Nothing but white space, comments, directives (which only concern tags that we do not know) and the end marker. */
function isBlank(piece: string): boolean {
	let at = 0;
	while (at < piece.length) {
		const end = piece.indexOf("\n", at);
		const line = piece.slice(at, end < 0 ? undefined : end).trim();
		if (line !== "" && line !== "..." && !line.startsWith("#") && !piece.startsWith("%", at)) return false;
		if (end < 0) return true;
		at = end + 1;
	}
	return true;
}

/** Line feeds in a part of a text. */
function countLines(text: string, from: number, to: number): number {
	let lines = 0;
	for (let at = text.indexOf("\n", from); at >= 0 && at < to; at = text.indexOf("\n", at + 1)) lines++;
	return lines;
}

/** A List taken apart: its items, and the document without them. */
export interface SplitList {
	readonly frame: Piece;
	readonly items: readonly Piece[];
}

const LIST_HEAD = /^items:[ \t]*\r?\n(?:[ \t]*(?:#[^\n]*)?\r?\n)*( *)-[ \r\n]/m;

/**
 * Takes a document of kind List apart if it is written as `kubectl get -o yaml` writes it, in block style; undefined if it is not, and
 * then it is parsed as a whole. A dash at the list's column begins an item (YAML 1.2.2 section 8.2.1): what belongs to an item stands
 * further to the right.
 */
export function splitList({ text, line }: Piece): SplitList | undefined {
	const head = LIST_HEAD.exec(text);
	if (head === null) return undefined;
	const column = head[1]?.length ?? 0;
	const start = head.index + head[0].length - column - 2;
	const items: Piece[] = [];
	let from = start;
	let at = line + countLines(text, 0, start);
	let next = start;
	let role: Role = "item";
	while (role !== "after") {
		next = lineAfter(text, next);
		role = roleOf(text, next, column);
		if (role === "inside") continue;
		// The dash becomes a space: every column and line stays as it is in the file.
		items.push({ text: `${text.slice(from, from + column)} ${text.slice(from + column + 1, next)}`, line: at });
		at += countLines(text, from, next);
		from = next;
	}
	const removed = "\n".repeat(countLines(text, start, next));
	return { frame: { text: text.slice(0, start) + removed + text.slice(next), line }, items };
}

type Role = "item" | "inside" | "after";

function lineAfter(text: string, at: number): number {
	const end = text.indexOf("\n", at);
	return end < 0 ? text.length : end + 1;
}

/** What the line at `at` is to a list at this column. */
function roleOf(text: string, at: number, column: number): Role {
	if (at >= text.length) return "after";
	let indent = 0;
	while (text.charAt(at + indent) === " ") indent++;
	const first = text.charAt(at + indent);
	if (first === "\n" || first === "\r" || first === "#" || indent > column) return "inside";
	return indent === column && first === "-" && " \r\n".includes(text.charAt(at + indent + 1)) ? "item" : "after";
}

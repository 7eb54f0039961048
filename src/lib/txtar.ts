// Several small texts in one file, as Go's txtar has them: a comment, then files that each begin with `-- NAME --`.

export interface TxtarFile {
	readonly name: string;
	/** Ends in a newline unless it is empty. */
	readonly text: string;
}

export interface Txtar {
	readonly comment: string;
	readonly files: readonly TxtarFile[];
}

const MARKER = /^-- (\S(?:.*\S)?) --\s*$/;

/** Total: what stands before the first marker is the comment. (Format: pkg.go.dev/golang.org/x/tools/txtar) */
export function parseTxtar(text: string): Txtar {
	const comment: string[] = [];
	const files: { name: string; lines: string[] }[] = [];
	for (const line of linesOf(text)) {
		const name = MARKER.exec(line)?.[1];
		if (name !== undefined) files.push({ name, lines: [] });
		else (files.at(-1)?.lines ?? comment).push(line);
	}
	return { comment: join(comment), files: files.map(({ name, lines }) => ({ name, text: join(lines) })) };
}

/** `parseTxtar` gives back what this got, if no text has a line like a marker. */
export function formatTxtar({ comment, files }: Txtar): string {
	return comment + files.map(({ name, text }) => `-- ${name} --\n${text}`).join("");
}

function linesOf(text: string): readonly string[] {
	const lines = text.split("\n");
	if (lines.at(-1) === "") lines.pop();
	return lines;
}

function join(lines: readonly string[]): string {
	return lines.map((line) => `${line}\n`).join("");
}

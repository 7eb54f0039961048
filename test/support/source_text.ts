// Reads TypeScript no further than its imports and words: comments, strings and regular expressions set apart.

/** Specifiers of all imports and re-exports, of types too (Bun's own scanner leaves those out). */
export function importsOf(text: string): readonly string[] {
	const strings: string[] = [];
	// A string becomes its number, so that no text in a string looks like code.
	const code = withoutComments(text, (string) => `"${strings.push(string.slice(1, -1)) - 1}"`);
	const statements =
		/\b(?:import|export)\b[^"'`;()=]*?\bfrom\s*"(\d+)"|\bimport\s*\(?\s*"(\d+)"|\brequire\s*\(\s*"(\d+)"/g;
	return [...code.matchAll(statements)].map(([, from, bare, required]) => {
		return strings[Number(from ?? bare ?? required)] ?? "";
	});
}

/** The code alone: comments gone, strings empty. */
export function codeOf(text: string): string {
	return withoutComments(text, () => '""');
}

const TOKEN =
	/^#![^\n]*|\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|(?<=(?:^|[=(,:;!&|?{}[\n]|\breturn)\s*)\/(?![/*])(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*|`(?:[^`\\]|\\[\s\S])*`/g;

function withoutComments(text: string, replaceString: (string: string) => string): string {
	return text.replace(TOKEN, (token) => {
		if (/^(?:#!|\/\/|\/\*)/.test(token)) return "";
		if (token.startsWith("/")) return "/regexp/";
		if (!token.startsWith("`")) return replaceString(token);
		// What a template computes is code; nested templates are beyond this reader.
		return `(${[...token.matchAll(/\$\{([^}`]*)\}/g)].map(([, computed]) => computed).join(", ")})`;
	});
}

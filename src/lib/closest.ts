// The word that someone meant to type.

/** More mistakes than this make it another word. */
const MOST = 2;

/** How many letters to add, take away or replace (Levenshtein). */
function distance(a: string, b: string): number {
	let above = Array.from({ length: b.length + 1 }, (_, index) => index);
	for (const [row, letter] of [...a].entries()) {
		const current = [row + 1];
		for (let column = 1; column <= b.length; column++) {
			const replaced = (above[column - 1] ?? 0) + (letter === b[column - 1] ? 0 : 1);
			current.push(Math.min(replaced, (above[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
		}
		above = current;
	}
	return above[b.length] ?? 0;
}

/** The known word that begins as the typed one, or is at most two letters off; undefined if none is. */
export function closest(typed: string, known: readonly string[]): string | undefined {
	// Nothing that anyone means is so long, and the distance takes the product of the lengths.
	if (typed.length === 0 || typed.length > 50) return undefined;
	const begun = known.find((word) => word.startsWith(typed) || typed.startsWith(word));
	if (begun !== undefined) return begun;
	const [best] = known
		.map((word) => ({ word, off: distance(typed, word) }))
		.filter(({ word, off }) => off <= MOST && off < word.length)
		.sort((a, b) => a.off - b.off);
	return best?.word;
}

// Line numbers of offsets.

/** Gives the line that an offset stands on; the text begins on line `first`. */
export function createLines(text: string, first: number): (offset: number) => number {
	let breaks: readonly number[] | undefined;
	return (offset) => {
		breaks ??= findBreaks(text);
		return first + countBelow(breaks, offset);
	};
}

function findBreaks(text: string): readonly number[] {
	const breaks: number[] = [];
	for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) breaks.push(at);
	return breaks;
}

/** How many of these rising numbers are below a limit. */
function countBelow(numbers: readonly number[], limit: number): number {
	let low = 0;
	let high = numbers.length;
	while (low < high) {
		const middle = (low + high) >> 1;
		if ((numbers[middle] ?? 0) < limit) low = middle + 1;
		else high = middle;
	}
	return low;
}

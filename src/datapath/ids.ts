// Gives out small numbers, the lowest first, as long as there are any.

export interface Ids {
	/** Undefined if all are taken. */
	take(): number | undefined;
	give(id: number): void;
	available(): number;
}

/** Ids from 1 to `highest`, except those in `taken`. */
export function createIds(highest: number, taken: ReadonlySet<number>): Ids {
	let top = 0;
	for (const id of taken) top = Math.max(top, id);
	// A stack: the lowest gap lies on top.
	const gaps: number[] = [];
	for (let id = top - 1; id >= 1; id--) if (!taken.has(id)) gaps.push(id);

	function take(): number | undefined {
		const gap = gaps.pop();
		if (gap !== undefined) return gap;
		if (top >= highest) return undefined;
		top += 1;
		return top;
	}

	return {
		take,
		give: (id) => void gaps.push(id),
		available: () => gaps.length + (highest - top),
	};
}

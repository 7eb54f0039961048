// Gives out ranges of slots: the tightest free block that fits, and neighbours become one again when they come back.

/** [base, base + length). */
export interface Range {
	readonly base: number;
	readonly length: number;
}

export interface Ranges {
	/** The base of a range of `length` (at least 1) slots; undefined if no free block is that long. */
	take(length: number): number | undefined;
	/** Gives back exactly what was taken. */
	give(range: Range): void;
	/** Free blocks by base. */
	free(): readonly Range[];
}

interface Blocks {
	/** Length by base. */
	readonly byBase: Map<number, number>;
	/** Base by end. */
	readonly byEnd: Map<number, number>;
	/** Bases by length. */
	readonly byLength: Map<number, Set<number>>;
	/** The keys of `byLength`, ascending. */
	readonly lengths: number[];
}

/** Slots from 0 to `slots` - 1, except those in `taken`, which do not overlap; empty ranges there take nothing. */
export function createRanges(slots: number, taken: Iterable<Range>): Ranges {
	const blocks: Blocks = { byBase: new Map(), byEnd: new Map(), byLength: new Map(), lengths: [] };
	let base = 0;
	for (const range of [...taken].filter(({ length }) => length > 0).sort((a, b) => a.base - b.base)) {
		if (range.base > base) insert(blocks, base, range.base - base);
		base = range.base + range.length;
	}
	if (slots > base) insert(blocks, base, slots - base);
	return {
		take: (length) => take(blocks, length),
		give: (range) => give(blocks, range),
		free: () => [...blocks.byBase].map(([start, length]) => ({ base: start, length })).sort((a, b) => a.base - b.base),
	};
}

function take(blocks: Blocks, length: number): number | undefined {
	const fit = blocks.lengths[position(blocks.lengths, length)];
	const [base] = (fit === undefined ? undefined : blocks.byLength.get(fit)) ?? [];
	if (fit === undefined || base === undefined) return undefined;
	remove(blocks, base, fit);
	if (fit > length) insert(blocks, base + length, fit - length);
	return base;
}

function give(blocks: Blocks, range: Range): void {
	let { base, length } = range;
	const before = blocks.byEnd.get(base);
	if (before !== undefined) {
		remove(blocks, before, base - before);
		length += base - before;
		base = before;
	}
	const after = blocks.byBase.get(base + length);
	if (after !== undefined) {
		remove(blocks, base + length, after);
		length += after;
	}
	insert(blocks, base, length);
}

function insert(blocks: Blocks, base: number, length: number): void {
	blocks.byBase.set(base, length);
	blocks.byEnd.set(base + length, base);
	const bases = blocks.byLength.get(length);
	if (bases !== undefined) {
		bases.add(base);
		return;
	}
	blocks.byLength.set(length, new Set([base]));
	blocks.lengths.splice(position(blocks.lengths, length), 0, length);
}

function remove(blocks: Blocks, base: number, length: number): void {
	blocks.byBase.delete(base);
	blocks.byEnd.delete(base + length);
	const bases = blocks.byLength.get(length);
	bases?.delete(base);
	if (bases?.size !== 0) return;
	blocks.byLength.delete(length);
	blocks.lengths.splice(position(blocks.lengths, length), 1);
}

/** The index of the first length that is at least this one. */
function position(lengths: readonly number[], length: number): number {
	let low = 0;
	let high = lengths.length;
	while (low < high) {
		const middle = (low + high) >>> 1;
		if ((lengths[middle] ?? 0) < length) low = middle + 1;
		else high = middle;
	}
	return low;
}

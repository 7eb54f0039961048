// One line of `bun run bench`.

export interface BenchRow {
	readonly name: string;
	readonly value: number;
	readonly unit: string;
	/** What it must stay below, in the same unit. */
	readonly budget?: number;
}

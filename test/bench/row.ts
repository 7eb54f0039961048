// One figure of a benchmark.

export interface BenchRow {
	readonly name: string;
	readonly value: number;
	/** `ns`, `ms`, `MB` ... */
	readonly unit: string;
	/** What it should stay below, in the same unit; a figure without one is there to compare with. */
	readonly budget?: number;
}

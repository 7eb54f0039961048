// What a check or a test process came to, and how it is told.

export interface Outcome {
	readonly name: string;
	readonly passed: number;
	readonly failed: number;
	readonly skipped: number;
	readonly seconds: number;
	/** What someone needs to read: everything if it failed, the skipped tests if not. */
	readonly details: string;
}

export interface Totals {
	readonly passed: number;
	readonly failed: number;
	readonly skipped: number;
}

/** Adds outcomes up. */
export function sum(outcomes: readonly Outcome[]): Totals {
	const add = (part: keyof Totals) => outcomes.reduce((total, outcome) => total + outcome[part], 0);
	return { passed: add("passed"), failed: add("failed"), skipped: add("skipped") };
}

/** The last line of scripts/test; machines read it. */
export function totalsLine({ passed, failed, skipped }: Totals): string {
	return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

/** Prints one line, and the details under it. */
export function tell(outcome: Outcome): void {
	const { name, passed, failed, skipped, seconds, details } = outcome;
	const verdict = failed > 0 ? "FAILED" : "ok";
	const counts = passed + failed + skipped > 1 ? `  ${totalsLine(outcome)}` : "";
	console.log(`${verdict.padEnd(7)}${name.padEnd(48)} ${seconds.toFixed(1).padStart(6)} s${counts}`);
	if (details !== "") console.log(details.replace(/^(?=.)/gm, "       "));
}

// Runs a fast-check property under a printed seed, so that a failure can be had again.

import type { IAsyncPropertyWithHooks, IPropertyWithHooks, RunDetails } from "fast-check";
import { check, stringify } from "fast-check";

/**
 * BALANCING_SEED repeats a run, BALANCING_RUNS multiplies the number of runs. Throws what the property threw for the
 * smallest counterexample that fast-check finds.
 */
export function checkProperty<T>(name: string, property: IPropertyWithHooks<T>, runs: number): void {
	demandSuccess(check(property, start(name, runs)));
}

/** The same for a property that waits. */
export async function checkAsyncProperty<T>(
	name: string,
	property: IAsyncPropertyWithHooks<T>,
	runs: number,
): Promise<void> {
	demandSuccess(await check(property, start(name, runs)));
}

function start(name: string, runs: number): { readonly seed: number; readonly numRuns: number } {
	const seed = Number(process.env["BALANCING_SEED"] ?? Math.floor(Math.random() * 0x7fff_ffff));
	const numRuns = runs * Number(process.env["BALANCING_RUNS"] ?? 1);
	console.log(`${name}: BALANCING_SEED=${seed}, ${numRuns} runs`);
	return { seed, numRuns };
}

function demandSuccess<T>({ failed, errorInstance: cause, seed, counterexample }: RunDetails<T>): void {
	if (!failed) return;
	const reason = cause instanceof Error ? cause.message : String(cause);
	throw new Error(`${reason}\nseed ${seed}, counterexample: ${stringify(counterexample)}`, { cause });
}

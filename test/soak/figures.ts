// Whether what an agent takes stays the same over a soak.

import type { Round } from "./soak.ts";

export interface Verdict {
	readonly good: boolean;
	readonly text: string;
}

/** Rounds of one process that are needed to say anything. */
const ENOUGH = 9;
/** Of the last third's median over the first third's. What the machine code of hot functions takes comes early, and not all at once. */
const MEMORY = { factor: 1.1, spare: 8 * 2 ** 20 } as const;
/** Descriptors: connections that are open at the moment. */
const DESCRIPTORS = { factor: 1, spare: 4 } as const;

interface Tolerance {
	readonly factor: number;
	readonly spare: number;
}

/** Of the last agent's life, its first round left out: medians of the first third and of the last. */
export function compareThirds(rounds: readonly Round[]): readonly Verdict[] {
	const pid = rounds.at(-1)?.pid;
	const life = rounds.filter((round) => round.pid === pid).slice(1);
	if (life.length < ENOUGH)
		return [{ good: true, text: `Memory: not judged, one process lived only ${life.length} rounds` }];
	const third = Math.floor(life.length / 3);
	const [first, last] = [life.slice(0, third), life.slice(-third)];
	const compare = (name: string, of: (round: Round) => number, tolerance: Tolerance): Verdict => {
		const [before, after] = [median(first.map(of)), median(last.map(of))];
		const most = before * tolerance.factor + tolerance.spare;
		const show = (value: number) => (value > 1e5 ? `${(value / 2 ** 20).toFixed(1)} MiB` : value.toFixed(0));
		const text = `${name}: ${show(before)} in the first third, ${show(after)} in the last (at most ${show(most)})`;
		return { good: after <= most, text };
	};
	return [
		compare("RssAnon", ({ memory }) => memory, MEMORY),
		compare("Descriptors", ({ descriptors }) => descriptors, DESCRIPTORS),
	];
}

function median(numbers: readonly number[]): number {
	return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

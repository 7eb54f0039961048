// Whole numbers, picks and decks of cards under a seed.

import { createRandom } from "../support/random.ts";

export interface Dice {
	/** A whole number from 0 up to, and without, the limit. */
	below(limit: number): number;
	/** True so many times of a hundred. */
	percent(times: number): boolean;
	pick<T>(from: readonly T[]): T;
	/** So many different ones at the most, in any order. */
	some<T>(from: readonly T[], count: number): readonly T[];
}

export function createDice(seed: number): Dice {
	const random = createRandom(seed);
	const below = (limit: number) => Math.floor(random() * limit);
	const some = <T>(from: readonly T[], count: number): readonly T[] => {
		const left = [...from];
		const taken: T[] = [];
		while (taken.length < count && left.length > 0) taken.push(...left.splice(below(left.length), 1));
		return taken;
	};
	return {
		below,
		percent: (times) => below(100) < times,
		pick(from) {
			const [one] = some(from, 1);
			if (one === undefined) throw new Error("Cannot pick from nothing");
			return one;
		},
		some,
	};
}

/** Each one in turn, shuffled anew for each turn: nothing is left to luck for long. */
export function createDeck<T>(dice: Dice, cards: readonly T[]): () => T {
	let left: readonly T[] = [];
	return () => {
		if (left.length === 0) left = dice.some(cards, cards.length);
		const [card, ...rest] = left;
		if (card === undefined) throw new Error("Cannot draw from an empty deck");
		left = rest;
		return card;
	};
}

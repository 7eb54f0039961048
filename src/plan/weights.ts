// How often each backend stands among the active ones of its frontend, so that a random choice among them follows the weights.

import type { L4Address } from "../model/address.ts";

/** Entries of a frontend whose backends have different weights; with more backends than this each stands there once. */
export const MAX_WEIGHTED = 1024;

/**
 * Sorted; each address as often as its weight says, in the smallest whole numbers, scaled down where these are more than `MAX_WEIGHTED`
 * together. Weight 0 leaves an address out, any other keeps it.
 */
export function repeatByWeight(weights: ReadonlyMap<L4Address, number>): readonly L4Address[] {
	const addresses = [...weights.keys()].filter((address) => weightOf(weights, address) > 0).sort();
	const counts = reduce(scaleDown(reduce(addresses.map((address) => weightOf(weights, address))), MAX_WEIGHTED));
	return addresses.flatMap((address, index) => new Array<L4Address>(counts[index] ?? 1).fill(address));
}

/** How often each address stands in a sorted list, in its order. */
export function countRepeats(sorted: readonly L4Address[]): ReadonlyMap<L4Address, number> {
	const counts = new Map<L4Address, number>();
	for (const address of sorted) counts.set(address, (counts.get(address) ?? 0) + 1);
	return counts;
}

function weightOf(weights: ReadonlyMap<L4Address, number>, address: L4Address): number {
	return weights.get(address) ?? 0;
}

/** By their greatest common divisor. */
function reduce(weights: readonly number[]): readonly number[] {
	const divisor = weights.reduce(greatestCommonDivisor, 0);
	return divisor <= 1 ? weights : weights.map((weight) => weight / divisor);
}

function greatestCommonDivisor(a: number, b: number): number {
	return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** To as many of `most` as fit, rounded down, but never to 0: what is small gains by that, so that the others have to share the rest. */
function scaleDown(weights: readonly number[], most: number): readonly number[] {
	const sum = sumOf(weights);
	if (sum <= most) return weights;
	const scaled = (target: number) => weights.map((weight) => Math.max(1, Math.floor((weight * target) / sum)));
	let [fits, tooMany] = [0, most + 1];
	while (tooMany - fits > 1) {
		const target = (fits + tooMany) >> 1;
		if (sumOf(scaled(target)) <= most) fits = target;
		else tooMany = target;
	}
	return scaled(fits);
}

function sumOf(numbers: readonly number[]): number {
	return numbers.reduce((sum, number) => sum + number, 0);
}

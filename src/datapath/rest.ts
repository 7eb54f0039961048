// What left the wanted state rests before it is used again: a program may stand between two look-ups of it.

/** Rounds that pass between the kernel's contents losing an element and its id or range being given again. */
export const REST_ROUNDS = 2;

export interface Rest<T> {
	add(item: T): void;
	/** It is wanted again. */
	remove(item: T): void;
	/** At the end of a round. Returns those that have rested; they are forgotten here. */
	settle(isGone: (item: T) => boolean): readonly T[];
	size(): number;
	/** Some are gone from the kernel and only wait for the rounds to pass. */
	isResting(): boolean;
}

export function createRest<T>(): Rest<T> {
	let round = 0;
	/** The round at whose end the kernel no longer held it; undefined while it does. */
	const resting = new Map<T, number | undefined>();

	function settle(isGone: (item: T) => boolean): readonly T[] {
		round += 1;
		for (const [item, since] of resting) resting.set(item, isGone(item) ? (since ?? round) : undefined);
		const rested = [...resting.keys()].filter((item) => hasRested(resting.get(item)));
		for (const item of rested) resting.delete(item);
		return rested;
	}

	function hasRested(since: number | undefined): boolean {
		return since !== undefined && round - since >= REST_ROUNDS;
	}

	return {
		add: (item) => void resting.set(item, undefined),
		remove: (item) => void resting.delete(item),
		settle,
		size: () => resting.size,
		isResting: () => resting.values().some((since) => since !== undefined),
	};
}

// Objects that lists lack: which of them are gone, and which stay until more is known.

export interface Absences {
	/** A watch says that it was deleted. */
	announce(key: string): void;
	/** It is there, or nobody asks any more. */
	end(key: string): void;
	judge(lacking: readonly string[], list: ListFacts): Judgement;
}

export interface ListFacts {
	/** It came from the cloud. */
	readonly proved: boolean;
	/** It lacks so much that a mistake is more likely. */
	readonly isLarge: boolean;
}

export interface Judgement {
	readonly gone: readonly string[];
	/** Another list of this kind would let more of them go. */
	readonly pending: boolean;
	/** How many stay though this is no ordinary deletion under way. */
	readonly doubted: number;
}

/** Lists that lacked an object since one had it. */
interface Absence {
	readonly lists: number;
	/** Those of them that came from the cloud. */
	readonly proved: number;
}

const NONE: Absence = { lists: 0, proved: 0 };

/**
 * A deletion is believed when two witnesses agree: the watch and a list from the cloud, two lists from the cloud, or, where the cloud
 * does not answer, the watch and two lists. So much that it is hard to believe goes only by two lists from the cloud.
 */
export function createAbsences(): Absences {
	const absences = new Map<string, Absence>();
	const announced = new Set<string>();

	/** Counts a list that lacks it. */
	function count(key: string, { proved }: ListFacts): Absence {
		const before = absences.get(key) ?? NONE;
		const now = { lists: before.lists + 1, proved: before.proved + (proved ? 1 : 0) };
		absences.set(key, now);
		return now;
	}

	function isGone(key: string, list: ListFacts): boolean {
		const { lists, proved } = count(key, list);
		if (list.proved && proved >= 2) return true;
		return !list.isLarge && announced.has(key) && (list.proved || lists >= 2);
	}

	return {
		announce: (key) => void announced.add(key),
		end(key) {
			absences.delete(key);
			announced.delete(key);
		},
		judge(lacking, list) {
			const gone = new Set(lacking.filter((key) => isGone(key, list)));
			const kept = lacking.filter((key) => !gone.has(key));
			const ordinary = list.isLarge ? [] : kept.filter((key) => list.proved || announced.has(key));
			return {
				gone: [...gone],
				pending: kept.length > 0 && (list.proved || ordinary.length > 0),
				doubted: kept.length - ordinary.length,
			};
		},
	};
}

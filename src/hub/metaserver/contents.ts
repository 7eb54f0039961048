// The objects of one kind that are known, and the names of those that are gone.

import type { ClusterView } from "../kinds/cluster_view.ts";
import { type Held, showHeld } from "../kinds/held.ts";
import type { Need } from "../kinds/needs.ts";

/** Names that are remembered at most. */
const MAX_BURIED = 10_000;

export interface Contents {
	get(key: string): Held | undefined;
	keys(): readonly string[];
	/** True if it says something else than before. */
	set(key: string, held: Held): boolean;
	/** True if it was there. */
	remove(key: string): boolean;
	/** It was removed, and nobody has seen it since: a MetaServer's own store keeps some such objects for ever. */
	isBuried(key: string): boolean;
}

export interface ContentsOptions {
	readonly need: Need;
	readonly view: ClusterView;
	/** What is known from before, by `namespace/name`. */
	readonly baseline: ReadonlyMap<string, Held>;
}

export function createContents({ need, view, baseline }: ContentsOptions): Contents {
	const place = { need, view };
	const objects = new Map<string, Held>(baseline);
	const buried = new Set<string>();
	for (const [key, held] of objects) showHeld(place, key, undefined, held);

	function bury(key: string): void {
		buried.add(key);
		const [oldest] = buried;
		if (buried.size > MAX_BURIED && oldest !== undefined) buried.delete(oldest);
	}

	return {
		get: (key) => objects.get(key),
		keys: () => [...objects.keys()],
		set(key, held) {
			const before = objects.get(key);
			objects.set(key, held);
			buried.delete(key);
			showHeld(place, key, before, held);
			return before !== held;
		},
		remove(key) {
			const before = objects.get(key);
			if (before === undefined) return false;
			objects.delete(key);
			bury(key);
			showHeld(place, key, before, undefined);
			return true;
		},
		isBuried: (key) => buried.has(key),
	};
}

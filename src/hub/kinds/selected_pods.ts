// Follows the Pods that policies select: one selector, one watch in each namespace, opened and closed with the policies.

import type { KindState } from "./kind_state.ts";
import type { Need } from "./needs.ts";
import { type Narrowing, type Scope, selectedScopes } from "./scopes.ts";

/** One collection that is being followed. */
export interface Following {
	readonly state: KindState;
	/** It is followed no more, and what only it had is not shown any more. */
	close(): void;
}

export interface SelectedPods {
	/** How many watches there may be. */
	readonly most: number;
	/** These selectors, as text, as many as there may be from the first on, those `still` in use that are followed now, and no others. */
	follow(selectors: ReadonlySet<string>, still: ReadonlySet<string>): void;
	isFollowed(selector: string): boolean;
	/** All that it selects was read, or the hub does not show it. */
	isSettled(selector: string): boolean;
	states(): readonly KindState[];
}

export interface SelectedPodsOptions {
	readonly need: Need;
	readonly narrowing: Narrowing;
	/** Watches at the most, of one connection each. */
	readonly most: number;
	readonly open: (scope: Scope) => Following;
}

export function createSelectedPods({ need, narrowing, most, open }: SelectedPodsOptions): SelectedPods {
	const places = Math.max(1, new Set(narrowing.namespaces).size);
	const mostSelectors = Math.max(1, Math.floor(most / places));
	const followed = new Map<string, readonly Following[]>();

	const statesOf = (selector: string): readonly KindState[] => (followed.get(selector) ?? []).map(({ state }) => state);

	function close(selector: string): void {
		for (const following of followed.get(selector) ?? []) following.close();
		followed.delete(selector);
	}

	return {
		most,
		follow(selectors, still) {
			const wanted = new Set([...selectors].slice(0, mostSelectors));
			for (const selector of wanted) {
				if (!followed.has(selector)) followed.set(selector, selectedScopes(need, selector, narrowing).map(open));
			}
			for (const selector of followed.keys()) if (!wanted.has(selector) && !still.has(selector)) close(selector);
		},
		isFollowed: (selector) => followed.has(selector),
		isSettled: (selector) => statesOf(selector).every((state) => state.status().synced),
		states: () => [...followed.keys()].flatMap(statesOf),
	};
}

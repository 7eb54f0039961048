// The slices of one Service as a sorted list that is never edited.

import type { EndpointSlice } from "../../model/cluster.ts";

/** The list with this slice put in, replaced, or (undefined) left out. */
export function replaceSlice(
	list: readonly EndpointSlice[],
	key: string,
	slice: EndpointSlice | undefined,
): readonly EndpointSlice[] {
	const others = list.filter((each) => each.key !== key);
	return slice === undefined ? others : sortSlices([...others, slice]);
}

export function sortSlices(slices: readonly EndpointSlice[]): readonly EndpointSlice[] {
	return slices.toSorted((a, b) => {
		if (a.key === b.key) return 0;
		return a.key < b.key ? -1 : 1;
	});
}

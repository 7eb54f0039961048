// What is the matter with a hub, in few sentences: where it is away, each of its kinds says so.

/** Before where it is asked at, and why it does not answer. */
const PLACE = " at http";

/** Distinct ones; of those that differ in the kind alone the first, with how many more there are. */
export function gatherTroubles(troubles: readonly (string | null | undefined)[]): readonly string[] {
	const groups = new Map<string, { readonly first: string; readonly all: Set<string> }>();
	for (const trouble of troubles) {
		if (trouble === null || trouble === undefined) continue;
		const at = trouble.indexOf(PLACE);
		const cause = at < 0 ? trouble : trouble.slice(at);
		const group = groups.get(cause) ?? { first: trouble, all: new Set() };
		group.all.add(trouble);
		groups.set(cause, group);
	}
	return [...groups.values()].map(({ first, all }) =>
		all.size === 1 ? first : `${first}, and ${all.size - 1} more of its kinds`,
	);
}

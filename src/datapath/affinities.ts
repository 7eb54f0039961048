// What programs know of clients: forgotten with the last frontend of a group, so that nobody finds it there when affinity is switched on again.

import { GROUP_SIZE, groupBytesOf, NO_GROUP } from "./codec.ts";
import type { Difference } from "./diff.ts";
import type { ReadonlyElements } from "./elements.ts";
import type { EntryFailure, Maps } from "./maps.ts";

/** Whether a frontend leaves its group with this difference. */
export function losesGroup({ puts, deletes }: Difference, frontends: ReadonlyElements): boolean {
	for (const key of deletes.frontends) if (groupIn(frontends.get(key)) !== NO_GROUP) return true;
	// The first write of all compares nothing: there is nothing to lose.
	if (frontends.size === 0) return false;
	for (const [key, value] of puts.frontends) {
		const before = groupIn(frontends.get(key));
		if (before !== NO_GROUP && before !== groupIn(value)) return true;
	}
	return false;
}

/** Forgets the clients of all groups that none of these frontends, the kernel's, has. */
export function purgeAffinities(maps: Maps, frontends: ReadonlyElements): readonly EntryFailure[] {
	const groups = new Set<string>();
	for (const [, value] of frontends) groups.add(groupBytesOf(value));
	const lost: string[] = [];
	// struct affinity_key begins with the group.
	for (const key of maps.dump("affinities").keys()) if (!groups.has(key.slice(0, GROUP_SIZE))) lost.push(key);
	return lost.length === 0 ? [] : maps.delete("affinities", lost);
}

function groupIn(value: string | undefined): string {
	return value === undefined ? NO_GROUP : groupBytesOf(value);
}

// What redirects have taken of a second: forgotten with a redirect's limit, so that its id's next owner finds nothing.

import { encodeId, idOf, limitOf } from "./codec.ts";
import type { Difference } from "./diff.ts";
import type { ReadonlyElements } from "./elements.ts";
import type { EntryFailure, Maps } from "./maps.ts";

/** Whether a frontend loses its limit with this difference. */
export function losesLimit({ puts, deletes }: Difference, frontends: ReadonlyElements): boolean {
	for (const key of deletes.frontends) if (isLimited(frontends.get(key))) return true;
	// The first write of all compares nothing: there is nothing to lose.
	if (frontends.size === 0) return false;
	for (const [key, value] of puts.frontends) {
		const before = frontends.get(key);
		if (isLimited(before) && !(isLimited(value) && idOf(value) === idOf(before))) return true;
	}
	return false;
}

/** Forgets the windows of all ids that none of these frontends, the kernel's, has with a limit. */
export function purgeWindows(maps: Maps, frontends: ReadonlyElements): readonly EntryFailure[] {
	const ids = new Set<string>();
	for (const [, value] of frontends) if (isLimited(value)) ids.add(encodeId(idOf(value)));
	const lost: string[] = [];
	for (const key of maps.dump("redirect_windows").keys()) if (!ids.has(key)) lost.push(key);
	return lost.length === 0 ? [] : maps.delete("redirect_windows", lost);
}

function isLimited(value: string | undefined): value is string {
	return value !== undefined && limitOf(value) > 0;
}

// Whether a server's past is not the one we know: after etcd was restored from a backup, a watch from "the future" just stays silent.

import { type ListOptions, readVersion } from "./page_list.ts";

/**
 * True if the collection's present version is before `version`, or cannot be compared with it. Versions are numbers in every
 * released Kubernetes, and documented so since 1.35.
 */
export async function isGoneBack(
	options: Pick<ListOptions, "api" | "scope" | "signal">,
	version: string,
): Promise<boolean> {
	const now = await readVersion(options);
	const whole = /^\d+$/;
	return !whole.test(now) || !whole.test(version) || BigInt(now) < BigInt(version);
}

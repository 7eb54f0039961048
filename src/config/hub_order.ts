// The values of all flags that have to do with hubs, in the order in which they count.

import { UsageError } from "./command_line.ts";
import type { Given, Origin, Values } from "./given.ts";

/** Flags that name a hub, or that belong to one. */
const HUB_FLAGS = ["manifests", "kubeconfig", "context", "api-server", "metaserver"] as const;
export type HubFlag = (typeof HUB_FLAGS)[number];
/** Together they say which API servers there are. */
const SERVER_FLAGS: readonly HubFlag[] = ["kubeconfig", "context", "api-server"];

export interface HubValue {
	readonly flag: HubFlag;
	readonly value: string;
	/** `--context`, `BALANCING_CONTEXT` or `context in FILE`. */
	readonly place: string;
	readonly origin: Origin;
}

type Lists = Readonly<Record<HubFlag, readonly string[]>>;

/**
 * As typed; then the environment's: manifests, API servers, MetaServers; then the file's, by its keys. In the environment and in a
 * file nothing stands between two lists: there the first context is for the first of several kubeconfigs, the second for the second,
 * and likewise with api-server. Throws UsageError where the lists have not the lengths for it.
 */
export function orderHubValues(lists: Lists, given: Values, typed: readonly string[]): readonly HubValue[] {
	const of = (flag: HubFlag, origin: Origin) => valuesOf(flag, lists, given, origin);
	const queues = new Map(HUB_FLAGS.map((flag) => [flag, of(flag, "command line")[Symbol.iterator]()]));
	const onLine = typed.flatMap((name) => {
		const next = HUB_FLAGS.find((flag) => flag === name && queues.has(flag));
		const value = next === undefined ? undefined : queues.get(next)?.next().value;
		return value ?? [];
	});
	const names = [...given.keys()].flatMap((name) => HUB_FLAGS.find((flag) => flag === name) ?? []);
	return [
		...onLine,
		...inBlocks(HUB_FLAGS, (flag) => of(flag, "environment")),
		...inBlocks(names, (flag) => of(flag, "file")),
	];
}

function valuesOf(flag: HubFlag, lists: Lists, given: Values, origin: Origin): readonly HubValue[] {
	const from: Given | undefined = given.get(flag);
	if (from?.origin !== origin) return [];
	return lists[flag].map((value) => ({ flag, value, place: from.place, origin }));
}

/** What belongs to API servers stands where the first of it stands. */
function inBlocks(order: readonly HubFlag[], of: (flag: HubFlag) => readonly HubValue[]): readonly HubValue[] {
	const given = order.filter((flag) => of(flag).length > 0);
	const first = given.find((flag) => SERVER_FLAGS.includes(flag));
	return given.flatMap((flag) => {
		if (!SERVER_FLAGS.includes(flag)) return of(flag);
		return flag === first ? inPairs(of("kubeconfig"), of("context"), of("api-server")) : [];
	});
}

function inPairs(
	kubeconfigs: readonly HubValue[],
	contexts: readonly HubValue[],
	addresses: readonly HubValue[],
): readonly HubValue[] {
	const servers = Math.max(kubeconfigs.length, contexts.length, 1);
	if (kubeconfigs.length > 1) demandLength(contexts, kubeconfigs);
	if (servers > 1) demandLength(addresses, contexts.length > 0 ? contexts : kubeconfigs);
	const longest = Math.max(servers, addresses.length);
	return Array.from({ length: longest }, (_, index) => index).flatMap((index) =>
		[kubeconfigs[index], contexts[index], addresses[index]].filter((value) => value !== undefined),
	);
}

function demandLength(few: readonly HubValue[], many: readonly HubValue[]): void {
	const [one] = few;
	if (one === undefined || few.length === many.length) return;
	const rule = `give ${many.length}, in the same order, or none`;
	throw new UsageError(
		`Cannot use ${one.place}: it has ${few.length} for the ${many.length} of ${many[0]?.place}; ${rule}`,
	);
}

// What the pinned maps tell after a restart: which address has which id, and which sets stand whole in the slots.

import { createTidying } from "../lib/garbage.ts";
import type { L4Address } from "../model/address.ts";
import type { Capacity } from "./capacity.ts";
import type { FrontendValue, SlotValue } from "./codec.ts";
import { decodeBackend, decodeFrontend, decodeFrontendKey, decodeId, decodeSlot, encodeId, ruleOf } from "./codec.ts";
import type { Contents } from "./contents.ts";
import type { ReadonlyElements } from "./elements.ts";
import { RULE_NUMBERS } from "./layout.ts";
import type { Layer } from "./place.ts";
import { redirectLayer } from "./place.ts";
import type { Range } from "./ranges.ts";
import { isRedirect } from "./references.ts";

/** A backend id that is in use. */
export interface RestoredBackend {
	readonly id: number;
	/** Undefined: unreadable, or another id has the same address. Nobody gets this id until the element is gone. */
	readonly address: L4Address | undefined;
}

/** A set that stands whole in its slots. */
export interface RestoredSet {
	readonly base: number;
	readonly active: number;
	/** Backend ids in the order of slots. */
	readonly members: readonly number[];
	readonly generation: number;
}

/** A frontend id that is in use. */
export interface RestoredFrontend {
	readonly id: number;
	/** The element's key; "" if there is only a name. */
	readonly key: string;
	/** Undefined: unreadable, only a name, or another id has the same. */
	readonly layer: Layer | undefined;
	/** Undefined: broken, to be made anew. */
	readonly set: RestoredSet | undefined;
}

export interface Restored {
	readonly backends: readonly RestoredBackend[];
	readonly frontends: readonly RestoredFrontend[];
	/** Slots that are in use by no whole set. */
	readonly looseSlots: readonly Range[];
	/** Backend ids that slots refer to and that are nobody's: never given, or such a slot would come to life. */
	readonly danglingIds: readonly number[];
	/** The greatest generation seen. */
	readonly generation: number;
}

/** Total: whatever cannot be understood is kept apart until it is gone from the maps. */
export function restore(actual: Contents, capacity: Capacity): Restored {
	const frontends = restoreFrontends(actual, capacity);
	const backends = restoreBackends(actual, capacity);
	return {
		backends,
		frontends: [...frontends, ...restoreNames(actual, capacity, frontends)],
		looseSlots: restoreLooseSlots(actual, capacity, frontends),
		danglingIds: restoreDangling(actual, capacity),
		generation: frontends.reduce((highest, { set }) => Math.max(highest, set?.generation ?? 0), 0),
	};
}

function restoreBackends(actual: Contents, capacity: Capacity): readonly RestoredBackend[] {
	const restored: RestoredBackend[] = [];
	const seen = new Set<L4Address>();
	const tidy = createTidying();
	for (const [key, value] of actual.backends) {
		const id = decodeId(key);
		if (!isId(id, capacity.backends)) continue;
		const address = decodeBackend(value);
		restored.push({ id, address: address !== undefined && seen.has(address) ? undefined : address });
		if (address !== undefined) seen.add(address);
		tidy();
	}
	return restored;
}

function restoreFrontends(actual: Contents, capacity: Capacity): readonly RestoredFrontend[] {
	const restored: RestoredFrontend[] = [];
	const ids = new Set<number>();
	const layers = new Set<Layer>();
	const tidy = createTidying();
	for (const [key, bytes] of inOrder(actual.frontends)) {
		const value = decodeFrontend(bytes);
		// Two frontends with one id: their slots would prove nothing; the second one gets an id of its own.
		if (!isId(value.id, capacity.frontends) || ids.has(value.id)) continue;
		ids.add(value.id);
		const layer = layerOf(key, bytes);
		const isFirst = layer === undefined || !layers.has(layer);
		if (layer !== undefined) layers.add(layer);
		const set = restoreSet(actual, capacity, value);
		restored.push({ id: value.id, key, layer: isFirst ? layer : undefined, set });
		tidy();
	}
	return restored;
}

/**
 * Where a redirect came or went when its writer was killed, what it stands before is there by both rules, with one id: programs
 * go by the first.
 */
function* inOrder(frontends: ReadonlyElements): Iterable<readonly [key: string, value: string]> {
	const later: (readonly [string, string])[] = [];
	for (const entry of frontends) {
		if (ruleOf(entry[0]) === RULE_NUMBERS.FIRST) yield entry;
		else later.push(entry);
	}
	yield* later;
}

function layerOf(key: string, value: string): Layer | undefined {
	const address = decodeFrontendKey(key);
	if (address === undefined) return undefined;
	return ruleOf(key) === RULE_NUMBERS.FIRST && isRedirect(value) ? redirectLayer(address) : address;
}

function restoreSet(actual: Contents, capacity: Capacity, value: FrontendValue): RestoredSet | undefined {
	const { id, slotBase, active, members, generation } = value;
	if (active > members || slotBase + members > capacity.slots) return undefined;
	const ids: number[] = [];
	for (let index = slotBase; index < slotBase + members; index++) {
		const slot = decodeMaybe(actual.slots.get(encodeId(index)));
		if (slot === undefined || slot.owner !== id || !actual.backends.has(encodeId(slot.backendId))) return undefined;
		ids.push(slot.backendId);
	}
	return { base: slotBase, active, members: ids, generation };
}

/** Names without a frontend: left by a process that was killed between the two. */
function restoreNames(
	actual: Contents,
	capacity: Capacity,
	frontends: readonly RestoredFrontend[],
): readonly RestoredFrontend[] {
	const used = new Set(frontends.map((frontend) => frontend.id));
	return [...actual.names.keys()]
		.map(decodeId)
		.filter((id) => isId(id, capacity.frontends) && !used.has(id))
		.map((id) => ({ id, key: "", layer: undefined, set: undefined }));
}

function restoreLooseSlots(
	actual: Contents,
	capacity: Capacity,
	frontends: readonly RestoredFrontend[],
): readonly Range[] {
	const owned = new Set<number>();
	for (const { set } of frontends)
		if (set !== undefined) for (let index = 0; index < set.members.length; index++) owned.add(set.base + index);
	return [...actual.slots.keys()]
		.map(decodeId)
		.filter((index) => index < capacity.slots && !owned.has(index))
		.map((base) => ({ base, length: 1 }));
}

function restoreDangling(actual: Contents, capacity: Capacity): readonly number[] {
	const ids = new Set<number>();
	for (const [, bytes] of actual.slots) {
		const { backendId } = decodeSlot(bytes);
		if (isId(backendId, capacity.backends) && !actual.backends.has(encodeId(backendId))) ids.add(backendId);
	}
	return [...ids];
}

function decodeMaybe(bytes: string | undefined): SlotValue | undefined {
	return bytes === undefined ? undefined : decodeSlot(bytes);
}

function isId(id: number, highest: number): boolean {
	return id >= 1 && id <= highest;
}

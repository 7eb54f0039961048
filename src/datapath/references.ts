// Who refers to whom in the maps' bytes: a frontend to its name and slots, a slot to its backend.

import { decodeFrontend, decodeSlot, encodeId, guardBytesOf, NO_GROUP, withRule } from "./codec.ts";
import type { Contents, Keys } from "./contents.ts";
import { emptyKeys } from "./contents.ts";
import { RULE_NUMBERS } from "./layout.ts";

/** Whether the backend that this value of a slot refers to stands in `actual` as it is wanted. */
export function isSlotSupported(value: string, actual: Contents, wanted: Contents): boolean {
	const backend = encodeId(decodeSlot(value).backendId);
	const address = actual.backends.get(backend);
	return address !== undefined && address === wanted.backends.get(backend);
}

/**
 * Whether all that this value of a frontend refers to stands in `actual` as it is wanted: then a program that finds
 * the frontend finds its whole set.
 */
export function isFrontendSupported(value: string, actual: Contents, wanted: Contents): boolean {
	const { id, slotBase, members } = decodeFrontend(value);
	const name = encodeId(id);
	if (actual.names.get(name) !== wanted.names.get(name)) return false;
	for (let index = slotBase; index < slotBase + members; index++) {
		const key = encodeId(index);
		const slot = actual.slots.get(key);
		if (slot === undefined || slot !== wanted.slots.get(key) || !isSlotSupported(slot, actual, wanted)) return false;
	}
	return true;
}

/** Whether this value of a frontend is a redirect's: programs that go past it look for the next rule. */
export function isRedirect(value: string | undefined): boolean {
	return value !== undefined && guardBytesOf(value) !== NO_GROUP;
}

/** Whether there is somebody to go on to past this frontend, if somebody is wanted. */
export function hasNext(key: string, actual: Contents, wanted: Contents): boolean {
	const next = withRule(key, RULE_NUMBERS.NEXT);
	return actual.frontends.has(next) || !wanted.frontends.has(next);
}

/**
 * All that programs reach through these frontends as they are in `actual`. Values are believed no further than there
 * are slots, so that a broken one does not keep us busy for 2^32 steps.
 */
export function reachableFrom(frontends: Iterable<string>, actual: Contents): Keys {
	const reached = emptyKeys();
	for (const key of frontends) {
		const value = actual.frontends.get(key);
		if (value === undefined) continue;
		const { id, slotBase, members } = decodeFrontend(value);
		reached.frontends.add(key);
		reached.names.add(encodeId(id));
		for (const slot of slotKeys(actual, slotBase, members)) reached.slots.add(slot);
	}
	addBackends(reached, actual);
	return reached;
}

/** Adds the backends that the slots in `reached` refer to. */
export function addBackends(reached: Keys, actual: Contents): void {
	for (const key of reached.slots) {
		const slot = actual.slots.get(key);
		if (slot !== undefined) reached.backends.add(encodeId(decodeSlot(slot).backendId));
	}
}

function* slotKeys(actual: Contents, base: number, members: number): Iterable<string> {
	// More members than there are slots: go through the slots instead.
	if (members > actual.slots.size) {
		yield* actual.slots.keys();
		return;
	}
	for (let index = base; index < base + members; index++) yield encodeId(index);
}

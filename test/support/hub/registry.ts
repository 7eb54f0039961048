// Which kinds are served just now: those built in, and those whose definitions are established.

import { BUILTIN, customKind, DEFINITIONS, idOf, type Kind } from "./kind.ts";
import { keyOf } from "./object.ts";
import type { Store } from "./store.ts";

export interface Registry {
	all(): readonly Kind[];
	/** By group, version and plural. */
	find(group: string, version: string, resource: string): Kind | undefined;
	/** By apiVersion and kind, as objects name it. */
	findKind(apiVersion: string, kind: string): Kind | undefined;
	/** By kind (Service), plural, or plural.group. Throws if there is none. */
	named(name: string): Kind;
	hasGroup(group: string, version: string): boolean;
}

export function createRegistry(store: Store): Registry {
	let known: readonly Kind[] = [];
	let forObjects: unknown;
	const all = () => {
		const definitions = store.snapshot(DEFINITIONS).objects;
		if (definitions !== forObjects) {
			known = [...BUILTIN, ...definitions.map(customKind).filter((kind) => kind !== undefined)];
			forObjects = definitions;
		}
		return known;
	};
	return {
		all,
		find: (group, version, resource) =>
			all().find((kind) => kind.group === group && kind.version === version && kind.resource === resource),
		findKind: (apiVersion, name) =>
			all().find(
				({ group, version, kind }) => kind === name && apiVersion === (group === "" ? version : `${group}/${version}`),
			),
		named(name) {
			const found = all().find((kind) => [kind.kind, kind.resource, idOf(kind)].includes(name));
			if (found === undefined)
				throw new Error(`Cannot find the kind ${name}: the hub serves ${all().map(idOf).join(", ")}`);
			return found;
		},
		hasGroup: (group, version) => all().some((kind) => kind.group === group && kind.version === version),
	};
}

/** Deletes what is of a kind: its definition is gone. */
export function removeAll(store: Store, kind: Kind): void {
	for (const object of store.snapshot(idOf(kind)).objects) store.remove(idOf(kind), keyOf(object));
}

// Memory maps that write down what is done to them, and fail where they are told to.

import { decodeAddressKey } from "../../src/datapath/address_codec.ts";
import { decodeFrontendKey, decodeId, ruleOf } from "../../src/datapath/codec.ts";
import type { AnyMapName, EntryFailure, Maps } from "../../src/datapath/maps.ts";
import { createMemoryMaps } from "../../src/datapath/memory_maps.ts";

export interface RecordingMaps extends Maps {
	/** `put slots 0`, since the last call. */
	taken(): readonly string[];
	/** Elements that fail from now on, as `put slots 0`; a line without an element fails all. */
	fail(...lines: readonly string[]): void;
}

function elementOf(map: AnyMapName, key: string): string | number | undefined {
	if (map === "frontends") return `${decodeFrontendKey(key)}${ruleOf(key) === 0 ? "" : " next"}`;
	return map === "addresses" ? decodeAddressKey(key) : decodeId(key);
}

export function createRecordingMaps(maps: Maps = createMemoryMaps()): RecordingMaps {
	let lines: string[] = [];
	let failing: readonly string[] = [];

	function one(verb: string, map: AnyMapName, key: string, write: () => readonly EntryFailure[]): EntryFailure[] {
		const line = `${verb} ${map} ${elementOf(map, key)}`;
		lines.push(line);
		if (failing.includes(line) || failing.includes(`${verb} ${map}`)) return [{ key, errno: -12 }];
		return [...write()];
	}

	return {
		dump: (map) => maps.dump(map),
		put: (map, entries) =>
			[...entries].flatMap(([key, value]) => one("put", map, key, () => maps.put(map, new Map([[key, value]])))),
		delete: (map, keys) => [...keys].flatMap((key) => one("delete", map, key, () => maps.delete(map, [key]))),
		taken() {
			const all = lines;
			lines = [];
			return all;
		},
		fail(...list) {
			failing = list;
		},
	};
}

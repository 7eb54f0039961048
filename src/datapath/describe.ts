// Elements of the maps as named fields, for `balancing maps`.

import { Buffer } from "node:buffer";
import { decodeAddressKey, decodeKnownAddress } from "./address_codec.ts";
import { decodeBackend, decodeFrontend, decodeFrontendKey, decodeId, decodeName, decodeSlot } from "./codec.ts";
import { type FieldName, offsetOf, type StructName } from "./layout.ts";
import { MAP_NAMES, type Maps } from "./maps.ts";
import { traitsOf } from "./traits.ts";

export const READABLE_MAPS = [...MAP_NAMES, "frontend_stats", "backend_stats"] as const;
export type ReadableMap = (typeof READABLE_MAPS)[number];

type Element = Readonly<Record<string, string | number | boolean | null>>;

function u64<S extends StructName>(bytes: string, struct: S, field: FieldName<S>): number {
	return Number(Buffer.from(bytes, "latin1").readBigUInt64LE(offsetOf(struct, field)));
}

/** What does not concern a frontend without session affinity is left out. */
function frontendElement(key: string, value: string): Element {
	const { flags, affinity, affinitySeconds, ...numbers } = decodeFrontend(value);
	const { client, ...traits } = traitsOf(flags);
	const clients = affinity === "" ? {} : { affinity, affinitySeconds, client };
	return { address: decodeFrontendKey(key) ?? null, ...numbers, ...traits, ...clients };
}

function element(map: ReadableMap, key: string, value: string): Element {
	switch (map) {
		case "frontends":
			return frontendElement(key, value);
		case "addresses":
			return { address: decodeAddressKey(key), ...decodeKnownAddress(value) };
		case "slots":
			return { index: decodeId(key), ...decodeSlot(value) };
		case "backends":
			return { id: decodeId(key), address: decodeBackend(value) ?? null };
		case "names":
			return { id: decodeId(key), name: decodeName(value) };
		case "frontend_stats":
			return {
				id: decodeId(key),
				resolved: u64(value, "frontend_stats", "resolved"),
				refused: u64(value, "frontend_stats", "refused"),
			};
		case "backend_stats":
			return {
				id: decodeId(key),
				connections: u64(value, "backend_stats", "connections"),
				opened: u64(value, "backend_stats", "opened"),
				closed: u64(value, "backend_stats", "closed"),
			};
	}
}

/** Sorted by id or index; frontends by id, addresses as bytes. */
export function describeMap(maps: Maps, map: ReadableMap): readonly Element[] {
	const entries = [...maps.dump(map)];
	if (map === "addresses") entries.sort(([a], [b]) => (a < b ? -1 : 1));
	const order = (item: Element) => Number(item["index"] ?? item["id"] ?? 0);
	return entries.map(([key, value]) => element(map, key, value)).sort((a, b) => order(a) - order(b));
}

// Elements of the maps as named fields, for `balancing maps`.

import { Buffer } from "node:buffer";
import { ipFromBytes } from "../model/address.ts";
import { decodeAddressKey, decodeKnownAddress } from "./address_codec.ts";
import {
	decodeBackend,
	decodeFrontend,
	decodeFrontendKey,
	decodeId,
	decodeName,
	decodeSlot,
	GROUP_SIZE,
	ruleOf,
} from "./codec.ts";
import { describeGuard } from "./guards.ts";
import { type FieldName, offsetOf, RULE_NUMBERS, type StructName, sizeOf } from "./layout.ts";
import { MAP_NAMES, type Maps } from "./maps.ts";
import { clientOf, traitsOf } from "./traits.ts";

export const READABLE_MAPS = [...MAP_NAMES, "affinities", "guards", "frontend_stats", "backend_stats"] as const;
export type ReadableMap = (typeof READABLE_MAPS)[number];

const NANOSECONDS = 1_000_000_000;

type Element = Readonly<Record<string, string | number | boolean | null>>;

function u64<S extends StructName>(bytes: string, struct: S, field: FieldName<S>): number {
	return Number(Buffer.from(bytes, "latin1").readBigUInt64LE(offsetOf(struct, field)));
}

/** What does not concern a frontend without session affinity, or without a redirect, is left out. */
function frontendElement(key: string, value: string): Element {
	const { flags, affinity, affinitySeconds, guard, limit, ...numbers } = decodeFrontend(value);
	const { client, ...traits } = traitsOf(flags);
	const clients = affinity === "" ? {} : { affinity, affinitySeconds, client };
	const redirect = guard === "" ? {} : { guard, limit };
	const rule = ruleOf(key) === RULE_NUMBERS.FIRST ? {} : { rule: "next" };
	return { address: decodeFrontendKey(key) ?? null, ...numbers, ...traits, ...clients, ...redirect, ...rule };
}

/** `used` in seconds since the system started, suspended or not (CLOCK_BOOTTIME). */
function affinityElement(key: string, value: string): Element {
	const [keyBytes, bytes] = [Buffer.from(key, "latin1"), Buffer.from(value, "latin1")];
	const backend = offsetOf("affinity", "backend_address");
	const ip = ipFromBytes(bytes.subarray(backend, backend + sizeOf("address")));
	const port = bytes.readUInt16BE(offsetOf("affinity", "backend_port"));
	return {
		affinity: Buffer.from(key.slice(0, GROUP_SIZE), "latin1").toString("hex"),
		identity: clientOf(keyBytes.readUInt32LE(offsetOf("affinity_key", "identity"))),
		client: String(keyBytes.readBigUInt64LE(offsetOf("affinity_key", "client"))),
		backend: `${ip.includes(":") ? `[${ip}]` : ip}:${port}`,
		backendId: bytes.readUInt32LE(offsetOf("affinity", "backend_id")),
		used: Math.floor(u64(value, "affinity", "used") / NANOSECONDS),
	};
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
		case "affinities":
			return affinityElement(key, value);
		case "guards":
			return describeGuard(key, value);
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

/** Sorted by id or index; frontends by id, addresses and clients by their bytes. */
export function describeMap(maps: Maps, map: ReadableMap): readonly Element[] {
	const entries = [...maps.dump(map)];
	if (map === "addresses" || map === "affinities" || map === "guards") entries.sort(([a], [b]) => (a < b ? -1 : 1));
	const order = (item: Element) => Number(item["index"] ?? item["id"] ?? 0);
	return entries.map(([key, value]) => element(map, key, value)).sort((a, b) => order(a) - order(b));
}

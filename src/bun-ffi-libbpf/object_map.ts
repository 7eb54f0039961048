// The maps of an object: how they are to be, before the load; how to reach them, after it.

import { BpfError, errnoNumber } from "./errors.ts";
import { type BpfMap, mapFromFd, openPinnedMap } from "./map.ts";
import type { MapInfo } from "./map_info.ts";
import { check, cString, native, readText, u32Of } from "./native.ts";
import type { Stage } from "./object_stage.ts";
import { MAP_TYPES, typeName } from "./uapi.ts";

export interface ObjectMap {
	/** As in the source; data sections are called `.rodata`, `.data`, `.bss`. */
	readonly name: string;
	/** What is wanted; `id` is 0 until the load. */
	readonly info: MapInfo;
	/** Where it will be, or is, pinned. */
	readonly pinPath: string | undefined;
	/** Of this object, valid until the object is closed. Throws before the load. */
	readonly fd: number;
	/** Before the load. For a ring buffer: its size in bytes, a power of two and whole pages. */
	setMaxEntries(count: number): void;
	/**
	 * Before the load. The load pins the map there, or takes the map that is pinned there if its definition fits;
	 * else the load fails (EINVAL) and says what differs.
	 */
	setPinPath(path: string): void;
	/** A handle of its own, which outlives the object. Throws before the load. */
	open(): BpfMap;
}

/** type, key_size, value_size, max_entries, flags, internal, fd */
const FACTS_SIZE = 7 * 4;
const SECTION = /\.(rodata|data|bss|kconfig)(\..*)?$/;

interface Facts {
	readonly info: MapInfo;
	readonly fd: number;
}

function readFacts(handle: bigint): Facts {
	const words = new Int32Array(FACTS_SIZE / 4);
	native().bffi_map_facts(handle, words);
	const name = readText((out, capacity) => native().bffi_map_name(handle, out, capacity));
	const word = (index: number): number => (words[index] ?? 0) >>> 0;
	return {
		info: {
			id: 0,
			type: typeName(MAP_TYPES, word(0)),
			keySize: word(1),
			valueSize: word(2),
			maxEntries: word(3),
			flags: word(4),
			// libbpf puts the object's name before the sections of data
			name: word(5) === 0 ? name : (SECTION.exec(name)?.[0] ?? name),
		},
		fd: words[6] ?? -1,
	};
}

export function objectMap(handle: bigint, stage: Stage): ObjectMap {
	const { name } = readFacts(handle).info;
	const what = `map ${name}`;

	function fd(): number {
		stage.requireLoaded(what);
		return readFacts(handle).fd;
	}

	return {
		name,
		get info() {
			stage.requireOpen(what);
			return readFacts(handle).info;
		},
		get pinPath() {
			stage.requireOpen(what);
			const path = readText((out, capacity) => native().bffi_map_pin_path(handle, out, capacity));
			return path === "" ? undefined : path;
		},
		get fd() {
			return fd();
		},
		setMaxEntries(count) {
			stage.requireUnloaded(what);
			check(native().bffi_map_set_max_entries(handle, u32Of("maxEntries", count)), {
				action: `set max_entries of ${what} to ${count}`,
				call: "bpf_map__set_max_entries",
			});
		},
		setPinPath(path) {
			stage.requireUnloaded(what);
			check(native().bffi_map_set_pin_path(handle, cString(path)), {
				action: `set the pin path of ${what}`,
				call: "bpf_map__set_pin_path",
			});
		},
		open() {
			return mapFromFd(check(native().bffi_dup(fd()), { action: `open ${what}`, call: "dup" }));
		},
	};
}

const COMPARED = ["type", "keySize", "valueSize", "maxEntries", "flags"] as const;

/** How the map that is pinned there differs from the wanted one; undefined if nothing is there or it fits. */
function difference(map: ObjectMap, path: string): string | undefined {
	try {
		using pinned = openPinnedMap(path);
		const wanted = map.info;
		const facts = COMPARED.filter((key) => pinned.info[key] !== wanted[key]);
		if (facts.length === 0) return undefined;
		return facts.map((key) => `${key} is ${pinned.info[key]}, wanted ${wanted[key]}`).join(", ");
	} catch (error) {
		if (error instanceof BpfError) return error.errno === errnoNumber("EINVAL") ? "it is no map" : undefined;
		throw error;
	}
}

/** Why a load with EINVAL failed, if a pinned map is the reason. */
export function pinMismatch(maps: Iterable<ObjectMap>): string | undefined {
	for (const map of maps) {
		const path = map.pinPath;
		const found = path === undefined ? undefined : difference(map, path);
		if (found !== undefined) return `map ${map.name} is pinned at ${path} with another definition: ${found}`;
	}
	return undefined;
}

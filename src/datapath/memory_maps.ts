// The kernel's maps in memory, by the kernel's rules: for tests, and for everything that wants to know what would be written.

import type { Capacity } from "./capacity.ts";
import { AFFINITIES, CAPACITY, GUARDS } from "./capacity.ts";
import { decodeId } from "./codec.ts";
import { sizeOf } from "./layout.ts";
import type { AnyMapName, Entries, EntryFailure, Maps } from "./maps.ts";

const E2BIG = -7;
const EINVAL = -22;

/** Of struct redirect_window in bpf/maps.h: user space does not look into it. */
const WINDOW_SIZE = 16;

interface Definition {
	readonly type: "hash" | "array";
	readonly keySize: number;
	readonly valueSize: number;
	readonly maxEntries: number;
}

interface Twin extends Definition {
	readonly elements: Map<string, string>;
	readonly zero: string;
}

/** Empty maps of this capacity, shaped as bpf/maps.h declares them. */
export function createMemoryMaps(capacity: Capacity = CAPACITY): Maps {
	const twins = createTwins(capacity);
	return {
		dump: (map) => new Map(twins[map].elements),
		put: (map, entries) => putAll(twins[map], entries),
		delete: (map, keys) => deleteAll(twins[map], keys),
	};
}

function putAll(twin: Twin, entries: Entries): readonly EntryFailure[] {
	const failures: EntryFailure[] = [];
	for (const [key, value] of entries) {
		const errno = putOne(twin, key, value);
		if (errno !== 0) failures.push({ key, errno });
	}
	return failures;
}

function deleteAll(twin: Twin, keys: Iterable<string>): readonly EntryFailure[] {
	const failures: EntryFailure[] = [];
	for (const key of keys) {
		// The kernel deletes no element of an array (EINVAL): zeros are written instead.
		const errno = twin.type === "array" ? putOne(twin, key, twin.zero) : deleteOne(twin, key);
		if (errno !== 0) failures.push({ key, errno });
	}
	return failures;
}

/** 0 or a negative errno, as BPF_MAP_UPDATE_ELEM with BPF_ANY. */
function putOne(twin: Twin, key: string, value: string): number {
	if (key.length !== twin.keySize || value.length !== twin.valueSize) return EINVAL;
	const isFull =
		twin.type === "array"
			? decodeId(key) >= twin.maxEntries
			: twin.elements.size >= twin.maxEntries && !twin.elements.has(key);
	if (isFull) return E2BIG;
	if (twin.type === "array" && value === twin.zero) twin.elements.delete(key);
	else twin.elements.set(key, value);
	return 0;
}

function deleteOne(twin: Twin, key: string): number {
	if (key.length !== twin.keySize) return EINVAL;
	twin.elements.delete(key);
	return 0;
}

function createTwins(capacity: Capacity): Readonly<Record<AnyMapName, Twin>> {
	const id = { keySize: 4 };
	const frontendIds = { ...id, maxEntries: capacity.frontends + 1 };
	const backendIds = { ...id, maxEntries: capacity.backends + 1 };
	return {
		backends: createTwin({ type: "array", ...backendIds, valueSize: sizeOf("backend") }),
		slots: createTwin({ type: "array", ...id, maxEntries: capacity.slots, valueSize: sizeOf("slot") }),
		names: createTwin({ type: "hash", ...frontendIds, valueSize: sizeOf("frontend_name") }),
		frontends: createTwin({
			type: "hash",
			keySize: sizeOf("frontend_key"),
			valueSize: sizeOf("frontend"),
			maxEntries: capacity.frontends + 1,
		}),
		addresses: createTwin({
			type: "hash",
			keySize: sizeOf("address"),
			valueSize: sizeOf("known_address"),
			maxEntries: capacity.addresses,
		}),
		// The kernel makes room there where this one is full.
		affinities: createTwin({
			type: "hash",
			keySize: sizeOf("affinity_key"),
			valueSize: sizeOf("affinity"),
			maxEntries: AFFINITIES,
		}),
		guards: createTwin({
			type: "hash",
			keySize: sizeOf("guard_key"),
			valueSize: sizeOf("guard"),
			maxEntries: GUARDS,
		}),
		redirect_windows: createTwin({ type: "hash", ...frontendIds, valueSize: WINDOW_SIZE }),
		backend_stats: createTwin({ type: "array", ...backendIds, valueSize: sizeOf("backend_stats") }),
		frontend_stats: createTwin({ type: "array", ...frontendIds, valueSize: sizeOf("frontend_stats") }),
	};
}

function createTwin(definition: Definition): Twin {
	return { ...definition, elements: new Map(), zero: "\0".repeat(definition.valueSize) };
}

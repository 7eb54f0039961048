// One map of the kernel: its elements by raw bytes, one at a time or many at once.

import { openPinned, own, pinDescriptor } from "./descriptor.ts";
import { BpfError, errnoNumber } from "./errors.ts";
import { type DeleteResult, deleteMany, type UpdateResult, updateMany } from "./map_batch.ts";
import { readChunks } from "./map_chunks.ts";
import { type MapInfo, readMapInfo, valueBytes } from "./map_info.ts";
import { check, cString, failure, native, u32Of } from "./native.ts";
import { MAP_TYPES, type MapType, typeNumber } from "./uapi.ts";

/** BPF_ANY, BPF_NOEXIST, BPF_EXIST: write in any case, only a new element, only one that is there. */
export type UpdateMode = "any" | "create" | "replace";
const NOT_FOUND = errnoNumber("ENOENT");
const UPDATE_FLAGS = { any: 0, create: 1, replace: 2 } as const;

/** Elements side by side: `count` keys and as many values. */
export interface Chunk {
	readonly keys: Uint8Array<ArrayBuffer>;
	readonly values: Uint8Array<ArrayBuffer>;
	readonly count: number;
}

/**
 * Keys and values are the kernel's bytes. A key or value of another length than the map's is a RangeError; what the
 * kernel refuses is a BpfError.
 */
export interface BpfMap extends Disposable {
	readonly info: MapInfo;
	/** Of this handle. Throws once it is closed. */
	readonly fd: number;
	/** Bytes of one value here: `info.valueSize`, but of a per-CPU map one padded part for each possible CPU. */
	readonly valueBytes: number;
	/** A copy of the value, or undefined if there is no such element. */
	lookup(key: Uint8Array): Uint8Array<ArrayBuffer> | undefined;
	/** As `lookup`, into a buffer of the caller's; false if there is no such element. */
	lookupInto(key: Uint8Array, value: Uint8Array): boolean;
	/** Throws E2BIG if the map is full, EEXIST or ENOENT as `mode` says. */
	update(key: Uint8Array, value: Uint8Array, mode?: UpdateMode): void;
	/** False if there was no such element. Elements of arrays cannot be deleted (EINVAL). */
	delete(key: Uint8Array): boolean;
	/** As `delete`, without exceptions: 0, or the errno (ENOENT if there was no such element). */
	tryDelete(key: Uint8Array): number;
	/**
	 * Writes elements, side by side in `keys` and `values`, in order until one fails: by BPF_MAP_UPDATE_BATCH
	 * (Linux 5.6), or one by one where the kernel cannot do that for this kind of map or mode. `count` is all if left
	 * out. Some thousands at a time keep the event loop awake.
	 */
	updateBatch(keys: Uint8Array, values: Uint8Array, count?: number, mode?: UpdateMode): UpdateResult;
	/** Deletes elements in order until one fails; one that is absent fails (ENOENT). */
	deleteBatch(keys: Uint8Array, count?: number): DeleteResult;
	/** All elements, some hundred at a time; what changes meanwhile may be in it or not. */
	chunks(): Generator<Chunk, void, undefined>;
	/** All elements one by one; the views are the caller's to keep. */
	entries(): Generator<[key: Uint8Array, value: Uint8Array], void, undefined>;
	/** Keeps the map alive under a path on a bpf file system. */
	pin(path: string): void;
	/** Closes this handle; the map lives while a pin, a program or another handle holds it. */
	close(): void;
}

function wrongLength(what: string, found: number, wanted: number): RangeError {
	return new RangeError(`The ${what} is ${found} bytes, the map's is ${wanted}`);
}

/** Throws unless `bytes` has at least `count` parts of `size`. */
function checkBatch(what: string, bytes: Uint8Array, count: number, size: number): void {
	const wanted = count * size;
	if (Number.isInteger(count) && count >= 0 && size > 0 && bytes.length >= wanted) return;
	throw new RangeError(`The ${what} of ${count} elements are ${wanted} bytes, here are ${bytes.length}`);
}

function* entriesOf(map: BpfMap): Generator<[key: Uint8Array, value: Uint8Array], void, undefined> {
	const keySize = map.info.keySize;
	for (const { keys, values, count } of map.chunks()) {
		for (let index = 0; index < count; index++) {
			const key = keys.subarray(index * keySize, (index + 1) * keySize);
			yield [key, values.subarray(index * map.valueBytes, (index + 1) * map.valueBytes)];
		}
	}
}

/** A map behind an open file descriptor, which it owns from now on. */
export function mapFromFd(fd: number): BpfMap {
	const info = readMapInfoOrClose(fd);
	const { keySize } = info;
	const size = valueBytes(info);
	const name = `map ${info.name === "" ? info.id : info.name}`;
	const descriptor = own(fd, name);
	const calls = native();

	function checkKey(key: Uint8Array): void {
		if (key.length !== keySize) throw wrongLength("key", key.length, keySize);
	}
	function checkValue(value: Uint8Array): void {
		if (value.length !== size) throw wrongLength("value", value.length, size);
	}
	function lookupInto(key: Uint8Array, value: Uint8Array): boolean {
		checkKey(key);
		checkValue(value);
		const result = calls.bffi_map_lookup(descriptor.fd, key, value);
		if (result === 0) return true;
		if (result === -NOT_FOUND) return false;
		throw failure(result, { action: `look up in ${name}`, call: "bpf_map_lookup_elem" });
	}

	function tryDelete(key: Uint8Array): number {
		checkKey(key);
		return 0 - calls.bffi_map_delete(descriptor.fd, key);
	}

	const map: BpfMap = {
		info,
		valueBytes: size,
		get fd() {
			return descriptor.fd;
		},
		lookup(key) {
			const value = new Uint8Array(size);
			return lookupInto(key, value) ? value : undefined;
		},
		lookupInto,
		update(key, value, mode = "any") {
			checkKey(key);
			checkValue(value);
			const result = calls.bffi_map_update(descriptor.fd, key, value, UPDATE_FLAGS[mode]);
			if (result < 0) throw failure(result, { action: `update ${name}`, call: "bpf_map_update_elem" });
		},
		delete(key) {
			const errno = tryDelete(key);
			if (errno !== 0 && errno !== NOT_FOUND)
				throw failure(-errno, { action: `delete from ${name}`, call: "bpf_map_delete_elem" });
			return errno === 0;
		},
		tryDelete,
		updateBatch(keys, values, count = keys.length / keySize, mode = "any") {
			checkBatch("keys", keys, count, keySize);
			checkBatch("values", values, count, size);
			return updateMany(descriptor.fd, { keys, values, count, keySize, valueSize: size, flags: UPDATE_FLAGS[mode] });
		},
		deleteBatch(keys, count = keys.length / keySize) {
			checkBatch("keys", keys, count, keySize);
			return deleteMany(descriptor.fd, { keys, count, keySize });
		},
		chunks: () => readChunks({ fd: descriptor, info, valueSize: size, name }),
		entries: () => entriesOf(map),
		pin(path) {
			pinDescriptor(descriptor.fd, path, name);
		},
		close: descriptor.close,
		[Symbol.dispose]: descriptor.close,
	};
	return map;
}

function readMapInfoOrClose(fd: number): MapInfo {
	try {
		return readMapInfo(fd);
	} catch (error) {
		native().bffi_close(fd);
		throw error;
	}
}

/** Opens a pinned map. Throws a BpfError: ENOENT if nothing is there, EINVAL if it is no map. */
export function openPinnedMap(path: string): BpfMap {
	return mapFromFd(openPinned(path, "map"));
}

export interface MapSpec {
	readonly type: MapType;
	readonly keySize: number;
	readonly valueSize: number;
	readonly maxEntries: number;
	/** BPF_F_* flags; 0 if left out. */
	readonly flags?: number;
	/** Letters, digits, `_` and `.`; at most 15 bytes. */
	readonly name?: string;
}

/** The kernel keeps 16 bytes with the NUL (BPF_OBJ_NAME_LEN). */
const NAME = /^[A-Za-z0-9_.]{0,15}$/;

/** Creates a map without an object. */
export function createMap(spec: MapSpec): BpfMap {
	const name = spec.name ?? "";
	const action = `create the map ${name || spec.type}`;
	if (!NAME.test(name)) {
		throw new BpfError({
			action,
			call: "bpf_map_create",
			errno: errnoNumber("EINVAL"),
			hint: "a name has letters, digits, _ and . and at most 15 bytes",
		});
	}
	const words = [
		typeNumber(MAP_TYPES, spec.type),
		u32Of("keySize", spec.keySize),
		u32Of("valueSize", spec.valueSize),
		u32Of("maxEntries", spec.maxEntries),
		u32Of("flags", spec.flags ?? 0),
	];
	return mapFromFd(
		check(native().bffi_map_create(new Uint32Array(words), cString(name)), { action, call: "bpf_map_create" }),
	);
}

// What the kernel says about a map, and how many bytes a value of it has for user space.

import { readInfo } from "./descriptor.ts";
import { check, native, textOf } from "./native.ts";
import { MAP_TYPES, type MapType, typeName, type Unknown } from "./uapi.ts";

export interface MapInfo {
	/** The kernel's number for this map while it lives. */
	readonly id: number;
	readonly type: MapType | Unknown;
	/** Bytes. */
	readonly keySize: number;
	/** Bytes; of a per-CPU map, for one CPU. */
	readonly valueSize: number;
	/** Of a ring buffer: its size in bytes. */
	readonly maxEntries: number;
	/** BPF_F_* flags of its creation. */
	readonly flags: number;
	/** At most 15 bytes; the kernel keeps no more. */
	readonly name: string;
}

/** struct bpf_map_info up to and with the name. */
const INFO_SIZE = 40;

export function readMapInfo(fd: number): MapInfo {
	const view = readInfo(fd, INFO_SIZE, "a map");
	const u32 = (index: number): number => view.getUint32(4 * index, true);
	return {
		type: typeName(MAP_TYPES, u32(0)),
		id: u32(1),
		keySize: u32(2),
		valueSize: u32(3),
		maxEntries: u32(4),
		flags: u32(5),
		name: textOf(new Uint8Array(view.buffer, 24, 16)),
	};
}

let cpus = 0;

/** CPUs that this machine could ever have: per-CPU values have one part for each (since they are counted at boot). */
export function possibleCpus(): number {
	if (cpus === 0) {
		cpus = check(native().bffi_possible_cpus(), { action: "count the CPUs", call: "libbpf_num_possible_cpus" });
	}
	return cpus;
}

/** Values of these kinds of map have one part for each possible CPU. */
function isPerCpu(type: MapInfo["type"]): boolean {
	return type.includes("percpu");
}

/** Bytes of one value as it is read and written. Per-CPU: each part padded to 8 bytes, times the possible CPUs. */
export function valueBytes(info: MapInfo): number {
	return isPerCpu(info.type) ? Math.ceil(info.valueSize / 8) * 8 * possibleCpus() : info.valueSize;
}

/** Adds up a per-CPU value word by word: `valueSize / 8` sums. The value's fields must be 64-bit counters. */
export function sumPerCpu(value: Uint8Array, valueSize: number): BigUint64Array<ArrayBuffer> {
	const words = valueSize / 8;
	if (!Number.isInteger(words) || words === 0 || value.length % valueSize !== 0) {
		throw new RangeError(`Cannot sum ${value.length} bytes in parts of ${valueSize}: not whole 64-bit words`);
	}
	const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
	const sums = new BigUint64Array(words);
	for (let at = 0; at < value.length; at += 8) {
		const word = (at / 8) % words;
		sums[word] = (sums[word] ?? 0n) + view.getBigUint64(at, true);
	}
	return sums;
}

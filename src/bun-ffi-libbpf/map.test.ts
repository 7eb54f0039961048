// Maps of the real kernel: elements, batches, iteration, per-CPU values, pins.

import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
	type BpfMap,
	createMap,
	errnoNumber,
	isExists,
	isFull,
	isNotFound,
	openPinnedMap,
	possibleCpus,
	sumPerCpu,
	unpin,
} from "./mod.ts";
import { bpfFileSystem, describeAsRoot, errorOf, openFds, temporaryFolder, u32, u64 } from "./test/support.ts";

const E2BIG = errnoNumber("E2BIG");
const ENOENT = errnoNumber("ENOENT");

function hash(maxEntries = 16): BpfMap {
	return createMap({ type: "hash", keySize: 4, valueSize: 8, maxEntries, name: "test_hash" });
}

/** Keys and values of `count` elements from `first` on, side by side. */
function elements(first: number, count: number): { readonly keys: Uint8Array; readonly values: Uint8Array } {
	const numbers = Array.from({ length: count }, (_, index) => first + index);
	return { keys: u32(...numbers), values: u64(...numbers.map((each) => BigInt(each) * 10n)) };
}

/** The elements of a map with 32-bit keys and 64-bit values, by key. */
function contents(map: BpfMap): readonly (readonly [number, bigint])[] {
	const found = Array.from(map.entries(), ([key, value]): [number, bigint] => [
		new DataView(key.buffer, key.byteOffset).getUint32(0, true),
		new DataView(value.buffer, value.byteOffset).getBigUint64(0, true),
	]);
	return found.sort(([left], [right]) => left - right);
}

// The library opens itself once; it shall not count.
beforeAll(() => {
	possibleCpus();
});

describe("sumPerCpu()", () => {
	test("adds up each word over all parts", () => {
		expect(sumPerCpu(u64(1n, 10n, 2n, 20n, 3n, 30n), 16)).toEqual(new BigUint64Array([6n, 60n]));
	});

	test("reads from a view that is not aligned", () => {
		const bytes = new Uint8Array(17);
		bytes.set(u64(5n, 6n), 1);
		expect(sumPerCpu(bytes.subarray(1), 8)).toEqual(new BigUint64Array([11n]));
	});

	test.each([
		[8, 4],
		[12, 8],
		[8, 0],
	])("refuses %d bytes in parts of %d", (length, size) => {
		expect(() => sumPerCpu(new Uint8Array(length), size)).toThrow(RangeError);
	});
});

describeAsRoot("createMap()", () => {
	test("makes what was asked for", () => {
		using map = createMap({ type: "hash", keySize: 24, valueSize: 20, maxEntries: 100, flags: 1, name: "some.name_1" });
		const { id, ...info } = map.info;
		expect(id).toBeGreaterThan(0);
		expect(info).toEqual({ type: "hash", keySize: 24, valueSize: 20, maxEntries: 100, flags: 1, name: "some.name_1" });
		expect(map.valueBytes).toBe(20);
	});

	test("says what the kernel refuses, and leaks nothing", () => {
		const before = openFds();
		const error = errorOf(() => createMap({ type: "array", keySize: 8, valueSize: 4, maxEntries: 1 }));
		expect(error.message).toBe(
			"Cannot create the map array: EINVAL (this kernel does not allow this type, these sizes or these flags)",
		);
		expect(error.call).toBe("bpf_map_create");
		expect(openFds()).toBe(before);
	});

	test.each([{ keySize: -1 }, { valueSize: 2 ** 32 }, { maxEntries: 1.5 }, { maxEntries: Number.NaN }, { flags: -1 }])(
		"refuses %p before it becomes another number",
		(wrong) => {
			expect(() => createMap({ type: "hash", keySize: 4, valueSize: 4, maxEntries: 1, ...wrong })).toThrow(RangeError);
		},
	);

	test.each(["a name that is too long", "a-b", "ä"])("refuses the name %p", (name) => {
		expect(errorOf(() => createMap({ type: "hash", keySize: 4, valueSize: 4, maxEntries: 1, name })).code).toBe(
			"EINVAL",
		);
	});
});

describeAsRoot("BpfMap", () => {
	test("writes, reads and deletes", () => {
		using map = hash();
		expect(map.lookup(u32(1))).toBeUndefined();
		map.update(u32(1), u64(7n));
		expect(map.lookup(u32(1))).toEqual(u64(7n));
		map.update(u32(1), u64(8n), "replace");
		const value = new Uint8Array(8);
		expect(map.lookupInto(u32(1), value)).toBe(true);
		expect(value).toEqual(u64(8n));
		expect(map.lookupInto(u32(2), value)).toBe(false);
		expect(map.delete(u32(1))).toBe(true);
		expect(map.delete(u32(1))).toBe(false);
		expect(map.tryDelete(u32(1))).toBe(ENOENT);
	});

	test("takes keys and values that are parts of larger buffers", () => {
		using map = hash();
		const bytes = u32(0, 5, 6, 0, 9);
		map.update(bytes.subarray(4, 8), bytes.subarray(8, 16));
		expect(map.lookup(u32(5))).toEqual(u32(6, 0));
	});

	test("tells a full map, an element that is there and one that is not", () => {
		using map = hash(2);
		map.update(u32(1), u64(1n), "create");
		map.update(u32(2), u64(2n), "create");
		const full = errorOf(() => map.update(u32(3), u64(3n)));
		expect(full.message).toBe("Cannot update map test_hash: E2BIG (the map is full, or the index is past its end)");
		expect(isFull(full)).toBe(true);
		expect(isExists(errorOf(() => map.update(u32(1), u64(1n), "create")))).toBe(true);
		expect(isNotFound(errorOf(() => map.update(u32(9), u64(1n), "replace")))).toBe(true);
	});

	test("has arrays of zeros that nothing can be deleted from", () => {
		using map = createMap({ type: "array", keySize: 4, valueSize: 8, maxEntries: 3 });
		expect(map.lookup(u32(2))).toEqual(u64(0n));
		expect(map.lookup(u32(3))).toBeUndefined();
		const error = errorOf(() => map.delete(u32(0)));
		expect(error.code).toBe("EINVAL");
		expect(error.message).toContain("elements of an array cannot be deleted");
		expect(isFull(errorOf(() => map.update(u32(3), u64(1n))))).toBe(true);
	});

	test("refuses keys and values of another length before the kernel reads past them", () => {
		using map = hash();
		expect(() => map.lookup(new Uint8Array(3))).toThrow("The key is 3 bytes, the map's is 4");
		expect(() => map.lookupInto(u32(1), new Uint8Array(7))).toThrow("The value is 7 bytes, the map's is 8");
		expect(() => map.update(u32(1, 2), u64(1n))).toThrow(RangeError);
		expect(() => map.update(u32(1), u32(1))).toThrow(RangeError);
		expect(() => map.delete(new Uint8Array(0))).toThrow(RangeError);
		expect(() => map.tryDelete(new Uint8Array(5))).toThrow(RangeError);
		expect(() => map.updateBatch(u32(1, 2), u64(1n))).toThrow("The values of 2 elements are 16 bytes, here are 8");
		expect(() => map.updateBatch(u32(1, 2), u64(1n, 2n), 3)).toThrow(RangeError);
		expect(() => map.updateBatch(new Uint8Array(5), u64(1n, 2n))).toThrow(RangeError);
		expect(() => map.deleteBatch(u32(1), -1)).toThrow(RangeError);
	});

	test("is closed once, and says so afterwards", () => {
		const before = openFds();
		const map = hash();
		expect(openFds()).toBe(before + 1);
		map.close();
		map.close();
		map[Symbol.dispose]();
		expect(openFds()).toBe(before);
		for (const late of [
			() => map.lookup(u32(1)),
			() => map.update(u32(1), u64(1n)),
			() => map.delete(u32(1)),
			() => map.updateBatch(u32(1), u64(1n)),
			() => map.deleteBatch(u32(1)),
			() => [...map.entries()],
			() => map.pin("/x"),
			() => map.fd,
		]) {
			expect(errorOf(late).message).toBe("Cannot use map test_hash: EBADF (it was closed)");
		}
	});
});

describeAsRoot("updateBatch(), deleteBatch()", () => {
	test("write and delete many at once", () => {
		using map = hash(5000);
		const { keys, values } = elements(0, 5000);
		expect(map.updateBatch(keys, values)).toEqual({ written: 5000, errno: 0 });
		expect(contents(map)).toHaveLength(5000);
		expect(contents(map)[4999]).toEqual([4999, 49990n]);
		expect(map.deleteBatch(keys, 4998)).toEqual({ deleted: 4998, errno: 0 });
		expect(contents(map)).toEqual([
			[4998, 49980n],
			[4999, 49990n],
		]);
	});

	test("say how far they came when the map is full", () => {
		using map = hash(10);
		const { keys, values } = elements(0, 16);
		expect(map.updateBatch(keys, values)).toEqual({ written: 10, errno: E2BIG });
		expect(contents(map).map(([key]) => key)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
	});

	test("stop at the first element", () => {
		using map = hash(1);
		map.update(u32(99), u64(1n));
		const { keys, values } = elements(0, 4);
		expect(map.updateBatch(keys, values)).toEqual({ written: 0, errno: E2BIG });
	});

	test("stop at an element that is there, or is not", () => {
		using map = hash();
		map.update(u32(2), u64(0n));
		const { keys, values } = elements(0, 4);
		expect(map.updateBatch(keys, values, 4, "create")).toEqual({ written: 2, errno: errnoNumber("EEXIST") });
		map.delete(u32(1));
		expect(map.deleteBatch(keys)).toEqual({ deleted: 1, errno: ENOENT });
		expect(contents(map)).toEqual([[2, 0n]]);
	});

	test("do nothing with nothing", () => {
		using map = hash();
		expect(map.updateBatch(u32(), u64())).toEqual({ written: 0, errno: 0 });
		expect(map.deleteBatch(u32())).toEqual({ deleted: 0, errno: 0 });
	});

	test("say that nothing was done if the kernel never began", () => {
		using map = createMap({ type: "array", keySize: 4, valueSize: 8, maxEntries: 4 });
		const { deleted, errno } = map.deleteBatch(u32(0, 1));
		expect(deleted).toBe(0);
		expect(errno).toBe(errnoNumber("EINVAL"));
	});

	test("go one by one for a kind of map without batches", () => {
		using map = createMap({ type: "devmap_hash", keySize: 4, valueSize: 4, maxEntries: 4 });
		// Interface 1 is lo in every network namespace.
		expect(map.updateBatch(u32(7, 8), u32(1, 1))).toEqual({ written: 2, errno: 0 });
		expect(Array.from(map.entries(), ([key]) => Buffer.from(key).readUInt32LE()).sort()).toEqual([7, 8]);
		expect(map.updateBatch(u32(9, 10), u32(1, 0x7fff_ffff)).written).toBe(1);
		expect(map.deleteBatch(u32(7, 8, 11))).toEqual({ deleted: 2, errno: ENOENT });
	});
});

describeAsRoot("chunks(), entries()", () => {
	test("give nothing for an empty map", () => {
		using map = hash();
		expect([...map.chunks()]).toEqual([]);
		expect([...map.entries()]).toEqual([]);
	});

	test.each(["hash", "array", "lru_hash"] as const)("give every element of a large %s once, in chunks", (type) => {
		using map = createMap({ type, keySize: 4, valueSize: 8, maxEntries: 30_000 });
		const { keys, values } = elements(0, 30_000);
		expect(map.updateBatch(keys, values).errno).toBe(0);
		const found = contents(map);
		expect(found.length).toBe(new Set(found.map(([key]) => key)).size);
		if (type !== "lru_hash") expect(found).toHaveLength(30_000);
		expect(found.every(([key, value]) => value === BigInt(key) * 10n)).toBe(true);
		expect([...map.chunks()].length).toBeGreaterThan(1);
	});

	test("grow the buffers for a bucket that is too full", () => {
		// Large values make small chunks: 64 elements; one bucket then has more than that.
		using map = createMap({ type: "hash", keySize: 4, valueSize: 8000, maxEntries: 300, flags: 1 });
		for (let key = 0; key < 300; key++) map.update(u32(key), new Uint8Array(8000).fill(key));
		const keys = Array.from(map.entries(), ([key]) => Buffer.from(key).readUInt32LE());
		expect(keys.sort((left, right) => left - right)).toEqual(Array.from({ length: 300 }, (_, index) => index));
	});

	test("leave the caller views that stay as they are", () => {
		using map = hash(3);
		map.updateBatch(u32(1, 2, 3), u64(1n, 2n, 3n));
		const taken = [...map.entries()];
		map.update(u32(1), u64(100n));
		expect([...map.entries()]).toHaveLength(3);
		expect(taken.map(([, value]) => Buffer.from(value).readBigUInt64LE()).sort()).toEqual([1n, 2n, 3n]);
	});

	test("go key by key for a kind of map without batches", () => {
		using map = createMap({ type: "devmap_hash", keySize: 4, valueSize: 4, maxEntries: 200 });
		for (let key = 0; key < 200; key++) map.update(u32(key), u32(1));
		const chunks = [...map.chunks()];
		expect(chunks.reduce((sum, { count }) => sum + count, 0)).toBe(200);
		expect(new Set(Array.from(map.entries(), ([key]) => Buffer.from(key).readUInt32LE())).size).toBe(200);
	});

	test("say so for a kind of map that cannot be read", () => {
		using map = createMap({ type: "ringbuf", keySize: 0, valueSize: 0, maxEntries: 65536 });
		const error = errorOf(() => [...map.entries()]);
		expect(error.code).toBe("ENOTSUPP");
		expect(error.message).toContain("this kernel or this kind of map cannot do it");
	});

	test("may be left early", () => {
		using map = hash(100);
		const { keys, values } = elements(0, 100);
		map.updateBatch(keys, values);
		for (const [key] of map.entries()) {
			expect(key).toHaveLength(4);
			break;
		}
	});
});

describeAsRoot("per-CPU maps", () => {
	test.each(["percpu_array", "percpu_hash"] as const)("have one part of a value for each possible CPU: %s", (type) => {
		using map = createMap({ type, keySize: 4, valueSize: 12, maxEntries: 2 });
		expect(map.valueBytes).toBe(16 * possibleCpus());
		const value = new Uint8Array(map.valueBytes).map((_, index) => (index % 16 < 12 ? index : 0));
		map.update(u32(0), value);
		expect(map.lookup(u32(0))).toEqual(value);
		expect(map.updateBatch(u32(1), value)).toEqual({ written: 1, errno: 0 });
		expect(Array.from(map.entries(), ([, bytes]) => Buffer.from(bytes).equals(value))).toEqual([true, true]);
		expect(() => map.update(u32(0), new Uint8Array(12))).toThrow(RangeError);
	});

	test("are summed up", () => {
		using map = createMap({ type: "percpu_array", keySize: 4, valueSize: 16, maxEntries: 1 });
		const parts = Array.from({ length: possibleCpus() }, (_, cpu) => [BigInt(cpu), 1n]).flat();
		map.update(u32(0), u64(...parts));
		const cpus = BigInt(possibleCpus());
		const sums = sumPerCpu(map.lookup(u32(0)) ?? new Uint8Array(), 16);
		expect(sums).toEqual(new BigUint64Array([(cpus * (cpus - 1n)) / 2n, cpus]));
	});
});

describeAsRoot("pins", () => {
	test("keep a map alive under a path", () => {
		using pins = bpfFileSystem();
		const path = join(pins.path, "map");
		{
			using map = hash();
			map.update(u32(1), u64(1n));
			map.pin(path);
		}
		using again = openPinnedMap(path);
		expect(again.lookup(u32(1))).toEqual(u64(1n));
		expect(unpin(path)).toBe(true);
		expect(unpin(path)).toBe(false);
		expect(isNotFound(errorOf(() => openPinnedMap(path)))).toBe(true);
	});

	test("are all that unpin() removes", () => {
		using folder = temporaryFolder();
		const path = join(folder.path, "file");
		writeFileSync(path, "");
		expect(errorOf(() => unpin(path)).message).toBe(`Cannot unpin ${path}: EINVAL (not on a bpf file system)`);
		expect(existsSync(path)).toBe(true);
	});

	test("fail with a reason, and leak nothing", () => {
		using pins = bpfFileSystem();
		using map = hash();
		const path = join(pins.path, "map");
		map.pin(path);
		const before = openFds();
		expect(errorOf(() => map.pin(path)).message).toBe(
			`Cannot pin map test_hash to ${path}: EEXIST (something is pinned there already)`,
		);
		expect(errorOf(() => map.pin(join(pins.path, "no/where"))).message).toContain("ENOENT (the folder does not exist)");
		expect(errorOf(() => map.pin("/proc/map")).code).not.toBe("EEXIST");
		expect(errorOf(() => map.pin("/tmp/ffi-test-map")).message).toContain(
			"EPERM (the path must be on a bpf file system",
		);
		expect(errorOf(() => openPinnedMap("/etc/hostname")).message).toContain("EACCES");
		expect(errorOf(() => openPinnedMap(join(pins.path, "none"))).message).toContain("ENOENT (nothing is pinned there)");
		expect(openFds()).toBe(before);
	});
});

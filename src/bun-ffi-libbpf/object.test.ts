// Objects: what they list, what can be set, what load() does to the real kernel.

import { beforeEach, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type BpfObject, openObject, openPinnedMap } from "./mod.ts";
import { bpfFileSystem, describeAsRoot, errorOf, objectBytes, openFds, u32, u64 } from "./test/support.ts";

function sock(): BpfObject {
	return openObject(objectBytes("sock"), { name: "sock" });
}

function mapOf(object: BpfObject, name: string) {
	const map = object.maps.get(name);
	if (map === undefined) throw new Error(`No map ${name}`);
	return map;
}

function programOf(object: BpfObject, name: string) {
	const program = object.programs.get(name);
	if (program === undefined) throw new Error(`No program ${name}`);
	return program;
}

function variableOf(object: BpfObject, name: string) {
	const variable = object.variables.get(name);
	if (variable === undefined) throw new Error(`No variable ${name}`);
	return variable;
}

// The library opens itself once; it shall not count.
beforeEach(() => sock().close());

describe("openObject()", () => {
	test("lists maps, programs and variables as the source has them", () => {
		using object = sock();
		expect([...object.maps.keys()]).toEqual(["table", "counters", ".rodata", ".data", ".bss"]);
		expect(mapOf(object, "table").info).toEqual({
			id: 0,
			type: "hash",
			keySize: 8,
			valueSize: 8,
			maxEntries: 64,
			flags: 0,
			name: "table",
		});
		expect(mapOf(object, "counters").info.type).toBe("percpu_array");
		expect([...object.programs.values()].map((each) => [each.name, each.section, each.type, each.attachType])).toEqual([
			["connect_first", "cgroup/connect4", "cgroup_sock_addr", "cgroup_inet4_connect"],
			["connect_second", "cgroup/connect4", "cgroup_sock_addr", "cgroup_inet4_connect"],
			["sendmsg", "cgroup/sendmsg4", "cgroup_sock_addr", "cgroup_udp4_sendmsg"],
		]);
		expect(
			[...object.variables.values()].map(({ name, section, offset, size }) => [name, section, offset, size]),
		).toEqual([
			["verdict", ".rodata", 0, 4],
			["big", ".rodata", 8, 8],
			["label", ".rodata", 16, 12],
			["start", ".data", 0, 4],
			["calls", ".bss", 0, 8],
		]);
	});

	const whole = objectBytes("sock");
	test.each([
		["nothing", new Uint8Array(0)],
		["text", new TextEncoder().encode("hello, world")],
		["an ELF header alone", whole.subarray(0, 64)],
		["half an object", whole.subarray(0, whole.length / 2)],
		["zeros", new Uint8Array(4096)],
	])("refuses %s, and leaks nothing", (_, bytes) => {
		const before = openFds();
		const error = errorOf(() => openObject(bytes, { name: "broken" }));
		expect(error.message).toStartWith("Cannot open broken: ");
		expect(error.call).toBe("bpf_object__open_mem");
		expect(error.errno).toBeGreaterThan(0);
		expect(openFds()).toBe(before);
	});

	test("tells libbpf's own words", () => {
		const error = errorOf(() => openObject(new TextEncoder().encode("hello, world"), { name: "text" }));
		expect(error.message).toBe(
			"Cannot open text: LIBBPF_ERRNO__FORMAT (not a BPF object): elf: 'text' is not a proper ELF object",
		);
		expect(error.log).toBe("libbpf: elf: 'text' is not a proper ELF object\n");
	});

	test("refuses every beginning of an object", () => {
		const before = openFds();
		for (let length = 1; length < whole.length; length += 37) {
			expect(errorOf(() => openObject(whole.subarray(0, length))).call).toBe("bpf_object__open_mem");
		}
		expect(openFds()).toBe(before);
	});
});

describe("before load()", () => {
	test("a file descriptor says what is missing", () => {
		using object = sock();
		expect(errorOf(() => mapOf(object, "table").fd).message).toBe(
			"Cannot use map table of sock: EINVAL (call load() first)",
		);
		expect(errorOf(() => programOf(object, "sendmsg").fd).message).toContain("call load() first");
		expect(errorOf(() => mapOf(object, "table").open()).message).toContain("call load() first");
	});

	test("what is set is what the object then says", () => {
		using object = sock();
		mapOf(object, "table").setMaxEntries(1000);
		mapOf(object, "table").setPinPath("/sys/fs/bpf/somewhere");
		programOf(object, "sendmsg").setAutoload(false);
		expect(mapOf(object, "table").info.maxEntries).toBe(1000);
		expect(mapOf(object, "table").pinPath).toBe("/sys/fs/bpf/somewhere");
		expect(mapOf(object, "counters").pinPath).toBeUndefined();
		expect(programOf(object, "sendmsg").autoload).toBe(false);
		expect(programOf(object, "connect_first").autoload).toBe(true);
	});

	test("numbers that do not fit a variable are refused", () => {
		using object = sock();
		expect(() => variableOf(object, "verdict").set(2 ** 32)).toThrow("does not fit verdict, which is 4 bytes");
		expect(() => variableOf(object, "verdict").set(-(2 ** 31) - 1)).toThrow(RangeError);
		expect(() => variableOf(object, "verdict").set(1.5)).toThrow(RangeError);
		expect(() => variableOf(object, "label").set(1)).toThrow("label is 12 bytes: give it bytes");
		expect(() => variableOf(object, "label").set(new Uint8Array(13))).toThrow("label is 12 bytes, not 13");
		expect(errorOf(() => object.setRodata(new Uint8Array(3))).message).toBe(
			"Cannot set .rodata: EINVAL (it is 28 bytes, not 3)",
		);
		expect(errorOf(() => object.setRodata(new Uint8Array(3), ".rodata.x")).code).toBe("ENOENT");
	});

	test("a number of elements that is none is refused", () => {
		using object = sock();
		expect(() => mapOf(object, "table").setMaxEntries(-1)).toThrow(RangeError);
		expect(() => mapOf(object, "table").setMaxEntries(2 ** 32)).toThrow(RangeError);
	});

	test("a path with NUL inside is refused", () => {
		using object = sock();
		expect(() => mapOf(object, "table").setPinPath("/a\0b")).toThrow("cannot contain NUL");
	});
});

describeAsRoot("load()", () => {
	test("puts the initial data into the kernel", () => {
		using object = sock();
		object.setRodata((view) => view.setUint32(0, 0xdead, true));
		variableOf(object, "big").set(-2n);
		variableOf(object, "label").set(new TextEncoder().encode("hello world\0"));
		variableOf(object, "start").set(77);
		object.load();
		using rodata = mapOf(object, ".rodata").open();
		const bytes = rodata.lookup(u32(0)) ?? new Uint8Array();
		expect(bytes.slice(0, 4)).toEqual(u32(0xdead));
		expect(bytes.slice(8, 16)).toEqual(u64(0xffff_ffff_ffff_fffen));
		expect(new TextDecoder().decode(bytes.slice(16))).toBe("hello world\0");
		using data = mapOf(object, ".data").open();
		expect(data.lookup(u32(0))).toEqual(u32(77));
	});

	test("leaves out what is not to be loaded", () => {
		using object = sock();
		programOf(object, "sendmsg").setAutoload(false);
		object.load();
		expect(programOf(object, "connect_first").fd).toBeGreaterThan(0);
		const error = errorOf(() => programOf(object, "sendmsg").fd);
		expect(error.message).toContain("it was not loaded");
	});

	test("makes what was settable unsettable, and runs once", () => {
		using object = sock();
		object.load();
		for (const late of [
			() => mapOf(object, "table").setMaxEntries(1),
			() => mapOf(object, "table").setPinPath("/x"),
			() => programOf(object, "sendmsg").setAutoload(false),
			() => object.setRodata(() => undefined),
			() => variableOf(object, "big").set(1),
			() => object.load(),
		]) {
			expect(errorOf(late).message).toContain("only before load()");
		}
	});

	test("throws the verifier's words when it rejects, and leaves nothing behind", () => {
		using pins = bpfFileSystem();
		const before = openFds();
		{
			using object = openObject(objectBytes("rejected"), { name: "rejected" });
			const path = join(pins.path, "pinned");
			mapOf(object, "pinned").setPinPath(path);
			const error = errorOf(() => object.load());
			expect(error.code).toBe("EACCES");
			expect(error.message).toBe(
				"Cannot load rejected: EACCES (rejected by the verifier): invalid bpf_context access off=400 size=4",
			);
			expect(error.log).toContain("reads_too_far");
			expect(existsSync(path)).toBe(false);
			expect(errorOf(() => programOf(object, "reads_too_far").fd).message).toContain("its load failed");
			expect(errorOf(() => object.load()).code).toBe("EINVAL");
		}
		expect(openFds()).toBe(before);
	});

	test("pins a map, and takes the pinned one the next time", () => {
		using pins = bpfFileSystem();
		const path = join(pins.path, "table");
		{
			using first = sock();
			mapOf(first, "table").setPinPath(path);
			first.load();
			using map = mapOf(first, "table").open();
			map.update(u32(1, 2), u64(3n));
		}
		using second = sock();
		mapOf(second, "table").setPinPath(path);
		second.load();
		using map = mapOf(second, "table").open();
		using pinned = openPinnedMap(path);
		expect(map.lookup(u32(1, 2))).toEqual(u64(3n));
		expect(map.info.id).toBe(pinned.info.id);
	});

	test("refuses a pinned map with another definition, and says what differs", () => {
		using pins = bpfFileSystem();
		const path = join(pins.path, "table");
		{
			using first = sock();
			mapOf(first, "table").setPinPath(path);
			mapOf(first, "table").setMaxEntries(32);
			first.load();
		}
		using second = sock();
		mapOf(second, "table").setPinPath(path);
		const error = errorOf(() => second.load());
		expect(error.message).toContain(
			`EINVAL (map table is pinned at ${path} with another definition: maxEntries is 32, wanted 64)`,
		);
		expect(error.log).toContain("parameter mismatch");
	});

	test("names the map when the pin is not on a bpf file system", () => {
		using object = sock();
		mapOf(object, "table").setPinPath("/proc/nowhere/table");
		const error = errorOf(() => object.load());
		expect(error.log).toContain("/proc/nowhere/table");
	});
});

describeAsRoot("close()", () => {
	test("closes every file descriptor; a map that was opened apart lives on", () => {
		const before = openFds();
		const object = sock();
		object.load();
		const map = mapOf(object, "table").open();
		object.close();
		object.close();
		expect(openFds()).toBe(before + 1);
		map.update(u32(1, 1), u64(1n));
		expect(map.lookup(u32(1, 1))).toEqual(u64(1n));
		map.close();
		expect(openFds()).toBe(before);
	});

	test("makes every use an error that says so", () => {
		const object = sock();
		object.load();
		object.close();
		for (const late of [
			() => mapOf(object, "table").fd,
			() => mapOf(object, "table").open(),
			() => mapOf(object, "table").info,
			() => mapOf(object, "table").pinPath,
			() => mapOf(object, "table").setMaxEntries(1),
			() => programOf(object, "sendmsg").fd,
			() => programOf(object, "sendmsg").type,
			() => programOf(object, "sendmsg").setAutoload(true),
			() => object.setRodata(() => undefined),
			() => object.load(),
		]) {
			const error = errorOf(late);
			expect(error.code).toBe("EBADF");
			expect(error.message).toContain("it was closed");
		}
	});
});

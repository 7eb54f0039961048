// Links on real cgroups: attach, update, pin, detach, and what goes wrong.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import {
	attachCgroup,
	type BpfObject,
	createMap,
	isGone,
	isNotFound,
	openObject,
	openPinnedLink,
	programInfo,
	queryCgroup,
	sumPerCpu,
	udpConnect,
} from "./mod.ts";
import { bpfFileSystem, describeAsRoot, errorOf, objectBytes, openFds, temporaryCgroup, u32 } from "./test/support.ts";

const LOOPBACK = new Uint8Array([127, 0, 0, 1]);

describeAsRoot("links", () => {
	let object: BpfObject;

	beforeAll(() => {
		object = openObject(objectBytes("sock"), { name: "sock" });
		object.load();
	});
	afterAll(() => object.close());

	function fdOf(program: string): number {
		const found = object.programs.get(program);
		if (found === undefined) throw new Error(`No program ${program}`);
		return found.fd;
	}

	/** How often connect_first, connect_second and sendmsg ran. */
	function runs(): [first: number, second: number, sendmsg: number] {
		const found = object.maps.get("counters");
		if (found === undefined) throw new Error("No map counters");
		using counters = found.open();
		const count = (index: number) => Number(sumPerCpu(counters.lookup(u32(index)) ?? new Uint8Array(), 8)[0]);
		return [count(0), count(1), count(2)];
	}

	test("attachCgroup() makes the program run for that cgroup only, until the link is closed", () => {
		using cgroup = temporaryCgroup();
		const before = runs();
		{
			using link = attachCgroup(fdOf("connect_first"), cgroup.path, "cgroup_inet4_connect");
			expect(link.info.attachType).toBe("cgroup_inet4_connect");
			expect(link.info.cgroupId).toBeGreaterThan(0n);
			expect(link.info.programId).toBe(programInfo({ fd: fdOf("connect_first") }).id);
			udpConnect(LOOPBACK, 9, { cgroup: cgroup.path });
			udpConnect(LOOPBACK, 9);
		}
		udpConnect(LOOPBACK, 9, { cgroup: cgroup.path });
		expect(runs()[0]).toBe(before[0] + 1);
	});

	test("two links at one place both run", () => {
		using cgroup = temporaryCgroup();
		const before = runs();
		using first = attachCgroup(fdOf("connect_first"), cgroup.path, "cgroup_inet4_connect");
		using second = attachCgroup(fdOf("connect_second"), cgroup.path, "cgroup_inet4_connect");
		udpConnect(LOOPBACK, 9, { cgroup: cgroup.path });
		expect(runs().slice(0, 2)).toEqual(before.slice(0, 2).map((count) => count + 1));
		const names = queryCgroup(cgroup.path, "cgroup_inet4_connect");
		expect(names).toEqual([
			{ programId: first.info.programId, name: "connect_first" },
			{ programId: second.info.programId, name: "connect_second" },
		]);
	});

	test("update() puts another program in the same place", () => {
		using cgroup = temporaryCgroup();
		const before = runs();
		using link = attachCgroup(fdOf("connect_first"), cgroup.path, "cgroup_inet4_connect");
		const { id, programId } = link.info;
		link.update(fdOf("connect_second"));
		expect(link.info.id).toBe(id);
		expect(link.info.programId).not.toBe(programId);
		udpConnect(LOOPBACK, 9, { cgroup: cgroup.path });
		expect(runs().slice(0, 2)).toEqual([before[0], before[1] + 1]);
		using other = openObject(objectBytes("ring"), { name: "ring" });
		other.load();
		const error = errorOf(() => link.update(other.programs.get("generate")?.fd ?? -1));
		expect(error.message).toContain("EINVAL (the program is of another type)");
	});

	test("a pinned link holds, is opened again, and ends with detach()", () => {
		using pins = bpfFileSystem();
		using cgroup = temporaryCgroup();
		const path = join(pins.path, "link");
		attachCgroup(fdOf("connect_first"), cgroup.path, "cgroup_inet4_connect").pin(path);
		{
			using link = openPinnedLink(path);
			link.update(fdOf("connect_second"));
		}
		expect(queryCgroup(cgroup.path, "cgroup_inet4_connect").map(({ name }) => name)).toEqual(["connect_second"]);
		using link = openPinnedLink(path);
		link.detach();
		expect(queryCgroup(cgroup.path, "cgroup_inet4_connect")).toEqual([]);
		expect(link.info.cgroupId).toBe(0n);
		expect(existsSync(path)).toBe(true);
	});

	test("a link outlives its cgroup, and says that it is gone", () => {
		const cgroup = temporaryCgroup();
		using link = attachCgroup(fdOf("connect_first"), cgroup.path, "cgroup_inet4_connect");
		cgroup.remove();
		// The kernel detaches links of a removed cgroup in a work queue of its own.
		const deadline = performance.now() + 10_000;
		while (link.info.cgroupId !== 0n && performance.now() < deadline) Bun.sleepSync(1);
		expect(link.info.cgroupId).toBe(0n);
		const error = errorOf(() => link.update(fdOf("connect_second")));
		expect(error.message).toBe(
			"Cannot replace the program of the link of cgroup_inet4_connect: ENOLINK (its cgroup was removed)",
		);
		expect(isGone(error)).toBe(true);
	});

	test("refuses what does not fit, with a reason, and leaks nothing", () => {
		using pins = bpfFileSystem();
		using cgroup = temporaryCgroup();
		using map = createMap({ type: "array", keySize: 4, valueSize: 4, maxEntries: 1 });
		map.pin(join(pins.path, "map"));
		const before = openFds();
		const missing = errorOf(() => attachCgroup(fdOf("sendmsg"), "/no/such/cgroup", "cgroup_udp4_sendmsg"));
		expect(missing.message).toBe("Cannot attach cgroup_udp4_sendmsg to /no/such/cgroup: ENOENT");
		expect(isNotFound(missing)).toBe(true);
		const other = errorOf(() => attachCgroup(fdOf("sendmsg"), cgroup.path, "cgroup_inet4_connect"));
		expect(other.message).toContain("EINVAL (the program was not loaded for this attach type)");
		expect(errorOf(() => attachCgroup(fdOf("sendmsg"), "/tmp", "cgroup_udp4_sendmsg")).message).toContain("EBADF (");
		expect(errorOf(() => attachCgroup(map.fd, cgroup.path, "cgroup_udp4_sendmsg")).code).toBe("EINVAL");
		expect(errorOf(() => attachCgroup(-1, cgroup.path, "cgroup_udp4_sendmsg")).code).toBe("EBADF");
		expect(() => attachCgroup(fdOf("sendmsg"), cgroup.path, JSON.parse('"cgroup_nonsense"'))).toThrow("No such type");
		expect(errorOf(() => openPinnedLink(join(pins.path, "map"))).message).toContain(
			"EINVAL (it is anon_inode:bpf-map)",
		);
		expect(openFds()).toBe(before);
	});

	test("is closed once, and says so afterwards", () => {
		using cgroup = temporaryCgroup();
		const before = openFds();
		const link = attachCgroup(fdOf("sendmsg"), cgroup.path, "cgroup_udp4_sendmsg");
		link.close();
		link[Symbol.dispose]();
		expect(openFds()).toBe(before);
		for (const late of [
			() => link.fd,
			() => link.info,
			() => link.update(1),
			() => link.detach(),
			() => link.pin("/x"),
		]) {
			expect(errorOf(late).message).toBe("Cannot use the link of cgroup_udp4_sendmsg: EBADF (it was closed)");
		}
	});
});

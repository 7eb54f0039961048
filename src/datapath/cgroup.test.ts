// Where cgroup v2 is, by what /proc/PID/mountinfo says on different machines.

import { describe, expect, test } from "bun:test";
import { assertCgroup, parseMountinfo, rootMounts, rootPlaces } from "./cgroup.ts";

const ROOT = "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw";
const UNIFIED = `${ROOT}
25 21 0:22 / /sys rw,nosuid - sysfs sysfs rw
30 25 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
31 25 0:27 / /sys/fs/bpf rw - bpf bpf rw,mode=700
`;
const HYBRID = `${ROOT}
32 25 0:28 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755
33 32 0:29 / /sys/fs/cgroup/unified rw,nosuid,relatime shared:10 - cgroup2 cgroup2 rw,nsdelegate
34 32 0:30 / /sys/fs/cgroup/systemd rw shared:11 - cgroup cgroup rw,xattr,name=systemd
35 32 0:31 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
`;
const V1 = `${ROOT}
32 25 0:28 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755
35 32 0:31 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
`;
const CHROOT = `${UNIFIED}40 25 0:26 / /mnt/new/sys/fs/cgroup rw - cgroup2 none rw\n`;
/** A container without a cgroup namespace of its own: it sees its own part, bind-mounted. */
const CONTAINER = `700 600 0:50 / / rw,relatime - overlay overlay rw,lowerdir=/a,upperdir=/b - c
710 700 0:26 /kubepods/burstable/pod1/abc /sys/fs/cgroup ro,nosuid - cgroup2 cgroup ro
`;
/** One with a cgroup namespace: its part looks like the root. */
const NAMESPACED = `700 600 0:50 / / rw,relatime - overlay overlay rw
710 700 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup ro
`;

describe("parseMountinfo()", () => {
	test("reads ids, roots, points and types, with and without optional fields", () => {
		expect(parseMountinfo(UNIFIED)).toEqual([
			{ id: "21", root: "/", point: "/", type: "ext4" },
			{ id: "25", root: "/", point: "/sys", type: "sysfs" },
			{ id: "30", root: "/", point: "/sys/fs/cgroup", type: "cgroup2" },
			{ id: "31", root: "/", point: "/sys/fs/bpf", type: "bpf" },
		]);
	});

	test("is not taken in by the separator among the options", () => {
		expect(parseMountinfo(CONTAINER)[0]).toEqual({ id: "700", root: "/", point: "/", type: "overlay" });
	});

	test.each([
		["/a\\040b", "/a b"],
		["/a\\011b\\012c", "/a\tb\nc"],
		["/a\\134040b", "/a\\040b"],
		["/\\043x", "/#x"],
	])("undoes the escapes of %s", (escaped, point) => {
		expect(parseMountinfo(`1 2 0:1 ${escaped} ${escaped} rw - cgroup2 none rw`)).toEqual([
			{ id: "1", root: point, point, type: "cgroup2" },
		]);
	});

	test.each(["", "\n", "nonsense", "1 2 3 - ", "1 2 0:1 / /x rw"])("leaves out the line %j", (line) => {
		expect(parseMountinfo(line).filter(({ type }) => type !== "")).toEqual([]);
	});
});

describe("rootMounts()", () => {
	test.each([
		["unified", UNIFIED, ["/sys/fs/cgroup"]],
		["hybrid", HYBRID, ["/sys/fs/cgroup/unified"]],
		["version 1 only", V1, []],
		["a container's own part", CONTAINER, []],
		["a chroot beside the host", CHROOT, ["/sys/fs/cgroup", "/mnt/new/sys/fs/cgroup"]],
		["nothing", "", []],
	])("of %s", (_, text, points) => {
		expect(rootMounts(parseMountinfo(text)).map(({ point }) => point)).toEqual(points);
	});
});

describe("rootPlaces()", () => {
	test.each([
		["on the host", UNIFIED, UNIFIED, ["/sys/fs/cgroup"]],
		["on a hybrid host", HYBRID, HYBRID, ["/sys/fs/cgroup/unified"]],
		[
			"in a container with the host's PID namespace",
			UNIFIED,
			NAMESPACED,
			["/proc/1/root/sys/fs/cgroup", "/sys/fs/cgroup"],
		],
		["in a container that sees its own part only", UNIFIED, CONTAINER, ["/proc/1/root/sys/fs/cgroup"]],
		["with PID 1 in a container, too", NAMESPACED, NAMESPACED, ["/sys/fs/cgroup"]],
		["where the host has none, and we have one", V1, UNIFIED, ["/sys/fs/cgroup"]],
		["where there is none", V1, V1, []],
		["with a chroot beside", CHROOT, CHROOT, ["/sys/fs/cgroup", "/mnt/new/sys/fs/cgroup"]],
	])("%s", (_, pid1, own, expected) => {
		expect(rootPlaces(parseMountinfo(pid1), parseMountinfo(own))).toEqual(expected);
	});
});

test("rootPlaces() has the hierarchies of version 1, if these are asked for", () => {
	const point = (text: string) => rootPlaces(parseMountinfo(text), parseMountinfo(text), "cgroup");
	expect(point(UNIFIED)).toEqual([]);
	expect(point(V1)).not.toEqual([]);
	for (const place of [...point(V1), ...point(HYBRID)]) expect(place).toMatch(/^\/sys\/fs\/cgroup\/[a-z,_]+$/);
});

describe("assertCgroup()", () => {
	test.each([
		[
			"/nonexistent/cgroup",
			"Cannot attach to --cgroup /nonexistent/cgroup: ENOENT (make it with mkdir, below the mount of cgroup v2)",
		],
		["/proc", "Cannot attach to --cgroup /proc: not a folder of cgroup v2 (findmnt -t cgroup2 shows where that is)"],
	])("refuses %s", (path, message) => {
		expect(() => assertCgroup(path)).toThrow(message);
	});
});

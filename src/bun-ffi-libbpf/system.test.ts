// The calls of libc: locks, mounts, file systems, connects.

import { beforeAll, describe, expect, test } from "bun:test";
import { closeSync, mkdirSync, openSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
	errnoNumber,
	isBusy,
	isNotFound,
	mount,
	netnsCookie,
	possibleCpus,
	statfsType,
	tryLock,
	udpConnect,
	umount,
} from "./mod.ts";
import { describeAsRoot, errorOf, openFds, temporaryCgroup, temporaryFolder } from "./test/support.ts";

// The library opens itself once; it shall not count.
beforeAll(() => {
	possibleCpus();
});

describe("tryLock()", () => {
	test("gives a file to one at a time, until it is closed", () => {
		using folder = temporaryFolder();
		const path = join(folder.path, "lock");
		const first = openSync(path, "w");
		const second = openSync(path, "w");
		expect(tryLock(first)).toBe(true);
		expect(tryLock(first)).toBe(true);
		expect(tryLock(second)).toBe(false);
		closeSync(first);
		expect(tryLock(second)).toBe(true);
		closeSync(second);
	});

	test("throws for what is no open file", () => {
		expect(errorOf(() => tryLock(-1)).message).toBe("Cannot lock file descriptor -1: EBADF");
	});
});

describe("statfsType()", () => {
	test("knows the file system of a path", () => {
		expect(statfsType("/proc")).toBe(0x9fa0);
		expect(isNotFound(errorOf(() => statfsType("/no/such/path")))).toBe(true);
	});
});

test("netnsCookie() is the same each time, and not zero", () => {
	const cookie = netnsCookie();
	expect(cookie).toBe(netnsCookie());
	expect(cookie).toBeGreaterThan(0n);
});

describeAsRoot("netnsCookie() of another namespace", () => {
	test("is that of its file, and the process stays where it is", async () => {
		await using child = processIn(["unshare", "--net", "sh", "-c", "echo in; read line"]);
		await child.began;
		const before = openFds();
		const [own, theirs] = [netnsCookie(), netnsCookie({ netns: `/proc/${child.pid}/ns/net` })];
		expect(theirs).toBeGreaterThan(0n);
		expect(theirs).not.toBe(own);
		expect(netnsCookie({ netns: "/proc/self/ns/net" })).toBe(own);
		expect(netnsCookie()).toBe(own);
		expect(openFds()).toBe(before);
	});

	test("throws for what is none", () => {
		expect(isNotFound(errorOf(() => netnsCookie({ netns: "/no/such/netns" })))).toBe(true);
		expect(errorOf(() => netnsCookie({ netns: "/proc/self/ns/uts" })).message).toBe(
			"Cannot ask for the cookie of /proc/self/ns/uts: EINVAL (not a network namespace)",
		);
	});
});

/** A command that says a line when it has begun; killed when it is disposed. */
function processIn(command: readonly string[]) {
	const child = Bun.spawn([...command], { stdin: "pipe", stdout: "pipe" });
	return {
		pid: child.pid,
		began: child.stdout.getReader().read(),
		async [Symbol.asyncDispose]() {
			child.kill("SIGKILL");
			await child.exited;
		},
	};
}

describeAsRoot("mount(), umount()", () => {
	test("mount with options, and take it away", () => {
		using folder = temporaryFolder();
		const before = statfsType(folder.path);
		mount("none", folder.path, "tmpfs", { data: "size=1m" });
		const TMPFS_MAGIC = 0x01021994;
		expect(statfsType(folder.path)).toBe(TMPFS_MAGIC);
		writeFileSync(join(folder.path, "file"), "x");
		const held = openSync(join(folder.path, "file"), "r");
		expect(isBusy(errorOf(() => umount(folder.path)))).toBe(true);
		umount(folder.path, { lazy: true });
		closeSync(held);
		expect(statfsType(folder.path)).toBe(before);
	});

	test("heed flags", () => {
		using folder = temporaryFolder();
		const MS_RDONLY = 1;
		mount("none", folder.path, "tmpfs", { flags: MS_RDONLY });
		try {
			expect(() => writeFileSync(join(folder.path, "file"), "x")).toThrow("EROFS");
		} finally {
			umount(folder.path);
		}
	});

	test("say what failed", () => {
		using folder = temporaryFolder();
		expect(errorOf(() => mount("none", folder.path, "no-such-fs")).message).toBe(
			`Cannot mount no-such-fs on ${folder.path}: ENODEV`,
		);
		expect(errorOf(() => umount(folder.path)).message).toBe(
			`Cannot unmount ${folder.path}: EINVAL (not a mount point)`,
		);
	});
});

describe("udpConnect()", () => {
	test.each([
		["IPv4", new Uint8Array([127, 0, 0, 1])],
		["IPv6", new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])],
		["v4-mapped", new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1])],
	])("connects to %s without a listener, and leaks nothing", (_, ip) => {
		const before = openFds();
		expect(udpConnect(ip, 9)).toBe(0);
		expect(openFds()).toBe(before);
	});

	test("gives the errno of a connect that fails", () => {
		// Broadcast without SO_BROADCAST
		expect(udpConnect(new Uint8Array([255, 255, 255, 255]), 9)).not.toBe(0);
	});

	test.each([
		[new Uint8Array(5), 9],
		[new Uint8Array(4), -1],
		[new Uint8Array(4), 65536],
		[new Uint8Array(4), 1.5],
	])("refuses %p port %p", (ip, port) => {
		expect(() => udpConnect(ip, port)).toThrow(RangeError);
	});
});

describeAsRoot("udpConnect() from a cgroup", () => {
	test("connects there, leaving nobody and nothing behind", () => {
		using cgroup = temporaryCgroup();
		const before = openFds();
		for (let round = 0; round < 20; round++) {
			expect(udpConnect(new Uint8Array([127, 0, 0, 1]), 9, { cgroup: cgroup.path })).toBe(0);
		}
		expect(openFds()).toBe(before);
		expect(Bun.spawnSync(["sh", "-c", `cat ${cgroup.path}/cgroup.procs`]).stdout.toString()).toBe("");
	});

	test("throws if the cgroup is none, or cannot be entered", () => {
		using cgroup = temporaryCgroup();
		expect(errorOf(() => udpConnect(new Uint8Array(4), 9, { cgroup: "/no/such" })).message).toBe(
			"Cannot connect from /no/such: ENOENT",
		);
		expect(errorOf(() => udpConnect(new Uint8Array(4), 9, { cgroup: "/tmp" })).code).toBe("EBADF");
		// Next to a threaded cgroup no other may have a process (its type is "domain invalid").
		const [threaded, invalid] = [join(cgroup.path, "threaded"), join(cgroup.path, "invalid")];
		mkdirSync(threaded);
		mkdirSync(invalid);
		try {
			writeFileSync(join(threaded, "cgroup.type"), "threaded");
			const error = errorOf(() => udpConnect(new Uint8Array(4), 9, { cgroup: invalid }));
			expect(error.errno).toBe(errnoNumber("EOPNOTSUPP"));
			expect(error.call).toBe("clone3");
		} finally {
			rmdirSync(threaded);
			rmdirSync(invalid);
		}
	});
});

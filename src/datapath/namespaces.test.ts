// Network namespaces as proc(5) shows them.

import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { testName } from "../../test/support/names.ts";
import { createNamespaces } from "./namespaces.ts";

/** A proc of these processes, by the inode of their namespace; `mounts` is the mountinfo of our own. */
function procOf(processes: Readonly<Record<string, number>>, mounts: readonly string[], pids = "pid:[4026531836]") {
	const proc = mkdtempSync(join(tmpdir(), `${testName()}-`));
	for (const [pid, inode] of Object.entries(processes)) {
		mkdirSync(join(proc, pid, "ns"), { recursive: true });
		symlinkSync(`net:[${inode}]`, join(proc, pid, "ns/net"));
	}
	mkdirSync(join(proc, "self/ns"), { recursive: true });
	// What it leads to is a file with the namespace's inode.
	writeFileSync(join(proc, "self/ns/net"), "");
	symlinkSync(pids, join(proc, "self/ns/pid"));
	writeFileSync(join(proc, "self/mountinfo"), mounts.map((line) => `${line}\n`).join(""));
	return { proc, [Symbol.dispose]: () => rmSync(proc, { recursive: true }) };
}

const mount = (inode: number, path: string) => `100 24 0:4 net:[${inode}] ${path} rw shared:1 master:2 - nsfs nsfs rw`;

test("list() has each namespace once: the own one, those with a mount, those of processes", () => {
	using place = procOf({ 20: 12, 30: 12, 40: 13, uptime: 14 }, [
		"24 1 0:5 / /proc rw shared:12 - proc proc rw",
		mount(12, "/run/netns/pod"),
		mount(12, "/run/netns/twice"),
		mount(15, "/run/netns/with\\040blank"),
		"101 24 0:4 uts:[16] /run/utsns/x rw shared:1 - nsfs nsfs rw",
	]);
	const { proc } = place;
	expect([...createNamespaces(proc).list()]).toEqual([
		join(proc, "self/ns/net"),
		"/run/netns/pod",
		"/run/netns/with blank",
		join(proc, "40/ns/net"),
	]);
});

test("list() does without what cannot be read", () => {
	using place = procOf({ 7: 11 }, []);
	rmSync(join(place.proc, "self"), { recursive: true });
	expect([...createNamespaces(place.proc).list()]).toEqual([join(place.proc, "7/ns/net")]);
});

test("limit() says if processes of the host are out of sight", () => {
	using host = procOf({}, []);
	expect(createNamespaces(host.proc).limit()).toBeUndefined();
	using pod = procOf({}, [], "pid:[4026532300]");
	expect(createNamespaces(pod.proc).limit()).toMatch(/^the agent does not see .* \(in a Pod: hostPID: true\)$/);
});

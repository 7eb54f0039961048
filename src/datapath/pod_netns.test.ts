// Namespaces and addresses as proc(5) shows them, from a recorded one.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { testName } from "../../test/support/names.ts";
import { addressesOf, allProcesses, hostNamespaces, namespacesOf } from "./pod_netns.ts";

let proc: string;
beforeEach(() => {
	proc = mkdtempSync(join(tmpdir(), `${testName()}-`));
});
afterEach(() => rmSync(proc, { recursive: true }));

function process(pid: string, inode: number): void {
	mkdirSync(join(proc, pid, "ns"), { recursive: true });
	symlinkSync(`net:[${inode}]`, join(proc, pid, "ns/net"));
}

/** Of Linux 6.18: a pod with one interface. */
const FIB_TRIE = `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.244.1.0/24 2 0 1
        +-- 10.244.1.0/29 2 0 2
           |-- 10.244.1.0
              /24 link UNICAST
           |-- 10.244.1.7
              /32 host LOCAL
        |-- 10.244.1.255
           /32 link BROADCAST
     +-- 127.0.0.0/8 2 0 2
        +-- 127.0.0.0/31 1 0 0
           |-- 127.0.0.0
              /8 host LOCAL
           |-- 127.0.0.1
              /32 host LOCAL
        |-- 127.255.255.255
           /32 link BROADCAST
`;
const IF_INET6 = `fd000244000100000000000000000007 02 40 00 80     eth0
00000000000000000000000000000001 01 80 10 80       lo
`;

test("addressesOf() has those of its interfaces, and no routes or broadcasts", () => {
	mkdirSync(join(proc, "7/net"), { recursive: true });
	writeFileSync(join(proc, "7/net/fib_trie"), FIB_TRIE);
	writeFileSync(join(proc, "7/net/if_inet6"), IF_INET6);
	const netns = { pid: "7", path: "", inode: "1" };
	expect([...addressesOf(netns, proc)].map(String)).toEqual(["10.244.1.7", "127.0.0.1", "fd00:244:1::7", "::1"]);
	rmSync(join(proc, "7/net/if_inet6"));
	expect([...addressesOf(netns, proc)].map(String)).toEqual(["10.244.1.7", "127.0.0.1"]);
	expect(addressesOf({ ...netns, pid: "8" }, proc).size).toBe(0);
});

test("namespacesOf() has each once, by the first process that is in it", () => {
	for (const [pid, inode] of [
		["1", 100],
		["20", 200],
		["21", 200],
		["30", 300],
	] as const) {
		process(pid, inode);
	}
	mkdirSync(join(proc, "sys"));
	expect(namespacesOf([...allProcesses(proc)].sort(), proc).map(({ pid, inode }) => [pid, inode])).toEqual([
		["1", "100"],
		["20", "200"],
		["30", "300"],
	]);
	expect(namespacesOf(["21", "99"], proc)).toEqual([{ pid: "21", path: join(proc, "21/ns/net"), inode: "200" }]);
});

test("hostNamespaces() are those of PID 1 and our own", () => {
	process("1", 100);
	process("self", 200);
	process("30", 300);
	expect(hostNamespaces(proc)).toEqual(new Set(["100", "200"]));
});
